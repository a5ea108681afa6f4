"""A graceful restart keeps what clients could resume from; anything less is said to be gone."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from fakes.clients import open_client
from fakes.node import open_node, within
from fakes.resuming import ask, come, come_back, reply_to
from gogate_trio import publisher

TEXT = "only for the two of us"


@asynccontextmanager
async def node_in(fake, folder, **how):
    """Run a node that leaves its state there; the block's end drains it."""
    async with open_node(fake, state_dir=str(folder), **how) as node:
        yield node
        with within():
            node.stop.set()
            await node.stopped.wait()


async def first_life(fake, folder):
    """Jane goes; John writes to her twice and is answered; return where both are."""
    async with node_in(fake, folder) as node:
        with within():
            async with open_client(node.port) as jane:
                jane_at = await come(jane, fake.token(2))
            async with open_client(node.port) as john:
                john_at = await come(john, fake.token(1))
                for number in (1, 2):
                    await ask(john, number, "send_message", chat_id=2, text=f"{TEXT} {number}")
                    answer = await reply_to(john, number)
                    assert answer["event"] == "ack"
    return jane_at, john_at, answer


async def test_who_was_away_is_told_exactly_what_was_missed(fake, tmp_path):
    """What came before the restart and after it, in order, each once, under one epoch."""
    jane_at, john_at, _ = await first_life(fake, tmp_path)

    async with node_in(fake, tmp_path) as node, open_client(node.port) as john:
        with within():
            assert (await come_back(john, fake.token(1), john_at))["recovered"]
            await ask(john, 3, "send_message", chat_id=2, text=f"{TEXT} 3")
            assert (await reply_to(john, 3))["event"] == "ack"
            async with open_client(node.port) as jane:
                welcome = await come_back(jane, fake.token(2), jane_at)
                missed = [await jane.next_event() for _ in range(3)]

    assert (welcome["recovered"], welcome["session"]) == (True, jane_at.session)
    assert [event["data"]["text"] for event in missed] == [f"{TEXT} {n}" for n in (1, 2, 3)]
    offsets = [int(event["position"].split("-")[1]) for event in missed]
    assert offsets == list(range(offsets[0], offsets[0] + 3))


async def test_a_command_of_before_is_not_done_again(fake, tmp_path):
    """The answer is the first one, and the backend hears nothing."""
    _, john_at, answer = await first_life(fake, tmp_path)
    stored = len(fake.messages)

    async with node_in(fake, tmp_path) as node, open_client(node.port) as john:
        with within():
            await come_back(john, fake.token(1), john_at)
            await ask(john, 2, "send_message", chat_id=2, text=f"{TEXT} 2")

            assert await reply_to(john, 2) == answer
    assert len(fake.messages) == stored


async def test_a_reaction_to_a_message_of_before_reaches_its_chat(fake, tmp_path):
    """Which chat it is in was left as well."""
    _, _, answer = await first_life(fake, tmp_path)

    async with (
        node_in(fake, tmp_path) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        with within():
            message_id = answer["data"]["message_id"]
            await john.say("add_reaction", message_id=message_id, emoji="+1")

            assert (await jane.event("new_reaction"))["message_id"] == message_id


async def test_it_lies_on_the_disk_privately_and_without_a_token(fake, tmp_path):
    """What is needed to go on, and nothing that opens a door."""
    await first_life(fake, tmp_path)
    left = (tmp_path / "state").read_bytes()

    assert TEXT.encode() in left
    assert fake.token(1).encode() not in left
    assert fake.key.encode() not in left
    assert (tmp_path / "state").stat().st_mode & 0o077 == 0


async def test_another_restart_without_anybody_loses_nothing(fake, tmp_path):
    """What was inherited is left again, and grows older all the while."""
    jane_at, _, _ = await first_life(fake, tmp_path)
    async with node_in(fake, tmp_path):
        pass

    async with node_in(fake, tmp_path) as node, open_client(node.port) as jane:
        with within():
            assert (await come_back(jane, fake.token(2), jane_at))["recovered"]
            for number in (1, 2):
                assert (await jane.next_event())["data"]["text"] == f"{TEXT} {number}"


@pytest.mark.parametrize("what", ["a call that hangs", "a message whose chat is unknown"])
async def test_what_could_not_be_told_is_not_passed_over(fake, tmp_path, monkeypatch, what):
    """Nothing is left then: who resumes is told to fetch, in place of missing it in silence."""
    monkeypatch.setattr(publisher, "AUDIENCE_RETRY_SECONDS", ())
    async with node_in(fake, tmp_path, drain_timeout=1.0) as node:
        with within():
            async with open_client(node.port) as jane:
                jane_at = await come(jane, fake.token(2))
            async with open_client(node.port, fake.token(1)) as john:
                if what == "a call that hangs":
                    fake.hold("send_message")
                    await john.say("send_message", chat_id=2, text=TEXT)
                    await fake.wait_for_calls("send_message", 1)
                else:
                    fake.fail("members")
                    await john.say("send_message", chat_id=2, text=TEXT)
                    await fake.wait_for_calls("members", 1)
                    await trio.testing.wait_all_tasks_blocked(0.05)
                node.stop.set()
                await node.stopped.wait()
    fake.heal("members")

    async with node_in(fake, tmp_path) as node, open_client(node.port) as jane:
        with within():
            assert not (await come_back(jane, fake.token(2), jane_at))["recovered"]
            await jane.event("resync")

"""What a signal does to a real process with real clients.

That the log has exactly the events named here, every line of it JSON, also says that there
was no traceback.
"""

from __future__ import annotations

import signal

import pytest
import trio

from fakes.clients import open_client
from fakes.crowd import everybody_sees_the_end, open_crowd
from fakes.process import open_gateway

BOTH = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
ORDERLY = ["serving", "draining", "stopped"]


@BOTH
async def test_calls_in_flight_are_finished_for_everybody(fake, tmp_path, number):
    """200 clients, 200 calls: each is stored, answered and told to the chat; then 1012, exit 0."""
    gate = fake.hold("send_message")
    async with (
        open_gateway(fake, tmp_path, BACKEND_MAX_CALLS="256") as gateway,
        open_crowd(gateway.port, fake) as people,
    ):
        with trio.fail_after(20):
            for person in people:
                text = f"from {person.number}"
                await person.client.say("send_message", chat_id=person.chat_id, text=text)
            await fake.wait_for_calls("send_message", 200)
        gateway.signal(number)
        await gateway.logged("draining")
        gate.set()
        await everybody_sees_the_end(people)
        assert await gateway.ended() == 0

    assert gateway.events() == ORDERLY
    assert len(fake.messages) == 200
    assert {person.close_code for person in people} == {1012}
    for person in people:
        expected = {f"from {other}" for other in fake.chats[person.chat_id]}
        assert len(person.texts) == 10
        assert set(person.texts) == expected


async def talk_on_and_on(person):
    """Say something ten times a second until nobody listens any more."""
    for turn in range(100_000):
        text = f"{person.number} says {turn}"
        try:
            await person.client.say("send_message", chat_id=person.chat_id, text=text)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return
        await trio.sleep(0.1)


async def test_a_stop_in_the_middle_of_the_talk_loses_nothing(fake, tmp_path):
    """Everybody talks all the time: what was stored was told to its whole chat, once, in order."""
    async with (
        open_gateway(fake, tmp_path) as gateway,
        open_crowd(gateway.port, fake) as people,
    ):
        async with trio.open_nursery() as talking:
            for person in people[::10]:
                talking.start_soon(talk_on_and_on, person)
            with trio.fail_after(20):
                await fake.wait_for_calls("send_message", 100)
            gateway.signal(signal.SIGTERM)
            await everybody_sees_the_end(people)
            talking.cancel_scope.cancel()
        assert await gateway.ended() == 0

    assert gateway.events() == ORDERLY
    assert {person.close_code for person in people} == {1012}
    assert len(fake.messages) >= 100
    for person in people:
        stored = [each for each in fake.messages.values() if each["chat_id"] == person.chat_id]
        assert sorted(person.texts) == sorted(each["text"] for each in stored)
        for speaker in {each["user"]["id"] for each in stored}:
            turns = [text for text in person.texts if text.startswith(f"{speaker} ")]
            assert turns == [f"{speaker} says {turn}" for turn in range(len(turns))]


@BOTH
async def test_an_idle_node_ends_within_a_second(fake, tmp_path, number):
    """Nothing to wait for, nothing waited for."""
    async with open_gateway(fake, tmp_path) as gateway:
        gateway.signal(number)

        assert await gateway.ended(within=1) == 0
    assert gateway.events() == ORDERLY


@BOTH
async def test_a_second_signal_ends_it_at_once(fake, tmp_path, number):
    """No call and no client is waited for any more."""
    fake.hold("send_message")
    async with (
        open_gateway(fake, tmp_path) as gateway,
        open_client(gateway.port, fake.token(1)) as client,
    ):
        await client.say("send_message", chat_id=1, text="never answered")
        await fake.wait_for_calls("send_message", 1)
        gateway.signal(signal.SIGTERM)
        await gateway.logged("draining")
        gateway.signal(number)

        assert await gateway.ended(within=1) == 0
    assert gateway.events() == ["serving", "draining", "stopping_at_once"]


async def test_a_hanging_backend_cannot_hold_it_longer_than_drain_timeout(fake, tmp_path):
    """The client is told 1012 in that time, and the status is still 0."""
    fake.hold("send_message")
    async with (
        open_gateway(fake, tmp_path, DRAIN_TIMEOUT="1s") as gateway,
        open_client(gateway.port, fake.token(1)) as client,
    ):
        await client.say("send_message", chat_id=1, text="never answered")
        await fake.wait_for_calls("send_message", 1)
        gateway.signal(signal.SIGTERM)

        with trio.fail_after(2):
            assert await client.close_code() == 1012
        assert await gateway.ended(within=1.5) == 0
    assert gateway.events()[-1] == "stopped"


async def test_its_port_can_be_had_again_at_once(fake, tmp_path):
    """A restart does not wait for the kernel to forget the old connections."""
    async with open_gateway(fake, tmp_path) as gateway:
        async with open_client(gateway.port, fake.token(1)) as client:
            gateway.signal(signal.SIGTERM)
            with trio.fail_after(5):
                assert await client.close_code() == 1012
        await gateway.ended()

    async with (
        open_gateway(fake, tmp_path, PORT=str(gateway.port)) as successor,
        open_client(successor.port, fake.token(1)),
    ):
        assert successor.port == gateway.port


async def test_sighup_reads_the_settings_again(fake, tmp_path):
    """What can change does, and nobody is cut; a mistake changes nothing; no value is said."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("RESUME_EVENTS=10\n")
    async with (
        open_gateway(fake, tmp_path, LOG_LEVEL="info") as gateway,
        open_client(gateway.port, fake.token(1)) as client,
    ):
        dotenv.write_text("MAX_MESSAGE_SIZE=2048\nRESUME_EVENTS=4711\n")
        gateway.signal(signal.SIGHUP)
        assert (await gateway.logged("settings_reloaded"))["changed"] == ["MAX_MESSAGE_SIZE"]
        assert (await gateway.logged("restart_needed"))["settings"] == ["RESUME_EVENTS"]
        dotenv.write_text("MAX_MESSAGE_SIZE=huge\n")
        gateway.signal(signal.SIGHUP)
        assert "MAX_MESSAGE_SIZE" in (await gateway.logged("settings_kept"))["problems"][0]
        async with open_client(gateway.port, fake.token(2)) as newcomer:
            with trio.fail_after(20):
                await newcomer.say("send_message", chat_id=2, text="x" * 3000)
                assert await newcomer.close_code() == 1009
                await client.say("send_message", chat_id=2, text="still here")
                assert (await client.event("new_message"))["text"] == "still here"

    assert b"4711" not in b"".join(gateway.lines)

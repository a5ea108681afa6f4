"""What waits for what: a connection's commands for each other, and nobody for anybody else."""

from __future__ import annotations

import pytest

from fakes.clients import CLOSE, frame, open_client, saying
from fakes.leaks import settles
from fakes.node import open_node, undisturbed_chat, within


async def test_typing_passes_a_slow_message_of_the_same_connection(fake):
    """Only what reaches the backend waits in line."""
    gate = fake.hold("send_message")
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        with within():
            await john.say("send_message", chat_id=2, text="slow")
            await fake.wait_for_calls("send_message", 1)
            await john.say("typing", chat_id=2, is_typing=True)
            first = await jane.next_event()
            gate.set()
            second = await jane.next_event()

    assert [first["event"], second["event"]] == ["user_typing", "new_message"]


async def test_a_slow_backend_call_holds_up_nobody_else(fake):
    """Neither other people nor another connection of the same user."""
    gate = fake.hold("add_reaction")
    async with (
        open_node(fake) as node,
        undisturbed_chat(node) as chat,
        open_client(node.port, fake.token(3)) as waiting,
        open_client(node.port, fake.token(3)) as other,
    ):
        with within():
            await waiting.say("add_reaction", message_id=1, emoji="👍")
            await fake.wait_for_calls("add_reaction", 1)
            await other.say("send_message", chat_id=3, text="not held up")

            assert (await other.event("new_message"))["text"] == "not held up"
            await chat.goes_on()
            gate.set()


async def test_the_commands_of_a_connection_reach_the_backend_in_order(fake):
    """Sixty commands of three kinds in one write, one call at a time, no overtaking."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        said = b"".join(
            saying("send_message", chat_id=2, text=f"{number}")
            + saying("add_reaction", message_id=number + 1, emoji="👍")
            + saying("mark_read", message_ids=[number + 1])
            for number in range(20)
        )
        with within():
            await john.send(said)
            got = [(await john.next_event())["event"] for _ in range(60)]

    assert got == ["new_message", "new_reaction", "message_read"] * 20
    asked = [call.endpoint for call in fake.calls if call.endpoint not in {"validate", "members"}]
    assert asked == ["send_message", "add_reaction", "mark_read"] * 20
    assert [message["text"] for message in fake.messages.values()] == [str(n) for n in range(20)]


async def test_commands_sent_right_behind_auth_wait_for_it(fake):
    """A client may say everything at once; nothing is refused because auth takes its time."""
    gate = fake.hold("validate")
    async with open_node(fake) as node, open_client(node.port) as john:
        with within():
            await john.send(
                saying("auth", token=fake.token(1))
                + saying("send_message", chat_id=2, text="at once")
            )
            await fake.wait_for_calls("validate", 1)
            gate.set()
            got = [(await john.next_event())["event"] for _ in range(2)]

    assert got == ["auth_success", "new_message"]


@pytest.mark.parametrize("ending", ["reset", "close", "end of stream"])
async def test_a_client_that_leaves_does_not_take_its_message_with_it(fake, ending):
    """The call is not cancelled, what was queued behind it is done, and the chat hears of both."""
    gate = fake.hold("send_message")
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        with within():
            await john.say("send_message", chat_id=2, text="last words")
            await john.say("send_message", chat_id=2, text="and more")
            await fake.wait_for_calls("send_message", 1)
            if ending == "reset":
                john.reset()
            elif ending == "close":
                await john.send(frame(CLOSE))
            else:
                await john.stream.send_eof()
            assert await settles(lambda: node.metrics.connections == 1)
            gate.set()

            for text in ("last words", "and more"):
                assert (await jane.event("new_message"))["text"] == text
    assert [message["text"] for message in fake.messages.values()] == ["last words", "and more"]


async def test_too_many_waiting_commands_are_refused_and_not_dropped(fake):
    """The sixty-sixth command behind a hanging one is told BUSY; the others are done."""
    gate = fake.hold("send_message")
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            for number in range(70):
                await john.say("send_message", chat_id=2, text=f"{number}")
            refused = [await john.event("error") for _ in range(5)]
            gate.set()
            seen = [(await john.event("new_message"))["text"] for _ in range(65)]

    assert {each["code"] for each in refused} == {"BUSY"}
    assert seen == [str(number) for number in range(65)]

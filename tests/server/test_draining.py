"""Whoever is there when the node is told to stop gets an answer and a goodbye, and no more."""

from __future__ import annotations

import os
from contextlib import AsyncExitStack

import pytest
import trio

from fakes.clients import PING, UPGRADE, frame, open_client, open_raw
from fakes.leaks import settles
from fakes.node import open_node, within


async def test_a_call_in_flight_is_answered_before_the_goodbye(fake):
    """What was asked before the drain is done, told to everybody, and only then comes 1012."""
    gate = fake.hold("send_message")
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        with within():
            await john.say("send_message", chat_id=1, text="just in time")
            await fake.wait_for_calls("send_message", 1)
            node.stop.set()
            await trio.testing.wait_all_tasks_blocked()
            gate.set()

            for person in (john, jane):
                assert (await person.event("new_message"))["text"] == "just in time"
                assert await person.close_code() == 1012


async def test_what_is_said_after_the_stop_is_not_begun(fake):
    """No new command reaches the backend once the node drains."""
    gate = fake.hold("send_message")
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            await john.say("send_message", chat_id=1, text="before")
            await fake.wait_for_calls("send_message", 1)
            node.stop.set()
            await trio.testing.wait_all_tasks_blocked(0.05)
            await john.say("send_message", chat_id=1, text="after")
            await trio.testing.wait_all_tasks_blocked(0.05)
            gate.set()
            await john.event("new_message")

            assert await john.close_code() == 1012
        assert [message["text"] for message in fake.messages.values()] == ["before"]


@pytest.mark.parametrize("said", [b"", UPGRADE], ids=["nothing", "half a head"])
async def test_a_client_still_at_the_door_does_not_hold_up_the_drain(fake, said):
    """Neither the handshake's deadline nor the drain's is waited for."""
    async with open_node(fake, drain_timeout=15.0) as node, open_raw(node.port) as client:
        await client.send(said)
        assert await settles(lambda: node.metrics.accepted == 1)
        node.stop.set()

        with within(3):
            await node.stopped.wait()


async def test_a_client_that_comes_in_during_the_drain_is_sent_away(fake):
    """Half a head at the stop: told in a moment to come back later, while others are answered."""
    gate = fake.hold("send_message")
    async with (
        open_node(fake, drain_timeout=15.0) as node,
        open_client(node.port, fake.token(1)) as john,
        open_raw(node.port) as late,
    ):
        with within(5):
            await late.send(UPGRADE)
            await john.say("send_message", chat_id=1, text="busy")
            await fake.wait_for_calls("send_message", 1)
            node.stop.set()
            await trio.testing.wait_all_tasks_blocked(0.05)
            answer = await late.read_until(b"\r\n\r\n")
            gate.set()
            assert await john.close_code() == 1012
            await node.stopped.wait()

    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer


async def test_a_head_that_ends_with_the_door_is_told_when_to_come_back(fake):
    """Thirty heads that are complete one turn of the loop after the other, across the stop."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(open_node(fake, drain_timeout=15.0))
        late = [await stack.enter_async_context(open_raw(node.port)) for _ in range(30)]
        for client in late:
            await client.send(UPGRADE)
        await trio.testing.wait_all_tasks_blocked(0.05)
        node.stop.set()
        for client in late:
            # Not the client's own send: that is a turn or two by itself.
            os.write(client.stream.socket.fileno(), b"\r\n")
            await trio.lowlevel.checkpoint()

        with within(5):
            for client in late:
                answer = await client.rest()
                assert b"retry=" in answer
                await client.stream.aclose()
            await node.stopped.wait()


async def test_a_backend_that_hangs_does_not_hang_the_drain(fake):
    """DRAIN_TIMEOUT bounds it all, and the clients are still told 1012 in that time."""
    fake.hold("send_message")
    async with (
        open_node(fake, drain_timeout=1.0) as node,
        open_client(node.port, fake.token(1)) as john,
    ):
        await john.say("send_message", chat_id=1, text="never answered")
        await fake.wait_for_calls("send_message", 1)
        node.stop.set()

        with within(2):
            assert await john.close_code() == 1012
            await node.stopped.wait()


async def test_clients_that_never_read_do_not_hang_the_drain(fake):
    """Peers who neither read nor close are cut when the time is up."""
    async with (
        open_node(fake, drain_timeout=1.0) as node,
        open_client(node.port, receive_buffer=4096) as stuck,
    ):
        with trio.move_on_after(0.3):
            while True:
                await stuck.send(frame(PING, b"x" * 125) * 500)
        node.stop.set()

        with within(2.5):
            await node.stopped.wait()

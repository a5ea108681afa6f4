"""Who is alive is known by what it sends, whatever the backend is doing.

Real sockets need real time, so the periods are short; what must not happen has the wider
margin.
"""

from __future__ import annotations

import time

import pytest
import trio

from fakes.clients import PING, PONG, Frame, frame, open_client, saying
from fakes.leaks import settles
from fakes.node import open_node, undisturbed_chat, within

BEATS = {"ping_period": 0.2, "pong_wait": 1.0}


async def pong_for(client, seconds):
    """Answer every ping for so long; return how many came."""
    pings = 0
    with trio.move_on_after(seconds):
        while True:
            if (await client.next_frame()).opcode == PING:
                pings += 1
                await client.send(frame(PONG))
    return pings


async def test_a_silent_client_is_pinged_and_then_hung_up_with_4408(fake):
    """One ping, no answer, the end; the others stay."""
    async with (
        open_node(fake, ping_period=0.2, pong_wait=0.4) as node,
        undisturbed_chat(node),
        open_client(node.port, fake.token(3)) as client,
    ):
        with within():
            assert await client.next_frame() == Frame(PING, b"")
            assert await client.close_code() == 4408


async def test_a_peer_that_has_vanished_is_let_go(fake):
    """Nobody there to answer the close frame either: the linger is bounded."""
    async with (
        open_node(fake, ping_period=0.1, pong_wait=0.2) as node,
        open_client(node.port, fake.token(3)),
    ):
        assert await settles(lambda: node.metrics.connections == 0, within=5)
        assert node.metrics.closed == {"no pong": 1}


async def test_a_client_that_answers_stays(fake):
    """Through many pings, for longer than PONG_WAIT."""
    async with (
        open_node(fake, **BEATS) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        assert await pong_for(client, 1.5) >= 3
        assert node.metrics.connections == 1


async def test_a_node_that_stood_still_asks_before_it_hangs_up(fake):
    """A machine that was suspended for longer than PONG_WAIT does not lose all its clients."""
    async with (
        open_node(fake, ping_period=0.8, pong_wait=1.6) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        time.sleep(2.0)  # noqa: ASYNC251 - the whole process is to stand still

        assert await pong_for(client, 0.6) == 1
        assert node.metrics.connections == 1


async def test_any_word_is_a_sign_of_life(fake):
    """A client that talks is not even pinged."""
    async with (
        open_node(fake, ping_period=0.5, pong_wait=1.0) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        for _ in range(15):
            await client.send(saying("typing", chat_id=2, is_typing=True))
            await trio.sleep(0.1)
        with trio.move_on_after(0.05):
            got = await client.next_frame()
            pytest.fail(f"{got} came to somebody who was talking")


async def test_a_hanging_backend_makes_no_client_look_dead(fake):
    """While its call hangs, its pings are answered, its pongs count, and it stays."""
    gate = fake.hold("send_message")
    async with (
        open_node(fake, **BEATS) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        await client.say("send_message", chat_id=2, text="slow")
        await fake.wait_for_calls("send_message", 1)

        with within(1):
            await client.send(frame(PING, b"anybody?"))
            assert await client.next_frame() == Frame(PONG, b"anybody?")
        await pong_for(client, 1.5)
        gate.set()
        with within():
            assert (await client.event("new_message"))["text"] == "slow"


async def test_a_half_closed_connection_is_over(fake):
    """Who has said that nothing more will come is gone, with the handshake or later."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        await client.stream.send_eof()

        with within(5):
            assert await client.rest() == b""
        assert node.metrics.closed == {"connection lost": 1}

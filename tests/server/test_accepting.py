"""Letting clients in: many at once, and yet everybody else has their turn."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import trio

from fakes.node import within
from gogate_trio.limits import SEND_BUFFER_BYTES
from gogate_trio.server.sockets import open_listener


async def test_an_accepted_socket_sends_at_once_and_keeps_little(poller):
    """What is set on the listener holds for whoever it lets in: no delay, a small buffer."""
    listener = open_listener("127.0.0.1", 0, poller)
    with within(), socket.create_connection(("127.0.0.1", listener.port)):
        wire = await listener.accept()

        kept = wire._socket
        assert kept.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        # The kernel doubles what it is asked for.
        assert kept.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * SEND_BUFFER_BYTES
        assert not kept.getblocking()
        wire.close()
        await listener.aclose()


async def test_a_crowd_at_the_door_holds_up_nobody_inside(poller):
    """Of a hundred in the queue some are let in at once; then others have their turn."""
    listener, let_in, turns = open_listener("127.0.0.1", 0, poller), [], []

    async def accept():
        while len(let_in) < 100:
            let_in.append(await listener.accept())

    async def take_turns():
        while len(let_in) < 100:
            turns.append(len(let_in))
            await trio.lowlevel.checkpoint()

    with within(), ExitStack() as crowd:
        for _ in range(100):
            crowd.enter_context(socket.create_connection(("127.0.0.1", listener.port)))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(accept)
            nursery.start_soon(take_turns)
        for wire in let_in:
            wire.close()
        await listener.aclose()

    steps = [after - before for before, after in zip(turns, [*turns[1:], 100], strict=True)]
    # Last in one round of the scheduler and first in the next: twice between our turns.
    assert 1 < max(steps) <= 2 * 32


async def test_a_client_that_was_cut_off_is_not_read(poller):
    """What it sent is still there."""
    listener = open_listener("127.0.0.1", 0, poller)
    with within(), socket.create_connection(("127.0.0.1", listener.port)) as client:
        client.sendall(b"hello")
        wire = await listener.accept()
        await trio.lowlevel.wait_readable(wire._socket)
        with trio.CancelScope() as cut:
            cut.cancel()
            await wire.receive_some()
        assert cut.cancelled_caught

        assert await wire.receive_some() == b"hello"
        wire.close()
        await listener.aclose()

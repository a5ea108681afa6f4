"""A port that two serve: one of them stops, and nobody who came to it is reset or refused."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack

import trio

from fakes.clients import UPGRADE, open_client, open_raw
from fakes.leaks import settles
from fakes.node import open_node, within
from gogate_trio.limits import LAST_CALL_SECONDS
from gogate_trio.server.sockets import Listener, open_listener

CLIENTS = 40
"""of which each of two listeners has some, unless luck of one in a billion has it"""


async def _serve(listener, *, task_status=trio.TASK_STATUS_IGNORED):
    async def greet(wire):
        await wire.send_all(b"hello")
        await wire.aclose()

    async with trio.open_nursery() as greeting:
        task_status.started()
        async with listener:
            while True:
                greeting.start_soon(greet, await listener.accept())


async def _visit(port, greetings):
    async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
        greetings.append(await stream.receive_some())


async def test_those_in_the_queue_are_accepted_and_the_others_come_to_the_neighbour(poller):
    """Who has connected is served by the one that stops, who connects meanwhile by the other."""
    greetings = []
    leaving = open_listener("127.0.0.1", 0, poller, reuse_port=True)
    staying = open_listener("127.0.0.1", leaving.port, poller, reuse_port=True)
    with within():
        async with trio.open_nursery() as visiting, trio.open_nursery() as serving:
            await serving.start(_serve, staying)
            for _ in range(CLIENTS):
                visiting.start_soon(_visit, leaving.port, greetings)
            await trio.testing.wait_all_tasks_blocked(0.1)
            in_queue = CLIENTS - len(greetings)
            async with trio.open_nursery() as ending:
                await ending.start(_serve, leaving)
                ending.start_soon(leaving.last_call)
                await trio.testing.wait_all_tasks_blocked(LAST_CALL_SECONDS / 4)
                in_time = len(greetings)
                for _ in range(CLIENTS):
                    visiting.start_soon(_visit, leaving.port, greetings)
                await trio.testing.wait_all_tasks_blocked(LAST_CALL_SECONDS / 4)
                overlooked = 2 * CLIENTS - len(greetings)
                await leaving.last_call()
                ending.cancel_scope.cancel()
            assert await settles(lambda: len(greetings) == 2 * CLIENTS)
            serving.cancel_scope.cancel()

    assert greetings == [b"hello"] * 2 * CLIENTS
    assert in_queue > 0
    assert in_time == CLIENTS
    assert overlooked > 0


async def test_a_port_of_our_own_is_closed_at_once(poller):
    """Nobody else would take those whose connection is half made; those in the queue are served."""
    greetings = []
    leaving = open_listener("127.0.0.1", 0, poller)
    with within():
        async with trio.open_nursery() as visiting:
            for _ in range(CLIENTS):
                visiting.start_soon(_visit, leaving.port, greetings)
            await trio.testing.wait_all_tasks_blocked(0.1)
            async with trio.open_nursery() as serving:
                await serving.start(_serve, leaving)
                began = trio.current_time()
                await leaving.last_call()
                took = trio.current_time() - began
                assert await settles(lambda: len(greetings) == CLIENTS)
                serving.cancel_scope.cancel()

    assert took < LAST_CALL_SECONDS


async def test_a_queue_that_nobody_accepts_does_not_hold_up_the_drain(poller):
    """Who is in it then is reset, as without all this."""
    leaving = open_listener("127.0.0.1", 0, poller)
    with within(5):
        async with leaving, await trio.open_tcp_stream("127.0.0.1", leaving.port):
            await leaving.last_call()


async def test_an_inherited_socket_is_left_to_the_next(poller):
    """Its queue is not emptied and nobody is overlooked: somebody else has it open as well."""
    greetings = []
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        ours = held.dup()
        ours.setblocking(False)
        leaving = Listener(ours, poller, is_own=False)
        with within():
            async with trio.open_nursery() as visiting:
                await leaving.last_call()
                await leaving.aclose()
                visiting.start_soon(_visit, port, greetings)
                await trio.testing.wait_all_tasks_blocked(0.1)
                accepted, _ = held.accept()
                accepted.send(b"hello")
                accepted.close()

    assert greetings == [b"hello"]


async def test_a_client_that_asks_in_a_moment_is_told_when_to_come_back(fake):
    """It had connected before the stop: it gets its WebSocket and 1012, not a 503."""
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(open_node(fake, drain_timeout=15.0))
        john = await stack.enter_async_context(open_client(node.port, fake.token(1)))
        late = await stack.enter_async_context(open_raw(node.port))
        assert await settles(lambda: node.metrics.accepted == 2)
        gate = fake.hold("send_message")
        await john.say("send_message", chat_id=1, text="busy")
        with within():
            await fake.wait_for_calls("send_message", 1)
            node.stop.set()
            await trio.testing.wait_all_tasks_blocked(0.05)
            await late.send(UPGRADE + b"\r\n")
            answer = await late.rest()
            gate.set()

    assert answer.startswith(b"HTTP/1.1 101 ")
    assert b"retry=" in answer

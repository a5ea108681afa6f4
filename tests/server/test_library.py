"""trio-websocket is there for who needs it, and no sooner."""

from __future__ import annotations

from fakes.clients import CLOSE, PING, PONG, frame, open_client
from fakes.leaks import holding
from fakes.node import open_node, within


async def test_a_client_that_only_talks_costs_one_task(fake):
    """The first ping begins the library's; the second finds it there."""
    async with open_node(fake) as node, open_client(node.port) as client:
        with within():
            await client.authenticate(fake.token(1))
            before = holding().tasks
            await client.say("no such thing")
            await client.event("error")
            talking = holding().tasks
            for payload in (b"one", b"two"):
                await client.send(frame(PING, payload))
                pong = await client.next_frame()
                assert (pong.opcode, pong.payload) == (PONG, payload)

            assert (talking - before, holding().tasks - before) == (0, 1)


async def test_a_farewell_does_not_begin_it(fake, monkeypatch):
    """Who talks and leaves in good order is answered without it."""

    def begin(*_args, **_kwargs):
        raise AssertionError("it is begun")

    monkeypatch.setattr("gogate_trio.server.library.wrap_server_stream", begin)
    async with open_node(fake) as node, open_client(node.port) as client:
        with within():
            await client.authenticate(fake.token(1))
            await client.send(frame(CLOSE, b"\x03\xe8"))

            assert await client.close_code() == 1000
        assert node.metrics.bugs == 0

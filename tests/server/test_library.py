"""trio-websocket is there for who needs it, and no sooner."""

from __future__ import annotations

from fakes.clients import PING, PONG, frame, open_client
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

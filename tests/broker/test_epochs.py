"""Laws of a node that starts when epochs have ended before its time."""

from __future__ import annotations

from contextlib import AsyncExitStack

import trio

from fakes.nodes import start, until
from gogate_trio.broker.base import Disconnect
from gogate_trio.ids import UserId


async def test_what_was_said_before_a_nodes_time_is_not_told_when_it_reads_anew(valkey):
    """However many epochs ago it was: neither messages nor instructions come back."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        first = await start(stack, nursery, valkey.url)
        await first.say("old", "older")
        await first.broker.instruct(Disconnect(UserId(1), 4503, "revoked"))
        before = first.position
        first.broker.declare_gap()
        await until(lambda: first.position != before)
        first.scope.cancel()
        # Redis's clock is known but for the time its answer takes: what is younger counts as new.
        await trio.sleep(1.0)
        second = await start(stack, nursery, valkey.url)
        guest = second.join(wants_positions=True)
        await valkey.ask(b"HINCRBY", b"{gogate}:meta", b"head", 1)
        await guest.hears("resync")
        await second.say("new")

        await guest.hears("resync", "new")
        assert second.obeyed == []
        nursery.cancel_scope.cancel()

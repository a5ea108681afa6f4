"""Sentinels choose another master, in order or because the old one is dead; people chat on.

The judge finds nothing lost in silence and nothing twice, and five seconds after the failover
every node delivers what is said on any, without a restart.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from cluster.test_outages import BACK
from fixtures.sentinels import open_sentinels
from gogate_trio.limits import SENTINEL_SECONDS

LOST = 2 * SENTINEL_SECONDS
"""seconds in which some node may still write to the old master"""


@pytest.fixture
async def watched(tmp_path):
    """A master, a replica, and three sentinels."""
    async with open_sentinels(tmp_path) as servers:
        yield servers


@asynccontextmanager
async def failover(town, probes, watched):
    """The block begins one: from its end the nodes have five seconds to be one again."""
    town.note("apart")
    town.note("lossy")
    yield
    await watched.promoted()
    with trio.fail_after(BACK):
        # Who still was on the old master has said it there, and must say it again.
        for patience in (LOST, BACK):
            with trio.move_on_after(patience) as waiting:
                await probes.told_from_each()
            if not waiting.cancelled_caught:
                break
    town.note("together")
    town.note("whole")


async def test_failovers_lose_nothing_in_silence(world, watched):
    """One in order and back, then the master is killed; nobody writes to one that has been."""
    async with world(valkey=watched) as town, town.open_probes() as probes:
        await town.stored(100)
        async with failover(town, probes, watched):
            await watched.fail_over()
        await town.stored(50)
        # The old master comes back as the replica of the new one.
        await watched.followed()
        await town.stored(50)
        assert await town.nodes.number("gogate_redis_up") == len(town.nodes.running)
        async with failover(town, probes, watched):
            await watched.master.kill()
        await town.stored(50)
        await watched.replica.start()
        await watched.followed()
        await town.stored(50)
        took = await probes.told_from_each()

    assert took < BACK
    assert probes.said_again() == []


async def test_what_the_replica_did_not_have_is_noticed_by_everybody(world, watched):
    """The master dies with what it alone had: whoever resumes is told to load."""
    async with world(valkey=watched) as town, town.open_probes() as probes:
        await town.stored(100)
        await watched.cut_replica_off()
        await town.stored(50)
        told = len(town.notes("resync"))
        async with failover(town, probes, watched):
            await watched.master.kill()
        await town.stored(100)

    assert not told
    resumers = {note.who for note in town.notes("welcomed") if note.details.get("position")}
    told_to_load = (*town.notes("resync"), *town.notes("welcomed", recovered=False, new=False))
    assert {note.who for note in told_to_load} >= resumers
    assert "stream_rewound" in [e for node in town.nodes.all for e in node.gateway.events()]
    assert probes.said_again() == []

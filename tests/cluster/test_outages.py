"""Redis is killed, paused, emptied, away: nodes serve their own clients, and find each other again.

The judge finds nothing lost in silence and nothing twice; five seconds after Redis is back every
node delivers what is said on any.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from cluster.people import Citizen
from fakes.town import until
from fixtures.valkey import open_valkey

BACK = 5.0
"""seconds after which all is as before"""
AT_ONCE = 1.0
"""seconds in which a node delivers to its own clients; it takes milliseconds, on an idle machine"""
DEADLINE = 1.0
"""seconds: REDIS_TIMEOUT's default"""
PAUSE = 10.0
TWO_AND_THREE = pytest.mark.parametrize("nodes", ["ab", "abc"])
MISSED = 40.0
"""seconds until a node is missed; ten of them are waited for it"""


@asynccontextmanager
async def apart(town, probes):
    """Let the nodes lose each other in the block; after it they must find each other in time."""
    town.note("apart")
    yield
    took = await probes.told_from_each()
    town.note("together")

    assert took < BACK


async def talk_at_home(town, probes):
    """Each node tells its own clients: at first within the deadline of Redis, then at once."""
    for patience in (DEADLINE + AT_ONCE, AT_ONCE, AT_ONCE):
        said = {node: await probes.say(node) for node in town.nodes.running}
        for node, text in said.items():
            assert await probes.told(text, node) < patience


def who_resume(town):
    """Return the names of those who do."""
    return {person.name for person in town.people if isinstance(person, Citizen)}


def told_to_load(town, since):
    """Return the names of those who were told to load from then on."""
    return {note.who for note in town.notes("resync") if note.at >= since}


@TWO_AND_THREE
async def test_a_pause_of_ten_seconds(world, valkey, nodes):
    """SIGSTOP: nobody waits for Redis, and what was said meanwhile comes to all in the end."""
    async with world(nodes=nodes, valkey=valkey) as town, town.open_probes() as probes:
        await town.stored(100)
        async with apart(town, probes):
            valkey.pause()
            began = trio.current_time()
            await talk_at_home(town, probes)
            await town.stored(50)
            await trio.sleep_until(began + PAUSE)
            valkey.resume()
        await town.stored(100)

    assert probes.said_again() == []


async def test_a_node_that_stops_while_redis_is_away_takes_nothing_along(world, valkey):
    """It goes only when the others have what it told by itself, within DRAIN_TIMEOUT."""
    async with world(valkey=valkey, nodes="abc") as town:
        await town.stored(50)
        town.note("apart")
        valkey.pause()
        await town.stored(100)
        async with trio.open_nursery() as stopping:
            stopping.start_soon(town.nodes.stop, "a")
            await town.stored(50)
            valkey.resume()
        async with town.open_probes() as probes:
            await probes.told_from_each()
            town.note("together")
            await town.stored(50)

    logs = [entry["event"] for node in town.nodes.all for entry in node.gateway.log()]
    assert "backlog_lost" not in logs
    assert logs.count("broker_detached") > 1


async def test_a_node_that_is_killed_while_redis_is_away_is_missed(world, valkey):
    """Nobody knows what it told alone: everybody who resumes is told to load."""
    async with world(valkey=valkey, nodes="abc") as town:
        await town.stored(50)
        town.note("apart")
        town.note("lossy")
        valkey.pause()
        await town.stored(100)
        # So long that each of the others has noticed.
        await trio.sleep(4 * DEADLINE)
        await town.nodes.kill("a")
        valkey.resume()
        async with town.open_probes() as probes:
            await probes.told_from_each()
            town.note("together")
            with trio.fail_after(MISSED):
                await town.logged("node_lost")
            # It is told at once; what the outage itself had them load was seconds ago.
            since = town.chronicle.now() - 1.0
            await until(lambda: who_resume(town) <= told_to_load(town, since))
            town.note("whole")
            await town.stored(50)

    logs = [entry["event"] for node in town.nodes.all for entry in node.gateway.log()]
    assert logs.count("node_lost") == 1


@TWO_AND_THREE
async def test_a_restart_that_loses_nothing(world, lasting_valkey, nodes):
    """Killed and back at once, with everything: nobody is told to load."""
    async with world(nodes=nodes, valkey=lasting_valkey) as town, town.open_probes() as probes:
        await town.stored(100)
        for _ in range(3):
            async with apart(town, probes):
                await lasting_valkey.restart()
            await town.stored(50)

    assert probes.said_again() == []
    assert not town.notes("resync")


@TWO_AND_THREE
async def test_a_restart_that_loses_everything(world, valkey, nodes):
    """Killed, away for a while, and back empty: a new epoch, and everybody is told to load once."""
    async with world(nodes=nodes, valkey=valkey) as town, town.open_probes() as probes:
        await town.stored(100)
        async with apart(town, probes):
            town.note("lossy")
            await valkey.kill()
            await talk_at_home(town, probes)
            await town.stored(50)
            await valkey.start()
        town.note("whole")
        await town.stored(100)

    assert probes.said_again() == []
    assert town.notes("resync")


@TWO_AND_THREE
async def test_a_flush(world, valkey, nodes):
    """FLUSHALL, again and again, under load."""
    async with world(nodes=nodes, valkey=valkey) as town, town.open_probes() as probes:
        await town.stored(100)
        for _ in range(3):
            async with apart(town, probes):
                town.note("lossy")
                await valkey.ask(b"FLUSHALL")
            town.note("whole")
            await town.stored(50)

    assert probes.said_again() == []
    assert town.notes("resync")


async def test_a_start_without_redis(world, tmp_path):
    """Nodes start and serve while Redis is away, and are one as soon as it is there."""
    async with open_valkey(tmp_path / "valkey") as valkey:
        await valkey.kill()
        async with world(valkey=valkey) as town, town.open_probes() as probes:
            async with apart(town, probes):
                await talk_at_home(town, probes)
                await town.stored(50)
                await valkey.start()
            await town.stored(100)

    assert probes.said_again() == []

"""Nodes come and go under load, and clients that do not read: the others do not notice."""

from __future__ import annotations

from collections import Counter

import pytest
import trio

from cluster.people import Citizen
from cluster.probes import LAST
from fakes.clients import open_client
from fakes.resuming import come, come_back

TWO_AND_THREE = pytest.mark.parametrize("nodes", ["ab", "abc"])
SLOW = 12
"""people of one chat who stop reading"""
CUT_OFF_BY = 180.0
"""seconds; it takes ten on an idle machine, most of them to say enough"""
CUT_OFF = ("gogate_closes_total", "slow consumer")


@TWO_AND_THREE
async def test_a_node_that_is_killed_costs_one_load(world, valkey, nodes):
    """Its clients go on at the others from where they were; then it is missed, once."""
    async with world(nodes=nodes, valkey=valkey) as town:
        await town.stored(100)
        killed = town.nodes.running["a"]
        # What was stored and not told yet, those who know no positions miss.
        town.note("lossy")
        await town.nodes.kill("a")
        town.note("whole")
        await town.stored(150)
        await town.nodes.start("a")
        await town.logged("node_lost")
        await town.stored(100)

    told = Counter(note.who for note in town.notes("resync"))
    assert len(town.notes("over", node=killed)) > 30
    assert len(town.notes("welcomed", recovered=True)) > 30
    assert len(told) > 100
    assert set(told.values()) == {1}


async def test_a_node_that_joins_takes_clients_that_resume(world, valkey):
    """It reads the window first: who was elsewhere goes on there from where it was."""
    async with world(nodes="ab", valkey=valkey) as town:
        token = town.fake.token(LAST)
        async with open_client(town.nodes.running["a"].port) as client:
            place = await come(client, token)
        async with town.open_probes() as probes:
            texts = [await probes.say(node) for node in town.nodes.running]
            for text in texts:
                await probes.told(text)
        await town.stored(100)
        newcomer = await town.nodes.start("c")
        async with open_client(newcomer.port) as client:
            welcome = await come_back(client, token, place)
            missed = [(await client.event("new_message"))["text"] for _ in texts]
        await town.nodes.stop("b")
        await town.stored(150)
        async with town.open_probes() as probes:
            took = await probes.told_from_each()

    assert welcome["recovered"]
    assert sorted(missed) == sorted(texts)
    assert len(town.notes("welcomed", node=newcomer, recovered=True)) > 20
    assert not town.notes("resync")
    assert took < 5


async def still_there(town, people):
    """Return who of them has not lost a connection yet; one may come back, and lose another."""
    present = set()
    for node in town.nodes.running.values():
        present |= await node.users()
    lost = {note.who for note in town.notes("over")}
    return {each.name for each in people if each.user_id in present} - lost


@TWO_AND_THREE
async def test_clients_that_do_not_read_are_cut_off_and_lose_nothing(world, valkey, nodes):
    """4410 on every node, and what they missed when they are back; their chats did not wait."""
    async with world(nodes=nodes, valkey=valkey, WRITE_WAIT="2s") as town:
        mine = [person for person in town.people if {*person.chats} & {*town.herald.chats}]
        slow = [person for person in mine if isinstance(person, Citizen)][:SLOW]
        await town.stored(50)
        town.stall(slow, is_stalled=True)
        town.herald.is_talking = True
        with trio.fail_after(CUT_OFF_BY):
            while await still_there(town, slow):  # noqa: ASYNC110 - other processes
                await trio.sleep(0.5)
        assert await town.nodes.number(*CUT_OFF) >= SLOW
        town.herald.is_talking = False
        town.stall(slow, is_stalled=False)
        await town.stored(50)

    over = town.notes("over")
    assert {note.who for note in over} == {person.name for person in slow}
    # Who reads nothing may find an end where the close frame had no room.
    assert {note.details["why"] for note in over} <= {4410, "reset", "write", "end"}

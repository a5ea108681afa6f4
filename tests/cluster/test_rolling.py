"""Two instances behind one port, replaced one after the other under load."""

from __future__ import annotations

import socket
from contextlib import nullcontext

import attrs
import pytest
import trio

from cluster.histogram import draw
from cluster.people import Citizen
from fakes.town import until
from fixtures.systemd import get_health

RESTART = 1012
PATIENCE = 60.0
LEAST = 50
"""people who are on each instance when one of them is stopped"""
SPREAD = 2.0
"""seconds over which they are sent away"""
SLACK = 2.0
"""seconds that a busy machine may add to a client's wait"""
LAG = 0.5
"""seconds for which a busy machine may keep those who are sent away, and then send all of them"""
WINDOW = 0.5
"""seconds in which no more go than the pace allows"""
VISITORS = 2
MOST_AT_ONCE = 0.4
"""the share of an instance's clients that may be told to come within the same 0.25 seconds"""


@attrs.frozen
class Wave:
    """One instance is stopped and started again."""

    who: frozenset[str]
    """Who was on it."""
    since: float
    until: float
    """When everybody was back."""


@attrs.frozen
class Return:
    """One client was sent away."""

    at: float
    """When, in seconds after the stop."""
    retry: float
    """For how many seconds."""
    back: float
    """When it came again, in seconds after the stop."""


def held():
    """A socket that somebody holds, as systemd does, and hands to both."""
    return socket.create_server(("127.0.0.1", 0), backlog=4096)


async def visit(port, answers):
    """Connect again and again, for ever; whoever is refused or reset fails the test."""
    while True:
        answers.append(await get_health(port))
        await trio.sleep(0.01)


async def everybody(town):
    """Wait until everybody is there; return the names of those on each node."""
    names = {person.user_id: person.name for person in town.people}
    with trio.fail_after(PATIENCE):
        while True:
            there = {
                name: frozenset(names[each] for each in await node.users())
                for name, node in town.nodes.running.items()
            }
            count = sum(map(len, there.values()))
            if count == len(names) == len(frozenset.union(*there.values())):
                return there
            await trio.sleep(0.1)


async def seat_some_on_each(town):
    """Have people come anew until so many are on each node; return who is where.

    Where two accept from one socket, the kernel may give nearly all to one of them.
    """
    lines = town.town.lines
    with trio.fail_after(PATIENCE):
        while min(map(len, (there := await everybody(town)).values())) < LEAST:
            crowd = sorted(max(there.values(), key=len))[: 2 * LEAST]
            old = {who: lines[who] for who in crowd}
            for line in old.values():
                line.close()
            await until(lambda old=old: all(lines[who] is not old[who] for who in old))
    return there


def returns(town, wave):
    """Return how those on the stopped instance left and came back; nobody else left."""
    found = []
    for person in town.people:
        mine = [
            note
            for note in town.notes("told to go", "over", "dialled")
            if note.who == person.name and wave.since < note.at < wave.until
        ]
        told = ["told to go"] if isinstance(person, Citizen) else []
        expected = [*told, "over", "dialled"] if person.name in wave.who else []
        assert [note.what for note in mine] == expected, (person.name, mine)
        if not mine:
            continue
        *notices, over, back = mine
        retry = over.details["retry"]
        assert over.details["why"] == RESTART
        assert all(notice.details["retry"] == retry for notice in notices)
        assert 0 <= back.at - over.at - retry < SLACK
        found.append(Return(over.at - wave.since, retry, back.at - wave.since))
    return found


def most_within(seconds, times):
    """Return how many of these lie within so many seconds of each other."""
    return max(sum(begin <= each < begin + seconds for each in times) for begin in times)


@pytest.mark.parametrize("hold", [held, nullcontext], ids=["held", "reuse_port"])
async def test_a_rolling_restart_loses_nothing_and_disturbs_nobody_else(
    world, valkey, hold, request
):
    """Who is on the one that stops is sent away once, at an even pace, and goes on."""
    waves: list[Wave] = []
    answers: list[int] = []
    with hold() as held_one:
        keep = [held_one] if held_one else []
        async with (
            world(
                valkey=valkey,
                keep=keep,
                shares_port=True,
                DRAIN_SPREAD=f"{SPREAD}s",
                # On a busy machine Redis may be slow for a moment, which is not what this is about.
                REDIS_TIMEOUT="10s",
            ) as town,
            trio.open_nursery() as visiting,
        ):
            for _ in range(VISITORS):
                visiting.start_soon(visit, town.nodes.all[0].port, answers)
            await town.stored(100)
            for name in town.nodes.running.copy():
                there = await seat_some_on_each(town)
                began = town.chronicle.now()
                await town.nodes.stop(name)
                await town.nodes.start(name)
                await town.stored(100)
                await everybody(town)
                waves.append(Wave(there[name], began, town.chronicle.now()))
            visiting.cancel_scope.cancel()

    assert set(answers) == {200}
    assert not town.notes("refused entry", "turned away")
    assert not town.notes("resync")
    assert not town.notes("welcomed", recovered=False, new=False)
    came = [returns(town, wave) for wave in waves]
    for wave in came:
        left, all_of_them = [each.at for each in wave], len(wave)
        assert all_of_them >= LEAST
        assert SPREAD - LAG < max(left) - min(left) < SPREAD + SLACK
        share = (WINDOW + LAG) / SPREAD
        assert most_within(WINDOW, left) < share * all_of_them + 2
        assert most_within(0.25, [each.retry for each in wave]) < MOST_AT_ONCE * all_of_them
    if path := request.config.getoption("--histogram"):
        path.write_text(draw([[each.back for each in wave] for wave in came]))

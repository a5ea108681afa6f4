"""Two instances behind one port, replaced one after the other under load."""

from __future__ import annotations

import socket
from contextlib import nullcontext
from itertools import pairwise

import pytest
import trio

from cluster.histogram import draw
from fixtures.systemd import get_health

RESTART = 1012
SLACK = 2.0
"""seconds that a busy machine may add to a client's wait"""
VISITORS = 2
MOST_AT_ONCE = 0.4
"""the share of an instance's clients that may be told to come within the same 0.25 seconds"""


def held():
    """A socket that somebody holds, as systemd does, and hands to both."""
    return socket.create_server(("127.0.0.1", 0), backlog=4096)


async def visit(port, answers):
    """Connect again and again, for ever; whoever is refused or reset fails the test."""
    while True:
        answers.append(await get_health(port))
        await trio.sleep(0.01)


def returns(town, since, until):
    """Return who was sent away: seconds they were told to wait, seconds at which they came back.

    Nobody came before the time it was told.
    """
    came = []
    for person in town.people:
        mine = [note for note in town.notes("over", "dialled") if note.who == person.name]
        for over, back in pairwise(mine):
            if over.what == "over" and over.details["why"] == RESTART and since < over.at < until:
                assert 0 <= back.at - over.at - over.details["retry"] < SLACK
                came.append((over.details["retry"], back.at - since))
    return came


@pytest.mark.parametrize("hold", [held, nullcontext], ids=["held", "reuse_port"])
async def test_a_rolling_restart_loses_nothing_and_turns_nobody_away(world, valkey, hold, request):
    """Everybody is sent away once, comes back when told, at an even pace, and goes on."""
    stops: list[float] = []
    answers: list[int] = []
    with hold() as held_one:
        keep = [held_one] if held_one else []
        async with (
            world(valkey=valkey, keep=keep, shares_port=True) as town,
            trio.open_nursery() as visiting,
        ):
            for _ in range(VISITORS):
                visiting.start_soon(visit, town.nodes.all[0].port, answers)
            await town.stored(100)
            for name in town.nodes.running.copy():
                stops.append(town.chronicle.now())
                await town.nodes.stop(name)
                await town.nodes.start(name)
                await town.stored(100)
            stops.append(town.chronicle.now())
            visiting.cancel_scope.cancel()

    assert set(answers) == {200}
    assert not town.notes("refused entry", "turned away")
    assert not town.notes("resync")
    assert not town.notes("welcomed", recovered=False, new=False)
    waves = [returns(town, since, until) for since, until in pairwise(stops)]
    assert sum(map(len, waves)) > len(town.people) / 2
    # Where two accept from one socket, the kernel may give nearly all to one of them.
    for came in [each for each in waves if len(each) > len(town.people) / 5]:
        for begin, _ in came:
            at_once = sum(begin <= told < begin + 0.25 for told, _ in came)
            assert at_once < MOST_AT_ONCE * len(came)
    if path := request.config.getoption("--histogram"):
        path.write_text(draw([[at for _, at in came] for came in waves]))

"""Laws of the vigil: who goes without a goodbye is missed, by nobody who was late itself."""

from __future__ import annotations

import pytest

from gogate_trio.cluster.base import Pulse
from gogate_trio.cluster.vigil import Vigil
from gogate_trio.metrics import Metrics

PULSE = Pulse(beat=1, lease=10)
PATIENCE = 11


@pytest.fixture
def metrics():
    """What is counted."""
    return Metrics()


@pytest.fixture
def vigil(metrics):
    """A vigil that finds node c missing."""

    async def mourn():
        return ["c"]

    return Vigil(PULSE, metrics, mourn)


async def watch(vigil, begin, *, missing=0):
    """Be punctual for as long as it takes."""
    for now in range(begin, begin + PATIENCE):
        await vigil.look(1, missing, now)


async def test_who_is_missing_is_mourned_at_once_by_who_was_punctual(vigil, metrics):
    """And while nobody is, nothing is said."""
    await watch(vigil, 0)
    await vigil.look(1, 0, 20)
    assert metrics.lost_nodes == 0

    await vigil.look(1, 1, 21)
    assert metrics.lost_nodes == 1


async def test_a_newcomer_waits_until_whoever_lives_has_been_seen(vigil, metrics):
    """After an outage every lease is over, and the first one back sees nobody else."""
    await vigil.look(-1, 3, 0)
    await watch(vigil, 0, missing=3)
    assert metrics.lost_nodes == 0

    await vigil.look(1, 1, PATIENCE)
    assert metrics.lost_nodes == 1


async def test_an_outage_gives_everybody_time_anew(vigil, metrics):
    """A beat that came through in the middle of it counts for nothing."""
    await watch(vigil, 0)
    vigil.lose_sight()
    await vigil.look(1, 1, 20)
    vigil.lose_sight()
    await watch(vigil, 25, missing=1)
    assert metrics.lost_nodes == 0

    await vigil.look(1, 1, 25 + PATIENCE)
    assert metrics.lost_nodes == 1


@pytest.mark.parametrize("ago", [6, 100, -1])
async def test_who_was_late_itself_misses_nobody(vigil, metrics, ago):
    """It was stopped, or Redis was: so may the others have been, and no call has failed."""
    await watch(vigil, 0)
    await vigil.look(ago, 1, 20)
    await watch(vigil, 20, missing=1)
    assert metrics.lost_nodes == 0

    await vigil.look(1, 1, 20 + PATIENCE)
    assert metrics.lost_nodes == 1

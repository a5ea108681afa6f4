"""Nothing is lost silently, whatever goes wrong: many seeds, and gateways that are broken."""

from __future__ import annotations

from functools import cache

import pytest

from simulation.mutations import MUTATIONS
from simulation.world import simulate

SEEDS = 200
BATCH = 20

verdict_of = cache(simulate)


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_no_law_is_broken(first):
    """Not in any of CI's seeds; one that fails says what happened and happens again."""
    for seed in range(first, first + BATCH):
        verdict = verdict_of(seed)

        assert not verdict.breaches, verdict.story()


def test_a_seed_happens_the_same_way_again():
    """To the last word of its story, so a failure can be looked at as often as one likes."""
    one, again = simulate(SEEDS), simulate(SEEDS)

    assert one.chronicle.story() == again.chronicle.story()
    assert len(one.chronicle.notes) > 100
    assert simulate(SEEDS + 1).chronicle.story() != one.chronicle.story()


def test_enough_goes_wrong():
    """The seeds meet everything that they are there for."""
    seen = set()
    for seed in range(BATCH):
        for note in verdict_of(seed).chronicle.notes:
            seen.add((note.what, note.details.get("recovered"), note.details.get("fate")))
            seen.add((note.what, note.details.get("how") or note.details.get("why")))

    assert {
        ("welcomed", True, None),
        ("welcomed", False, None),
        ("resync", None, None),
        ("refused", None, None),
        ("kill", None, None),
        ("clock", None, None),
        ("called", None, "refused dial"),
        ("called", None, "done, and no answer"),
        ("breaks", "reset"),
        ("breaks", "hiccup"),
        ("over", 4408),
        ("over", 4410),
        ("audience_unknown", None, None),
    } <= seen


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_broken_gateway_is_caught(mutation):
    """Within CI's seeds, and by the law that it breaks."""
    for seed in range(SEEDS):
        with mutation():
            verdict = simulate(seed)
        caught = {breach.law for breach in verdict.breaches}
        if caught & MUTATIONS[mutation]:
            assert str(verdict.seed) in verdict.story().partition("\n")[0]
            return
    pytest.fail("nothing was noticed")

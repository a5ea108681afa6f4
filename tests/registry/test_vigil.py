"""Laws of the vigil: who does not come back after an outage is missed, once."""

from __future__ import annotations

from gogate_trio.cluster.vigil import Vigil


def test_nobody_is_missed_without_an_outage():
    """Whoever goes while Redis is there has told everything."""
    vigil = Vigil(10)
    vigil.see({"a", "b"}, 0)

    assert vigil.see({"a"}, 100) == frozenset()


def test_who_does_not_come_back_in_time_is_missed_once():
    """Not before the others have had time to show themselves."""
    vigil = Vigil(10)
    vigil.see({"a", "b", "c"}, 0)
    vigil.lose_sight()

    assert vigil.see({"a"}, 50) == frozenset()
    assert vigil.see({"a", "b"}, 59) == frozenset()
    assert vigil.see({"a", "b"}, 60) == {"c"}
    assert vigil.see({"a", "b"}, 61) == frozenset()


def test_an_outage_that_goes_on_gives_everybody_time_anew():
    """A beat that came through in the middle of it counts for nothing."""
    vigil = Vigil(10)
    vigil.see({"a", "b"}, 0)
    vigil.lose_sight()
    vigil.see({"a"}, 5)
    vigil.lose_sight()

    assert vigil.see({"a"}, 16) == frozenset()
    assert vigil.see({"a", "b"}, 20) == frozenset()
    assert vigil.see({"a", "b"}, 30) == frozenset()


def test_who_is_vouched_for_a_little_longer_is_missed_all_the_same():
    """A lease outlives whoever was killed."""
    vigil = Vigil(10)
    vigil.see({"a", "b"}, 0)
    vigil.lose_sight()

    assert vigil.see({"a", "b"}, 50) == frozenset()
    assert vigil.see({"a"}, 60) == {"b"}

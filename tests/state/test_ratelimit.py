"""Laws of the rate limiter, whatever the rate and whenever somebody comes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.state.ratelimit import Limiter, Rate

NOISE = 2e-3
"""events: what floating point and the limiter's own tolerance may add"""

rates = st.builds(
    Rate, st.floats(0.01, 1000.0, allow_nan=False, allow_infinity=False), st.integers(1, 50)
)
gaps = st.lists(
    st.floats(0.0, 100.0, allow_nan=False, allow_infinity=False), min_size=1, max_size=120
)
starts = st.floats(0.0, 1e6, allow_nan=False)
"""A clock may begin anywhere."""


def moments(start, rate, gaps):
    """Times that are about as far apart as the rate's interval."""
    now = start
    for gap in gaps:
        now += gap * rate.interval / 10
        yield now


@given(rates, starts, gaps)
def test_no_window_holds_more_than_the_burst_and_its_share_of_the_rate(rate, start, gaps):
    """Between any two moments pass at most ``burst + rate * time``."""
    limiter = Limiter[str](rate)
    passed = [now for now in moments(start, rate, gaps) if not limiter.take("k", now)]

    for first, begin in enumerate(passed):
        for last in range(first, len(passed)):
            allowed = rate.burst + (passed[last] - begin) * rate.per_second
            assert last - first + 1 <= allowed + NOISE


@given(rates, starts, st.integers(1, 200))
def test_who_keeps_the_pace_is_never_refused(rate, start, count):
    """One at each interval, for ever, whatever the burst."""
    limiter = Limiter[str](rate)

    assert not any(limiter.take("k", start + n * rate.interval) for n in range(count))


@given(rates, starts)
def test_a_whole_burst_may_come_at_once_and_not_one_more(rate, start):
    """The last of it is not lost to rounding."""
    limiter = Limiter[str](rate)
    waits = [limiter.take("k", start) for _ in range(rate.burst + 1)]

    assert waits[:-1] == [0.0] * rate.burst
    assert waits[-1] > 0


@given(rates, starts, gaps)
def test_who_waits_as_long_as_told_is_let_through(rate, start, gaps):
    """The wait that is returned is enough, and never more than one interval for one event."""
    limiter = Limiter[str](rate)
    for now in moments(start, rate, gaps):
        if wait := limiter.take("k", now):
            assert wait <= rate.interval * (1 + NOISE)
            assert not _copy(limiter).take("k", now + wait)


@given(rates, starts, gaps)
def test_a_refusal_costs_nothing(rate, start, gaps):
    """Who is refused again and again waits no longer for it."""
    patient, pushy = Limiter[str](rate), Limiter[str](rate)
    for now in moments(start, rate, gaps):
        wait = patient.take("k", now)

        assert pushy.take("k", now) == wait
        if wait:
            assert pushy.take("k", now) == wait


@given(rates, starts, st.integers(2, 50))
def test_several_at_once_cost_what_they_would_one_by_one(rate, start, count):
    """All of them pass or none does."""
    together, single = Limiter[str](rate), Limiter[str](rate)
    wait = together.take("k", start, count)
    passed = [not single.take("k", start) for _ in range(count)]

    assert (wait == 0.0) is all(passed)


@given(rates, starts, gaps)
def test_keys_do_not_know_of_each_other(rate, start, gaps):
    """What one does leaves another's bucket as it was."""
    alone, beside = Limiter[str](rate), Limiter[str](rate)
    for now in moments(start, rate, gaps):
        beside.take("other", now, 3)

        assert beside.take("k", now) == alone.take("k", now)


@given(st.integers(1, 40), st.lists(st.tuples(st.integers(0, 200), st.floats(0.0, 0.5))))
def test_no_more_keys_are_remembered_than_there_is_room_for(capacity, visits):
    """Whoever comes, with whatever key."""
    limiter, now = Limiter[int](Rate(1.0, 3), capacity), 0.0
    for key, gap in visits:
        now += gap
        limiter.take(key, now)

        assert len(limiter) <= capacity


def test_who_is_full_again_is_forgotten_first():
    """Forgetting a full bucket changes nothing for anybody."""
    limiter = Limiter[str](Rate(1.0, 2), capacity=20)
    for n in range(19):
        limiter.take(f"early {n}", 0.0)
    limiter.take("busy", 1.5)
    limiter.take("busy", 1.5)

    limiter.take("new", 1.5)

    assert len(limiter) == 2
    assert limiter.take("busy", 1.5)


def test_a_crowd_does_not_make_the_limiter_forget_a_flooder():
    """When all are busy, those go that are nearest to being full: who has taken most stays."""
    limiter = Limiter[str](Rate(1.0, 10), capacity=100)
    for _ in range(10):
        limiter.take("flooder", 0.0)

    for n in range(1000):
        limiter.take(f"crowd {n}", 0.0)

    assert limiter.take("flooder", 0.0)


def test_making_room_is_rare():
    """A full limiter looks through its keys once for many new ones, also when few are full again.

    Else a hundred thousand keys would be looked through for each newcomer.
    """
    limiter = Limiter[str](Rate(1.0, 1), capacity=100)
    looks = []
    forget = limiter._forget
    limiter._forget = lambda now: (looks.append(now), forget(now))
    for n in range(100):
        limiter.take(f"one {n}", n / 1000)

    for n in range(100):
        limiter.take(f"two {n}", 1.0 + n / 1000)

    assert len(looks) <= 11


def test_without_a_rate_everything_passes_and_nothing_is_remembered():
    """``off`` costs no memory."""
    limiter = Limiter[str](None)

    assert not any(limiter.take("k", 0.0, 1000) for _ in range(1000))
    assert len(limiter) == 0


def _copy(limiter):
    copy = Limiter(limiter._rate, limiter._capacity)
    copy._arrivals = dict(limiter._arrivals)
    return copy

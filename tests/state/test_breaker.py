"""The laws of the circuit breaker, in a time of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.limits import (
    BREAKER_CALLS,
    BREAKER_LONGEST_PAUSE_SECONDS,
    BREAKER_PAUSE_SECONDS,
    BREAKER_PROBES,
    BREAKER_QUESTIONS_FIRST_SECONDS,
    BREAKER_WINDOW_SECONDS,
)
from gogate_trio.state.breaker import Breaker, Circuit, Verdict

ANSWERED, FAILED, NOTHING = Verdict.ANSWERED, Verdict.FAILED, Verdict.NOTHING
START = 1000.0


def longest(_low: float, high: float) -> float:
    """Draw no lots: every pause is as long as it may be."""
    return high


@pytest.fixture
def breaker():
    """A breaker whose pauses are known."""
    return Breaker(longest)


def end(breaker: Breaker, *verdicts: Verdict, at: float = START) -> None:
    """Let calls come and end one after the other."""
    for verdict in verdicts:
        era = breaker.admit(at, harmless=True)
        assert era is not None
        breaker.settle(era, verdict, at)


def opened(breaker: Breaker, *, at: float = START) -> Breaker:
    """Open it."""
    end(breaker, *[FAILED] * BREAKER_CALLS, at=at)
    assert breaker.state is Circuit.OPEN
    return breaker


def half_open(breaker: Breaker) -> float:
    """Open it and wait for the end of the pause: the time it is then."""
    opened(breaker)
    return START + BREAKER_PAUSE_SECONDS


def test_a_breaker_begins_closed(breaker):
    """A backend nobody has asked yet is there."""
    assert breaker.state is Circuit.CLOSED
    assert breaker.admit(START, harmless=False) is not None


def test_ten_failures_open_it_and_nine_do_not(breaker):
    """Too few calls prove nothing, however they ended."""
    end(breaker, *[FAILED] * (BREAKER_CALLS - 1))
    assert breaker.state is Circuit.CLOSED

    end(breaker, FAILED)
    assert (breaker.state, breaker.opened) == (Circuit.OPEN, 1)


@pytest.mark.parametrize(("failed", "state"), [(7, Circuit.CLOSED), (8, Circuit.OPEN)])
def test_it_opens_at_four_failures_of_five(breaker, failed, state):
    """What still answers now and then is not away."""
    end(breaker, *[ANSWERED] * (10 - failed), *[FAILED] * failed)

    assert breaker.state is state


def test_a_success_never_opens_it(breaker):
    """Only a failure is looked at: the tenth call may be the first good one."""
    end(breaker, *[FAILED] * 9, ANSWERED)

    assert breaker.state is Circuit.CLOSED


def test_what_ended_long_ago_is_forgotten(breaker):
    """Nine failures and, after the window, one more are no outage."""
    end(breaker, *[FAILED] * 9)
    end(breaker, FAILED, at=START + BREAKER_WINDOW_SECONDS + 1)

    assert breaker.state is Circuit.CLOSED


def test_failures_across_the_window_are_seen_together(breaker):
    """Calls that fail once a second are as bad as ten that fail at once."""
    for second in range(10):
        end(breaker, FAILED, at=START + second * 0.99)

    assert breaker.state is Circuit.OPEN


def test_old_successes_do_not_hide_an_outage(breaker):
    """What went well before the window counts no more."""
    end(breaker, *[ANSWERED] * 1000)
    end(breaker, *[FAILED] * 10, at=START + BREAKER_WINDOW_SECONDS + 1)

    assert breaker.state is Circuit.OPEN


def test_calls_given_up_by_ourselves_say_nothing(breaker):
    """They count neither as failures nor as calls."""
    end(breaker, *[NOTHING] * 100)
    end(breaker, *[FAILED] * 9)

    assert breaker.state is Circuit.CLOSED


def test_nothing_goes_while_it_is_open(breaker):
    """Until the pause is over, neither questions nor deeds."""
    opened(breaker)

    for moment in (START, START + BREAKER_PAUSE_SECONDS - 0.001):
        for harmless in (True, False):
            assert breaker.admit(moment, harmless=harmless) is None
    assert breaker.pause_left(START) == BREAKER_PAUSE_SECONDS


def test_after_the_pause_a_few_questions_go(breaker):
    """So many probes at once, and no more until one has ended."""
    now = half_open(breaker)
    eras = [breaker.admit(now, harmless=True) for _ in range(BREAKER_PROBES + 2)]

    assert breaker.state is Circuit.HALF_OPEN
    assert [era is not None for era in eras] == [True] * BREAKER_PROBES + [False] * 2
    assert breaker.pause_left(now) == 0


def test_a_probe_given_up_leaves_its_place(breaker):
    """Else a cancelled probe would keep it half open for ever."""
    now = half_open(breaker)
    eras = [breaker.admit(now, harmless=True) for _ in range(BREAKER_PROBES)]
    breaker.settle(eras[0], NOTHING, now)

    assert breaker.state is Circuit.HALF_OPEN
    assert breaker.admit(now, harmless=True) is not None


def test_a_deed_probes_only_when_no_question_comes(breaker):
    """Whoever sends a probe that changes something may not learn whether it did."""
    now = half_open(breaker)
    assert breaker.admit(now, harmless=False) is None

    later = now + BREAKER_QUESTIONS_FIRST_SECONDS
    assert breaker.admit(later, harmless=False) is not None
    assert breaker.admit(later, harmless=False) is None


def test_a_deed_does_not_probe_beside_a_question(breaker):
    """The question's answer is worth waiting for."""
    now = half_open(breaker)
    breaker.admit(now, harmless=True)

    assert breaker.admit(now + 60, harmless=False) is None


def test_the_first_success_closes_it(breaker):
    """And everybody goes again; what failed before counts no more."""
    now = half_open(breaker)
    end(breaker, ANSWERED, at=now)

    assert breaker.state is Circuit.CLOSED
    end(breaker, *[FAILED] * 9, at=now)
    assert breaker.state is Circuit.CLOSED


def test_each_failed_probe_doubles_the_pause_up_to_a_cap(breaker):
    """A backend that stays away is asked ever more seldom, but never less than so often."""
    now = half_open(breaker)
    pauses = []
    for _ in range(8):
        end(breaker, FAILED, at=now)
        pauses.append(breaker.pause_left(now))
        now += pauses[-1]

    assert pauses == [2, 4, 8, 16, *[BREAKER_LONGEST_PAUSE_SECONDS] * 4]


def test_a_success_makes_the_pause_short_again(breaker):
    """The next outage is another one."""
    now = half_open(breaker)
    end(breaker, FAILED, at=now)
    now += breaker.pause_left(now)
    end(breaker, ANSWERED, at=now)
    opened(breaker, at=now)

    assert breaker.pause_left(now) == BREAKER_PAUSE_SECONDS
    assert breaker.opened == 3


def test_the_pause_is_drawn_from_its_upper_half():
    """Nodes that lost the backend together do not come back together, nor at once."""
    asked = []

    def spread(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    breaker = opened(Breaker(spread))

    assert asked == [(BREAKER_PAUSE_SECONDS / 2, BREAKER_PAUSE_SECONDS)]
    assert breaker.pause_left(START) == BREAKER_PAUSE_SECONDS / 2


def test_a_call_from_before_says_nothing_about_now(breaker):
    """What began while it was closed neither closes nor opens it afterwards."""
    late = [breaker.admit(START, harmless=True) for _ in range(20)]
    now = half_open(breaker)
    breaker.settle(late[0], ANSWERED, START)
    assert breaker.state is Circuit.OPEN

    probe = breaker.admit(now, harmless=True)
    breaker.settle(late[1], FAILED, now)
    breaker.settle(late[2], ANSWERED, now)
    assert breaker.state is Circuit.HALF_OPEN

    breaker.settle(probe, ANSWERED, now)
    for era in late[3:]:
        breaker.settle(era, FAILED, now)
    assert breaker.state is Circuit.CLOSED


def test_probes_that_end_after_the_first_change_nothing(breaker):
    """The first one decides; the others are from before."""
    now = half_open(breaker)
    eras = [breaker.admit(now, harmless=True) for _ in range(3)]
    breaker.settle(eras[0], FAILED, now)
    pause = breaker.pause_left(now)
    breaker.settle(eras[1], ANSWERED, now)
    breaker.settle(eras[2], FAILED, now)

    assert breaker.state is Circuit.OPEN
    assert breaker.pause_left(now) == pause


@given(
    st.lists(
        st.tuples(
            st.floats(0, 40),
            st.booleans(),
            st.sampled_from(Verdict),
            st.integers(0, 3),
        ),
        max_size=120,
    )
)
def test_whatever_happens_it_lets_somebody_go_in_the_end(steps):
    """No order of calls and ends locks it: after the longest pause a question goes."""
    breaker = Breaker(longest)
    now = START
    under_way = []
    for wait, harmless, verdict, index in steps:
        now += wait
        era = breaker.admit(now, harmless=harmless)
        if era is not None:
            under_way.append(era)
        if index < len(under_way):
            breaker.settle(under_way.pop(index), verdict, now)
    while under_way:
        breaker.settle(under_way.pop(), NOTHING, now)

    now += BREAKER_LONGEST_PAUSE_SECONDS
    assert breaker.admit(now, harmless=True) is not None

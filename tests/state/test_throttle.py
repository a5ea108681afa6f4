"""Laws of the pace of commands: which bucket something is taken from."""

from __future__ import annotations

from gogate_trio.limits import EXCESS_TYPING, STRIKES, STRIKES_PER_SECOND
from gogate_trio.state.ratelimit import Rate
from gogate_trio.state.throttle import Throttle

ONCE = {"typing": Rate(1.0, 1), "auth": Rate(1.0, 1), "send_message": None}


def test_each_kind_of_command_has_a_bucket_of_its_own():
    """Who types too fast may still authenticate."""
    throttle = Throttle(ONCE)

    assert throttle.wait("typing", 1, 0.0) == 0.0
    assert throttle.wait("typing", 1, 0.0) == 1.0
    assert throttle.wait("auth", 1, 0.0) == 0.0


def test_each_key_has_a_bucket_of_its_own():
    """One user's haste is nobody else's."""
    throttle = Throttle(ONCE)
    throttle.wait("typing", 1, 0.0)

    assert throttle.wait("typing", 2, 0.0) == 0.0


def test_a_rate_that_is_off_never_makes_anybody_wait():
    """However many."""
    throttle = Throttle(ONCE)

    assert not any(throttle.wait("send_message", 1, 0.0) for _ in range(1000))


def test_several_may_be_taken_at_once():
    """As with frames that came in one read."""
    throttle = Throttle({"control": Rate(10.0, 20)})

    assert throttle.wait("control", 1, 0.0, count=20) == 0.0
    assert throttle.wait("control", 1, 0.0, count=5) == 0.5


def test_a_hundred_strikes_at_once_are_forgiven_and_one_more_is_not():
    """A bug in a client's loop shows it in seconds, a slip of a hundred does not end it."""
    throttle = Throttle({})
    struck = [throttle.strike(7, 0.0) for _ in range(STRIKES + 1)]

    assert struck == [False] * STRIKES + [True]


def test_a_few_strikes_a_second_are_forgiven_for_ever():
    """An hour of a client that is merely wrong."""
    throttle, steps = Throttle({}), 3600 * int(STRIKES_PER_SECOND)

    assert not any(throttle.strike(7, n / STRIKES_PER_SECOND) for n in range(steps))


def test_strikes_are_the_connection_s_own():
    """Another connection, also of the same user, has done nothing."""
    throttle = Throttle({})
    for _ in range(STRIKES + 1):
        throttle.strike(7, 0.0)

    assert not throttle.strike(8, 0.0)


def test_typing_in_excess_is_counted_beside_the_strikes():
    """A held key is no mistake; only the sheer number of them is held against a connection."""
    throttle = Throttle({})
    noted = [throttle.excess(7, 0.0) for _ in range(EXCESS_TYPING + 1)]

    assert noted == [False] * EXCESS_TYPING + [True]
    assert not throttle.strike(7, 0.0)
    assert not throttle.excess(8, 0.0)

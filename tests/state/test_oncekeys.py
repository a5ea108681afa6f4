"""Keys of what is done once: claimed by the first, free after their time."""

from __future__ import annotations

from gogate_trio.limits import IDEMPOTENCY_SECONDS
from gogate_trio.state.oncekeys import OnceKeys


def test_the_first_has_it():
    """And nobody else, however often they ask; other keys are others'."""
    keys = OnceKeys()

    assert keys.claim("a", 0.0)
    assert not keys.claim("a", 1.0)
    assert keys.claim("b", 1.0)


def test_a_key_is_free_again_after_its_time():
    """To the second, and it is no longer remembered; asking in between prolongs nothing."""
    keys = OnceKeys()
    keys.claim("a", 0.0)
    assert not keys.claim("a", IDEMPOTENCY_SECONDS - 1)
    assert keys.claim("b", IDEMPOTENCY_SECONDS)

    assert len(keys) == 1
    assert keys.claim("a", IDEMPOTENCY_SECONDS)


def test_a_key_that_came_to_nothing_is_given_back():
    """Whoever tries again is the first."""
    keys = OnceKeys()
    keys.claim("a", 0.0)
    keys.release("a")

    assert keys.claim("a", 0.0)


def test_so_many_are_remembered_and_the_oldest_goes_first():
    """However many come."""
    keys = OnceKeys(capacity=2)
    for key in "abc":
        keys.claim(key, 0.0)

    assert len(keys) == 2
    assert not keys.claim("b", 0.0)
    assert keys.claim("a", 0.0)

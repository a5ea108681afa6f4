"""Sessions, and the outcomes of their commands."""

from __future__ import annotations

import re

import pytest

from gogate_trio.limits import OUTCOME_SECONDS, OUTCOMES, SESSIONS
from gogate_trio.state.history import Position
from gogate_trio.state.sessions import Claim, Outcomes, Sessions

JO, AL = 1, 2
WINDOW = 1000.0


def sessions(window=WINDOW):
    """An empty register."""
    return Sessions[str, str](window)


def leave(register, session, *, at=0.0, told_to=0, listened_to=None):
    """Take a connection out."""
    register.leave(session, told_to=told_to, listened_to=listened_to, now=at)


# ── outcomes ─────────────────────────────────────────────────────────────────


def test_the_first_to_name_a_command_does_it_and_later_ones_get_its_outcome():
    """Each name once; a number and a text are two names."""
    outcomes = Outcomes[str, str]()

    assert outcomes.claim(1, "a", 0.0) is Claim.MINE
    assert outcomes.claim("1", "a", 0.0) is Claim.MINE
    assert outcomes.settle(1, "done", 1.0) == []
    assert outcomes.claim(1, "b", 2.0) == "done"
    assert outcomes.claim("1", "b", 2.0) is Claim.JOINED


def test_who_comes_while_it_is_under_way_is_told_with_the_first():
    """In the order in which they came, and once."""
    outcomes = Outcomes[str, str]()
    outcomes.claim("x", "a", 0.0)
    for waiter in ("b", "c"):
        assert outcomes.claim("x", waiter, 0.0) is Claim.JOINED

    assert outcomes.settle("x", "done", 1.0) == ["b", "c"]
    assert outcomes.claim("x", "d", 2.0) == "done"


def test_what_has_not_happened_may_be_named_again():
    """Who has joined learns that."""
    outcomes = Outcomes[str, str]()
    outcomes.claim("x", "a", 0.0)
    outcomes.claim("x", "b", 0.0)

    assert outcomes.release("x") == ["b"]
    assert outcomes.claim("x", "a", 1.0) is Claim.MINE


def test_an_outcome_counts_for_five_minutes_from_when_it_was_known():
    """To the second."""
    outcomes = Outcomes[str, str]()
    outcomes.claim("x", "a", 0.0)
    outcomes.settle("x", "done", 50.0)

    assert OUTCOME_SECONDS == 300.0
    assert outcomes.claim("x", "b", 350.0) == "done"
    assert outcomes.claim("x", "b", 350.1) is Claim.MINE


def test_only_so_many_outcomes_are_kept():
    """The oldest goes first."""
    outcomes = Outcomes[int, str]()
    for number in range(OUTCOMES + 1):
        outcomes.claim(number, "a", 0.0)
        outcomes.settle(number, number, 0.0)

    assert len(outcomes) == OUTCOMES
    assert outcomes.claim(1, "b", 0.0) == 1
    assert outcomes.claim(0, "b", 0.0) is Claim.MINE


def test_what_is_under_way_is_never_forgotten():
    """However long it takes, and however much is done meanwhile."""
    outcomes = Outcomes[int, str]()
    outcomes.claim("slow", "a", 0.0)
    for number in range(2 * OUTCOMES):
        outcomes.claim(number, "a", 1.0)
        outcomes.settle(number, number, 1.0)

    assert outcomes.claim("slow", "b", 2 * OUTCOME_SECONDS) is Claim.JOINED
    assert outcomes.settle("slow", 1, 2 * OUTCOME_SECONDS) == ["b"]
    outcomes.claim("next", "a", 2 * OUTCOME_SECONDS)
    assert len(outcomes) <= OUTCOMES


# ── sessions ─────────────────────────────────────────────────────────────────


def test_a_session_has_a_name_that_nobody_guesses():
    """128 random bits; and its commands are scoped by it."""
    register = sessions()
    opened = [register.open(JO, 0.0) for _ in range(100)]

    assert len({each.session_id for each in opened}) == 100
    assert all(re.fullmatch(r"[\w-]{22}", each.session_id) for each in opened)
    assert all(each.outcomes.scope == each.session_id for each in opened)


def test_its_user_may_go_on_with_it_and_nobody_else():
    """Whether somebody is connected or not."""
    register = sessions()
    session = register.open(JO, 0.0)
    for _ in range(2):
        assert register.resume(session.session_id, AL, 1.0) is None
        assert not register.is_of(session.session_id, AL)
        assert register.is_known(session.session_id)
        assert register.is_of(session.session_id, JO)
        leave(register, session)

        assert register.resume(session.session_id, JO, 1.0) is session


def test_a_session_without_a_connection_lives_for_the_window():
    """It counts from when the last one ended."""
    register = sessions()
    session = register.open(JO, 0.0)
    register.resume(session.session_id, JO, 5.0)
    leave(register, session, at=10.0)
    assert register.resume(session.session_id, JO, 10.0 + 2 * WINDOW) is session
    leave(register, session, at=5000.0)
    leave(register, session, at=6000.0)

    assert register.resume(session.session_id, JO, 6000.0 + WINDOW) is session
    leave(register, session, at=7000.0)
    assert register.resume(session.session_id, JO, 7000.1 + WINDOW) is None
    assert not register.is_known(session.session_id)


def test_a_session_lives_as_long_as_its_outcomes_count():
    """However short the window is: a repetition would be done twice."""
    register = sessions(window=1.0)
    session = register.open(JO, 0.0)
    leave(register, session, at=0.0)

    assert register.resume(session.session_id, JO, OUTCOME_SECONDS) is session


def test_only_so_many_sessions_are_remembered():
    """The one that has been away longest goes first; who is connected stays."""
    register = sessions()
    here = register.open(JO, 0.0)
    away = [register.open(JO, 0.0) for _ in range(3)]
    for at, session in enumerate(away):
        leave(register, session, at=float(at))
    for _ in range(SESSIONS - 3):
        register.open(AL, 10.0)

    assert len(register) == SESSIONS
    assert register.is_known(here.session_id)
    assert [register.is_known(each.session_id) for each in away] == [False, True, True]


def test_a_session_of_another_node_keeps_its_name():
    """So its commands are called the same before the backend."""
    register = sessions()
    elsewhere = sessions().open(JO, 0.0).session_id
    session = register.open(JO, 0.0, name=elsewhere)

    assert session.session_id == session.outcomes.scope == elsewhere
    assert register.resume(elsewhere, JO, 1.0) is session


@pytest.mark.parametrize("name", ["", "x", "x" * 21, "x" * 23, "x" * 21 + "é", "x" * 21 + "\n"])
def test_a_name_that_no_node_can_have_given_is_not_kept(name):
    """A client has no say in it."""
    assert sessions().open(JO, 0.0, name=name).session_id != name


def test_a_name_that_is_taken_is_not_given_twice():
    """Not even to the same user."""
    register = sessions()
    first = register.open(JO, 0.0)

    for user in (JO, AL):
        assert register.open(user, 0.0, name=first.session_id).session_id != first.session_id


# ── what it has been told ────────────────────────────────────────────────────


def test_a_session_is_told_what_its_connections_were_told():
    """The newest of all, in whatever order they end."""
    register = sessions()
    session = register.open(JO, 0.0)
    register.resume(session.session_id, JO, 0.0)
    leave(register, session, told_to=7, listened_to=Position("e", 9))
    leave(register, session, told_to=5, listened_to=Position("e", 12))

    assert (session.told_to, session.complete_at) == (7, Position("e", 12))


def test_a_connection_that_did_not_listen_completes_nothing():
    """In the middle of a replay there is more to tell above what it was told."""
    register = sessions()
    session = register.open(JO, 0.0)
    leave(register, session, told_to=7, listened_to=Position("e", 9))
    register.resume(session.session_id, JO, 0.0)
    leave(register, session, told_to=11)

    assert (session.told_to, session.complete_at) == (11, Position("e", 9))

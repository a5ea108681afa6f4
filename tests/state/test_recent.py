"""Tokens the backend has accepted lately."""

from __future__ import annotations

from gogate_trio.limits import RECENT_TOKENS
from gogate_trio.state.recent import Doubts, RecentTokens


def test_a_word_counts_for_so_many_seconds():
    """From when it was given, not from when it was last used."""
    recent = RecentTokens[str](10.0)
    recent.learn(b"a", "Jo", 100.0)

    assert recent.find(b"a", 109.0) == "Jo"
    assert recent.find(b"a", 110.0) == "Jo"
    assert recent.find(b"a", 110.1) is None
    assert recent.find(b"b", 100.0) is None


def test_a_newer_word_takes_the_older_one_s_place():
    """With its own time."""
    recent = RecentTokens[str](10.0)
    recent.learn(b"a", "Jo", 100.0)
    recent.learn(b"a", "Joanna", 108.0)

    assert recent.find(b"a", 115.0) == "Joanna"
    assert len(recent) == 1


def test_a_word_that_was_taken_back_does_not_count():
    """Taking back what is not there is fine."""
    recent = RecentTokens[str](10.0)
    recent.learn(b"a", "Jo", 100.0)
    recent.forget(b"a")
    recent.forget(b"a")

    assert recent.find(b"a", 100.0) is None


def test_only_so_many_are_remembered():
    """The one longest unconfirmed goes first."""
    recent = RecentTokens[int](10.0)
    for number in range(RECENT_TOKENS):
        recent.learn(b"%d" % number, number, 0.0)
    recent.learn(b"0", 0, 1.0)
    recent.learn(b"new", -1, 1.0)

    assert len(recent) == RECENT_TOKENS
    assert recent.find(b"1", 1.0) is None
    assert recent.find(b"0", 1.0) == 0
    assert recent.find(b"new", 1.0) == -1


def test_a_doubt_is_about_what_was_before():
    """And about one user."""
    doubts = Doubts()
    doubts.note(1, 100.0)

    assert doubts.concerns(1, 99.9)
    assert not doubts.concerns(1, 100.1)
    assert not doubts.concerns(2, 99.9)
    doubts.note(1, 200.0)
    assert doubts.concerns(1, 150.0)


def test_when_there_are_too_many_doubts_everybody_is_doubted():
    """What is forgotten holds for all from then on: no doubt is ever lost."""
    doubts = Doubts()
    for number in range(RECENT_TOKENS + 1):
        doubts.note(number, float(number))

    assert len(doubts) == RECENT_TOKENS
    assert doubts.concerns(0, -1.0)
    assert doubts.concerns(-7, 0.0 - 1e-9)
    assert not doubts.concerns(-7, 0.5)

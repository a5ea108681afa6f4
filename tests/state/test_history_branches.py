"""Laws of a history that branches off the stream of all nodes, and comes back to it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.state.history import Entry, History, Position, Window

WIDE = Window(seconds=1e9, events=10**6, size=1 << 30)


def entry(offset, text=b"x"):
    """An event."""
    return Entry(offset, text, {1: "Jo"}, None, 0.0)


def told(history, position):
    """The texts that somebody at a position would be told; None: must fetch."""
    if not history.covers(position, 0.0):
        return None
    return [each.text for each in history.after(position.offset)]


def branched(before, beside, window=WIDE):
    """A history that went to ``before`` with all others, and went on alone."""
    history = History("trunk", window)
    for offset in range(1, before + 1):
        history.append(entry(offset, b"t%d" % offset))
    history.branch("branch")
    for offset in range(before + 1, before + beside + 1):
        history.append(entry(offset, b"b%d" % offset))
    return history


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 12))
def test_a_branch_keeps_the_positions_up_to_it(before, beside, offset):
    """What was given out before counts; what the trunk has beyond means nothing here."""
    history = branched(before, beside)
    events = [b"t%d" % n for n in range(1, before + 1)]
    events += [b"b%d" % n for n in range(before + 1, before + beside + 1)]

    trunk = told(history, Position("trunk", offset))
    branch = told(history, Position("branch", offset))

    assert trunk == (events[offset:] if offset <= before else None)
    assert branch == (events[offset:] if offset <= before + beside else None)
    assert history.place(offset).epoch == ("trunk" if offset <= before else "branch")


@given(st.integers(0, 5), st.integers(0, 5), st.integers(0, 5), st.integers(0, 12))
def test_a_branch_that_heals_tells_what_the_stream_tells(before, beside, after, offset):
    """Every position of the trunk counts, no event or position of the branch is left."""
    history = branched(before, beside)
    stream = [entry(n, b"s%d" % n) for n in range(before + 1, before + after + 1)]
    history.load("trunk", stream, floor=before, head=before + after)
    events = [b"t%d" % n for n in range(1, before + 1)] + [each.text for each in stream]

    assert told(history, Position("trunk", offset)) == (
        events[offset:] if offset <= before + after else None
    )
    assert told(history, Position("branch", offset)) is None
    assert history.position == Position("trunk", before + after)
    assert history.size == sum(each.weight for each in history.after(0))


def test_a_place_without_an_event_is_a_place():
    """Who is given it by others has missed nothing; a branch begins behind it."""
    history = History("trunk", WIDE)
    history.append(entry(1))
    history.step(2)

    assert (history.position, history.offered) == (Position("trunk", 2), 2)
    assert told(history, Position("trunk", 2)) == []
    assert told(history, Position("trunk", 0)) == [b"x"]
    history.branch("branch")
    history.append(entry(3, b"b"))
    history.load("trunk", [entry(3, b"s")], floor=2, head=3)
    assert told(history, Position("trunk", 0)) == [b"x", b"s"]


def test_what_lies_between_branch_and_window_is_a_gap():
    """Where the stream was trimmed past the branch, nothing from before is kept."""
    history = branched(3, 2)
    history.load("trunk", [entry(9)], floor=8, head=9)

    assert told(history, Position("trunk", 3)) is None
    assert told(history, Position("trunk", 8)) == [b"x"]


def test_another_stream_voids_everything():
    """Under another epoch no earlier position counts, and its own begin at the floor."""
    history = branched(3, 2)
    history.load("other", [entry(2), entry(4)], floor=1, head=5)

    assert told(history, Position("trunk", 3)) is None
    assert told(history, Position("other", 0)) is None
    assert told(history, Position("other", 2)) == [b"x"]
    assert told(history, Position("other", 5)) == []


def test_a_long_branch_does_not_hide_that_the_trunk_was_trimmed():
    """What a branch has pushed out of the window stays out; what came after counts."""
    history = branched(3, 4, Window(seconds=1e9, events=2, size=1 << 30))
    history.load("trunk", [entry(4)], floor=3, head=4)

    assert told(history, Position("trunk", 2)) is None
    assert told(history, Position("trunk", 3)) == [b"x"]

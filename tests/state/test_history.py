"""The resume window: what is still here, and what can no longer be told."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.state.history import Entry, History, Position, Window, new_epoch

WIDE = Window(seconds=1e9, events=10**6, size=1 << 30)
AUDIENCE = {1: "Jo"}


def entry(offset, *, at=0.0, size=10):
    """An event of a chat, of so many bytes."""
    return Entry(offset, b"x" * size, AUDIENCE, 1, at)


def history(*offsets, window=WIDE):
    """A history with these events, one a second."""
    kept = History("e", window)
    for offset in offsets:
        kept.append(entry(offset, at=float(offset)))
    return kept


def offsets(kept, after=0):
    """What it still tells after an offset."""
    return [each.offset for each in kept.after(after)]


# ── positions ────────────────────────────────────────────────────────────────


@given(st.from_regex(r"[0-9a-z]{1,32}", fullmatch=True), st.integers(0, 10**18 - 1))
def test_a_position_is_read_as_it_was_written(epoch, offset):
    """Whatever the epoch is called and however far the stream has come."""
    position = Position(epoch, offset)

    assert Position.read(str(position)) == position


@given(st.text())
def test_any_text_is_a_position_or_none(text):
    """Nothing a client says raises; and what is read says the same again."""
    position = Position.read(text)

    assert position is None or Position.read(str(position)) == position


@pytest.mark.parametrize(
    "text",
    ["", "-", "e-", "-1", "e-1-1", "e1", "E-1", "e-1 ", "e-²", "e" * 33 + "-1", "e-" + "1" * 19],
)
def test_what_was_never_given_out_is_no_position(text):
    """Not even when Python would take its digits for a number."""
    assert Position.read(text) is None


def test_no_two_streams_are_called_the_same():
    """An epoch is drawn, and fits into a position."""
    epochs = {new_epoch() for _ in range(1000)}

    assert len(epochs) == 1000
    assert all(Position.read(f"{epoch}-0") for epoch in epochs)


# ── what is told ─────────────────────────────────────────────────────────────


def test_everything_after_an_offset_is_told_oldest_first():
    """Offsets may have holes: the next one above counts."""
    kept = history(1, 2, 5, 6, 9)

    assert offsets(kept) == [1, 2, 5, 6, 9]
    assert offsets(kept, after=3) == [5, 6, 9]
    assert offsets(kept, after=5) == [6, 9]
    assert offsets(kept, after=9) == offsets(kept, after=99) == []


def test_a_new_stream_covers_its_beginning_and_nothing_else():
    """Nobody can have seen more than there is."""
    kept = History("e", WIDE)

    assert kept.position == Position("e", 0)
    assert kept.covers(Position("e", 0), 0.0)
    assert not kept.covers(Position("e", 1), 0.0)
    assert not kept.covers(Position("f", 0), 0.0)


def test_the_head_is_always_covered():
    """Also when nothing is kept at all: who has seen everything has missed nothing."""
    kept = history(1, 2, 3, window=Window(seconds=0.0, events=0, size=0))

    assert len(kept) == kept.size == 0
    assert kept.covers(Position("e", 3), 100.0)
    assert not kept.covers(Position("e", 2), 100.0)


# ── the bounds ───────────────────────────────────────────────────────────────


def test_it_keeps_so_many_events():
    """The oldest goes first, and positions before it are void."""
    kept = history(*range(1, 8), window=Window(seconds=1e9, events=3, size=1000))

    assert offsets(kept) == [5, 6, 7]
    assert kept.covers(Position("e", 4), 7.0)
    assert not kept.covers(Position("e", 3), 7.0)


def test_it_keeps_so_many_bytes():
    """Whatever their number; one that is larger than all of it is not kept."""
    kept = History("e", Window(seconds=1e9, events=100, size=100))
    for offset, size in enumerate((40, 40, 40, 20), start=1):
        kept.append(entry(offset, size=size))
    assert (offsets(kept), kept.size) == ([2, 3, 4], 100)
    kept.append(entry(5, size=101))

    assert (offsets(kept), kept.size) == ([], 0)
    assert kept.covers(Position("e", 5), 0.0)
    assert not kept.covers(Position("e", 4), 0.0)


def test_an_audience_that_is_no_chats_counts_as_well():
    """A member list is kept anyway; a list of users is kept for its event alone."""
    kept = History("e", Window(seconds=1e9, events=100, size=1000))
    crowd = dict.fromkeys(range(1, 11), "")
    kept.append(Entry(1, b"x" * 10, crowd, 1, 0.0))
    assert kept.size == 10
    kept.append(Entry(2, b"x" * 10, crowd, None, 0.0))
    assert 500 < kept.size < 1000
    kept.append(Entry(3, b"x" * 10, crowd, None, 0.0))

    assert offsets(kept) == [3]


def test_it_keeps_so_many_seconds():
    """To the second, also when nothing new comes."""
    kept = history(1, 2, 3, window=Window(seconds=10.0, events=100, size=1000))

    assert kept.covers(Position("e", 0), 11.0)
    assert not kept.covers(Position("e", 0), 11.1)
    assert kept.covers(Position("e", 1), 11.1)
    assert offsets(kept) == [2, 3]
    assert kept.covers(Position("e", 3), 1e6)
    assert len(kept) == kept.size == 0


@given(
    st.lists(st.tuples(st.integers(1, 5), st.integers(0, 30), st.floats(0, 5))),
    st.integers(0, 6),
    st.integers(0, 80),
    st.floats(0, 20),
)
def test_what_it_covers_it_tells_without_a_gap(steps, events, size, seconds):
    """For every position: either all that came after it, or not covered. Never in part."""
    kept = History("e", Window(seconds=seconds, events=events, size=size))
    published, now, offset = [], 0.0, 0
    for step, length, pause in steps:
        offset, now = offset + step, now + pause
        kept.append(entry(offset, at=now, size=length))
        published.append(offset)

    for place in range(offset + 1):
        if kept.covers(Position("e", place), now):
            assert offsets(kept, after=place) == [each for each in published if each > place]
    assert len(kept) <= events
    assert kept.size == sum(len(each.text) for each in kept.after(0)) <= size
    assert all(now - each.at <= seconds for each in kept.after(0))


# ── epochs ───────────────────────────────────────────────────────────────────


def test_another_epoch_voids_every_earlier_position():
    """Offsets go on where they were, so none means two things."""
    kept = history(1, 2, 3)
    kept.begin("f", kept.head)

    assert kept.position == Position("f", 3)
    assert offsets(kept) == []
    assert kept.size == 0
    assert not kept.covers(Position("e", 3), 3.0)
    assert not kept.covers(Position("f", 2), 3.0)
    assert kept.covers(Position("f", 3), 3.0)
    kept.append(entry(4))
    assert offsets(kept, after=3) == [4]

"""Laws of what a node has under way to the others."""

from __future__ import annotations

from fakes.nodes import event
from gogate_trio.broker.outgoing import Outgoing
from gogate_trio.limits import BATCH_BYTES, BATCH_PUBLICATIONS


def outgoing(*sizes):
    """Publications with payloads of these sizes."""
    found = Outgoing()
    for size in sizes:
        found.add(event("x"), b"x" * size, 0.0)
    return found


def numbers(pendings):
    """Their numbers."""
    return [each.number for each in pendings]


def test_a_batch_is_bounded_and_never_empty():
    """So many and so many bytes at most; but one always goes, however long it is."""
    assert len(outgoing(*[1] * 500).batch()) == BATCH_PUBLICATIONS
    assert numbers(outgoing(*[BATCH_BYTES // 2] * 3).batch()) == [1, 2]
    assert numbers(outgoing(BATCH_BYTES * 2, 1).batch()) == [1]
    assert outgoing().batch() == []


def test_what_was_sent_is_not_sent_again_until_it_may_be_lost():
    """A batch holds what Redis does not have, in order."""
    waiting = outgoing(1, 1, 1)
    for pending in waiting.batch()[:2]:
        waiting.note_sent(pending, 1.0)
    assert numbers(waiting.batch()) == [3]

    waiting.send_again()
    assert numbers(waiting.batch()) == [1, 2, 3]
    waiting.seen(2)
    assert numbers(waiting.batch()) == [3]
    assert waiting.size == 1


def test_a_backlog_is_bounded_in_bytes(monkeypatch):
    """What was told here and finds no room goes, the oldest first; what was not told stays."""
    monkeypatch.setattr("gogate_trio.broker.outgoing.BACKLOG_BYTES", 100)
    waiting = outgoing(40, 40, 40, 40)
    for _ in range(3):
        waiting.note_told(waiting.untold())

    assert numbers(waiting.batch()) == [3, 4]
    assert (waiting.told, waiting.dropped, waiting.size) == (1, 2, 80)
    assert waiting.untold().number == 4


def test_a_known_one_is_forgotten_wherever_it_stands():
    """What was published before under its key neither waits nor is told."""
    waiting = outgoing(1, 1, 1)
    _, second, _ = waiting.batch()
    waiting.note_known(second)

    assert second.settled.is_set()
    assert second.done.is_set()
    assert numbers(waiting.batch()) == [1, 3]
    waiting.note_told(waiting.untold())
    assert waiting.untold().number == 3


def test_what_turns_out_to_be_known_while_it_is_told_costs_the_next_nothing():
    """That one is still to be told."""
    waiting = outgoing(1, 1)
    first = waiting.untold()
    waiting.note_known(first)
    waiting.note_told(first)

    assert waiting.untold().number == 2
    assert waiting.told == 0

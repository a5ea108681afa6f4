"""Writes of one turn go one after the other, when all tasks have had their turn."""

from __future__ import annotations

from unittest import mock

import attrs
import pytest
import trio

from fakes.node import PATIENCE
from fakes.turns import crowd
from gogate_trio import pending_writes as module
from gogate_trio.pending_writes import pending_writes


@attrs.define(eq=False)
class Note:
    """A write that says in a log when it is done."""

    log: list[str]
    text: str
    is_possible: bool = True
    settled: trio.Event = attrs.field(factory=trio.Event)
    settled_in: trio.lowlevel.Task | None = None

    def write(self) -> bool:
        """Be written, or not."""
        if self.is_possible:
            self.log.append(self.text)
        return self.is_possible

    def settle(self) -> None:
        """Be seen to in some task."""
        self.settled_in = trio.lowlevel.current_task()
        self.settled.set()


async def speak(log: list[str], name: str, turns: int) -> None:
    """Say in each turn that it is ours, and have something written."""
    for _ in range(turns):
        log.append(name)
        pending_writes().add(Note(log, name.upper()))
        await trio.lowlevel.checkpoint()


async def test_what_is_alone_is_written_at_once():
    """Turn after turn."""
    log = []
    await speak(log, "a", 5)

    assert "".join(log) == "aAaAaAaAaA"


async def test_in_a_crowd_all_have_their_turn_before_anything_is_written():
    """From the second turn on: the first shows that there is one."""
    log = []
    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(speak, log, name, 4)

    said = "".join(log)
    first, others = said[:6], [said[begin : begin + 6] for begin in range(6, 24, 6)]
    assert sorted(first[0::2]) == list("abc")
    assert first[1::2] == first[0::2].upper()
    for turn in others:
        assert sorted(turn[:3]) == list("abc")
        assert turn[3:] == turn[:3].upper()


async def test_a_crowd_is_over_when_many_turns_had_one_write_or_none():
    """So who is alone is not kept waiting for ever by what once was."""
    log, at_once = [], []
    await crowd()
    for turn in range(20):
        pending_writes().add(Note(log, "x"))
        at_once.append(len(log) == turn + 1)
        await trio.lowlevel.checkpoint()
        assert len(log) == turn + 1

    assert at_once == sorted(at_once)
    assert set(at_once) == {False, True}


async def test_more_than_many_are_not_put_off():
    """The memory they hold, and how late they are, is bounded."""
    log = []
    await crowd()
    with mock.patch.object(module, "PENDING_WRITES", 3):
        for name in "abcd":
            pending_writes().add(Note(log, name))
    assert log == ["a", "b", "c"]
    await trio.lowlevel.checkpoint()
    assert log == ["a", "b", "c", "d"]


@pytest.mark.parametrize("is_crowded", [True, False])
async def test_what_cannot_be_written_is_seen_to_in_a_task_though_nothing_else_happens(is_crowded):
    """Put off, it is noticed when it has been decided how long to wait: that wait ends."""
    note = Note([], "", is_possible=False)
    if is_crowded:
        await crowd()
        pending_writes().add(note)
        assert not note.settled.is_set()
    else:
        pending_writes().add(note)
        assert note.settled.is_set()
    with trio.fail_after(PATIENCE):
        await note.settled.wait()

    assert note.settled_in is not None


async def test_a_bug_in_one_write_is_met_in_a_task_and_keeps_no_other_from_going():
    """An instrument that raises is called no more: nothing would ever be written again."""

    class Broken(Note):
        def write(self) -> bool:
            raise ValueError(self.text)

    broken, log = Broken([], "a bug"), []
    for turn in range(3):
        await crowd()
        pending_writes().add(broken)
        pending_writes().add(Note(log, "x"))
        assert len(log) == turn
        await trio.lowlevel.checkpoint()
        assert len(log) == turn + 1
    with trio.fail_after(PATIENCE):
        await broken.settled.wait()


async def test_a_bug_of_who_sees_to_one_at_once_puts_off_the_others():
    """It is raised where it can be dealt with, and they go at the end of the turn."""

    class Broken(Note):
        def settle(self) -> None:
            raise ValueError(self.text)

    log = []
    await crowd()
    with mock.patch.object(module, "PENDING_WRITES", 3):
        pending_writes().add(Broken([], "a bug", is_possible=False))
        pending_writes().add(Note(log, "a"))
        with pytest.raises(ValueError, match="a bug"):
            pending_writes().add(Note(log, "b"))
        await trio.lowlevel.checkpoint()
    assert log == ["a", "b"]


def test_each_run_has_its_own():
    """What is left of one is not written by the next."""

    async def mine():
        assert pending_writes() is pending_writes()
        return pending_writes()

    assert trio.run(mine) is not trio.run(mine)

"""What is written at the end of a turn of the scheduler, one write right after the other.

A write costs most when it wakes somebody: the reader at the other end, who then goes to sleep again
before the next one comes. What need not go at once is therefore put off until all tasks that could
run have had their turn, and goes before the process waits for anything.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol

import trio

from gogate_trio.limits import PENDING_WRITES


class Write(Protocol):
    """Bytes that are to go at the end of the turn."""

    def write(self) -> bool:
        """Write what still waits, without blocking; whether all of it is gone.

        No task is running: nobody may be woken.
        """

    def settle(self) -> None:
        """See to what could not be written. In a task, and before anything else is written."""


class PendingWrites(trio.abc.Instrument):
    """The writes of this turn, of all of the process.

    One that went before its time, with something else, may be noted twice: nothing is left of it.

    Put off only while turns have several: one that is alone wakes its reader at best while that is
    still awake (bench/NOTES.md).
    """

    def __init__(self) -> None:
        """Belong to the run of trio that is going on, to its end."""
        self._writes: deque[Write] = deque()
        self._count = 0
        """writes of this turn"""
        self._crowded = 0
        """turns for which writes are put off yet"""
        self._token = trio.lowlevel.current_trio_token()
        trio.lowlevel.add_instrument(self)

    def add(self, write: Write) -> None:
        """Have this written: by the end of the turn, and at once when it is alone or they are many.

        In a task.
        """
        self._count += 1
        self._writes.append(write)
        if not self._crowded or len(self._writes) >= PENDING_WRITES:
            while self._writes:
                each = self._writes.popleft()
                if not each.write():
                    each.settle()

    def before_io_wait(self, timeout: float) -> None:  # noqa: ARG002 - trio's
        """Write all that was put off. Called by trio, for how long it is going to wait."""
        if self._count > 1:
            self._crowded = _CROWDED_TURNS
        elif self._crowded:
            self._crowded -= 1
        self._count = 0
        while self._writes:
            each = self._writes.popleft()
            if not _is_written(each):
                # It has been decided how long to wait: only this ends the wait.
                self._token.run_sync_soon(each.settle)


def pending_writes() -> PendingWrites:
    """Return those of the run of trio that is going on."""
    try:
        return _OF_THIS_RUN.get()
    except LookupError:
        pending = PendingWrites()
        _OF_THIS_RUN.set(pending)
        return pending


def _is_written(write: Write) -> bool:
    """Write, where nothing may be raised: trio calls no instrument again that has."""
    try:
        return write.write()
    except Exception:  # noqa: BLE001 - who sees to it meets it again
        return False


_OF_THIS_RUN: Final = trio.lowlevel.RunVar[PendingWrites]("pending_writes")
_CROWDED_TURNS: Final = 8
"""turns for which one with several writes is taken for a sign: what one turn reads, the backend is
asked in the next, and answers some turns later"""

"""What a process holds: tasks, file descriptors, memory.

Usage::

    before = holding()
    ...
    assert await settles(lambda: holding().is_at_most(before))
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    from collections.abc import Callable


@attrs.frozen
class Holding:
    """What must be back where it was when everybody has gone."""

    tasks: int
    """Trio tasks of this run."""
    descriptors: int
    """Open files and sockets of this process."""

    def is_at_most(self, other: Holding) -> bool:
        """Whether nothing more is held than in the other.

        Not "the same": what was going on at that moment may be over.
        """
        return self.tasks <= other.tasks and self.descriptors <= other.descriptors


def holding() -> Holding:
    """Return what this process holds now."""
    return Holding(trio.lowlevel.current_statistics().tasks_living, descriptors_of("self"))


def descriptors_of(pid: int | str) -> int:
    """Return how many files and sockets a process has open."""
    return sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())


def memory_of(pid: int | str) -> int:
    """Return a process's resident memory in bytes."""
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def settles(holds: Callable[[], bool], *, within: float = 10.0) -> bool:
    """Whether something comes true within so many seconds.

    It looks again and again: what the kernel and another process do wakes nobody here.
    """
    with trio.move_on_after(within):
        while not holds():  # noqa: ASYNC110 - see above
            await trio.sleep(0.01)
    return holds()

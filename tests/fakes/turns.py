"""Turns of the scheduler in which several write, so that what is written is put off."""

from __future__ import annotations

import trio

from gogate_trio.pending_writes import pending_writes


class _Nothing:
    def write(self) -> bool:
        """Nothing to write."""
        return True

    def settle(self) -> None:
        """Not reached."""
        raise AssertionError


async def crowd() -> None:
    """Have writes put off to the end of the turn, for a few turns."""
    pending = pending_writes()
    for _ in range(2):
        pending.add(_Nothing())
    await trio.lowlevel.checkpoint()

"""What every call passes before it may go: a slot, the queue for it, the circuit breaker.

So many calls run at once, a slot each; so many wait for a slot, in the order they came; and
while the backend is away nobody goes: then every slot is soon free, and nobody waits either.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs
import trio

from gogate_trio.errors import BackendBusy, BackendUnavailable
from gogate_trio.log import get_logger
from gogate_trio.state.breaker import Breaker, Circuit, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from gogate_trio.state.breaker import Era

_log = get_logger(__name__)


@attrs.frozen
class GateStatistics:
    """The figures of one moment, and what was counted up to it."""

    running: int
    """Calls that hold a slot."""
    waiting: int
    """Calls that wait for one."""
    circuit: Circuit
    """The state of the breaker."""
    opened: int
    """How often the breaker opened."""
    held_back: int
    """Calls that did not go because the backend was away."""
    turned_away: int
    """Calls that found the queue full."""


class Gate:
    """The way to one backend. Who was let in must ``leave``, once."""

    def __init__(
        self,
        *,
        slots: int,
        queue: int,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Take how many calls may run and how many may wait; ``spread`` is the breaker's."""
        self._most = slots
        # A CapacityLimiter, which keeps a book of who holds what, costs a call 4 µs more.
        self._slots = trio.Semaphore(slots, max_value=slots)
        self._queue = queue
        self._breaker = Breaker(spread)
        self._waiting = 0
        self._held_back = 0
        self._turned_away = 0

    def adjust(self, *, queue: int) -> None:
        """Let so many wait from now on. Nobody who waits has to go."""
        self._queue = queue

    async def enter(self, deadline: float, *, harmless: bool) -> Era | BackendUnavailable:
        """Let a call in, and return what it shall ``leave`` with; or return why it may not go.

        That is ``BackendUnavailable`` while the backend is away, or when no slot is free by
        the deadline, and ``BackendBusy`` when too many wait. Cancelled, the call is not in.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        try:
            self._slots.acquire_nowait()
        except trio.WouldBlock:
            refusal = await self._wait(deadline)
            if refusal is not None:
                return refusal
        before = self._breaker.state
        # Asked with the slot in hand: much may have happened while the call waited for it.
        era = self._breaker.admit(trio.current_time(), harmless=harmless)
        self._tell(before)
        if era is None:
            self._held_back += 1
            self._slots.release()
            return BackendUnavailable()
        return era

    def leave(self, era: Era, verdict: Verdict) -> None:
        """Give the slot back, and say what the end of the call says about the backend."""
        self._slots.release()
        before = self._breaker.state
        self._breaker.settle(era, verdict, trio.current_time())
        self._tell(before)

    def statistics(self) -> GateStatistics:
        """Return the figures of this moment."""
        return GateStatistics(
            running=self._most - self._slots.value,
            waiting=self._waiting,
            circuit=self._breaker.state,
            opened=self._breaker.opened,
            held_back=self._held_back,
            turned_away=self._turned_away,
        )

    async def _wait(self, deadline: float) -> BackendUnavailable | None:
        """Wait for a slot, if there is room; None with a slot in hand."""
        if self._waiting >= self._queue:
            self._turned_away += 1
            return BackendBusy()
        self._waiting += 1
        try:
            with trio.move_on_at(deadline) as patience:
                await self._slots.acquire()
        finally:
            self._waiting -= 1
        if patience.cancelled_caught:
            return BackendUnavailable()
        # A slot that comes with the deadline comes too late to send anything.
        if trio.current_time() >= deadline:
            self._slots.release()
            return BackendUnavailable()
        return None

    def _tell(self, before: Circuit) -> None:
        state = self._breaker.state
        if state is before:
            return
        pause = round(self._breaker.pause_left(trio.current_time()), 1)
        if state is Circuit.OPEN:
            _log.warning("backend_circuit", state=state.value, pause=pause)
        else:
            _log.info("backend_circuit", state=state.value)

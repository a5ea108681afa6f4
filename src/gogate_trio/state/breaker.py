"""The circuit breaker of one backend: whether a call may go now, from how the last ones ended.

====================  =========================================  ===================
state                 a call                                     becomes
====================  =========================================  ===================
``CLOSED``            goes                                       ``OPEN`` when most calls fail
``OPEN``              does not                                   ``HALF_OPEN`` after a pause
``HALF_OPEN``         goes, if it is one of a few probes         ``CLOSED`` with the first that
                                                                 succeeds, ``OPEN`` for twice the
                                                                 pause with the first that fails
====================  =========================================  ===================

Probes are calls that change nothing, several at once. Only when none of these comes for a
while does one call go that changes something: its sender may not learn how it ended.

Each change of state begins a new *era*. A call counts in the era it began in; what comes of
it in a later one says nothing about the backend as it is now.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final

import attrs

from gogate_trio.limits import (
    BREAKER_CALLS,
    BREAKER_FAILED_SHARE,
    BREAKER_LONGEST_PAUSE_SECONDS,
    BREAKER_PAUSE_SECONDS,
    BREAKER_PROBES,
    BREAKER_QUESTIONS_FIRST_SECONDS,
    BREAKER_WINDOW_SECONDS,
)


class Circuit(Enum):
    """The state of a breaker. The values are metric labels."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Verdict(Enum):
    """What the end of a call says about the backend."""

    ANSWERED = "it answered, were it with a refusal"
    FAILED = "it is away, broken, or too slow"
    NOTHING = "the call was given up by ourselves"


Era = int
"""Names the time between two changes of state; what a call that may go holds."""


@attrs.define(eq=False)
class _Slice:
    """The calls that ended within one part of the window."""

    number: int
    ended: int = 0
    failed: int = 0


class Breaker:
    """The breaker of one backend. Time is an argument: seconds that never go back."""

    def __init__(self, spread: Callable[[float, float], float]) -> None:
        """``spread`` returns a number between its arguments: no two nodes probe in step."""
        self._spread = spread
        self._state = Circuit.CLOSED
        self._era: Era = 0
        self._since = 0.0
        self._slices: deque[_Slice] = deque()
        self._pause = BREAKER_PAUSE_SECONDS
        self._ends_at = 0.0
        self._probes = 0
        self.opened = 0
        """How often it opened."""

    @property
    def state(self) -> Circuit:
        """The state. ``OPEN`` stays until a call asks, be the pause over or not."""
        return self._state

    def pause_left(self, now: float) -> float:
        """Return the seconds until a call may go again, at the earliest."""
        return max(0.0, self._ends_at - now) if self._state is Circuit.OPEN else 0.0

    def admit(self, now: float, *, harmless: bool) -> Era | None:
        """Return the era of a call that may go, to be settled once; None when it may not."""
        if self._state is Circuit.CLOSED:
            return self._era
        if self._state is Circuit.OPEN and now >= self._ends_at:
            self._change(Circuit.HALF_OPEN, now)
        if self._state is Circuit.OPEN or not self._is_probe(now, harmless=harmless):
            return None
        self._probes += 1
        return self._era

    def settle(self, era: Era, verdict: Verdict, now: float) -> None:
        """Take note of how a call ended."""
        if era != self._era:
            return
        if self._state is Circuit.CLOSED:
            if verdict is not Verdict.NOTHING:
                self._count(verdict, now)
            return
        self._probes -= 1
        if verdict is Verdict.ANSWERED:
            self._pause = BREAKER_PAUSE_SECONDS
            self._change(Circuit.CLOSED, now)
        elif verdict is Verdict.FAILED:
            self._pause = min(2 * self._pause, BREAKER_LONGEST_PAUSE_SECONDS)
            self._open(now)

    def _is_probe(self, now: float, *, harmless: bool) -> bool:
        if harmless:
            return self._probes < BREAKER_PROBES
        return not self._probes and now - self._since >= BREAKER_QUESTIONS_FIRST_SECONDS

    def _count(self, verdict: Verdict, now: float) -> None:
        number = int(now / _SLICE_SECONDS)
        if not self._slices or self._slices[-1].number != number:
            self._slices.append(_Slice(number))
            while self._slices[0].number <= number - _SLICES:
                self._slices.popleft()
        latest = self._slices[-1]
        latest.ended += 1
        if verdict is Verdict.ANSWERED:
            return
        latest.failed += 1
        ended = sum(each.ended for each in self._slices)
        failed = sum(each.failed for each in self._slices)
        if ended >= BREAKER_CALLS and failed >= BREAKER_FAILED_SHARE * ended:
            self._open(now)

    def _open(self, now: float) -> None:
        self.opened += 1
        # From half of it: a pause drawn from nothing would often be none.
        self._ends_at = now + self._spread(self._pause / 2, self._pause)
        self._change(Circuit.OPEN, now)

    def _change(self, state: Circuit, now: float) -> None:
        self._state = state
        self._since = now
        self._era += 1
        self._probes = 0
        self._slices.clear()


_SLICES: Final = 10
_SLICE_SECONDS: Final = BREAKER_WINDOW_SECONDS / _SLICES
"""The window moves on in tenths: exact to a second, and a call costs no list entry."""

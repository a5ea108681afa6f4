"""How often something may happen: the generic cell rate algorithm (GCRA).

A token bucket in one number a key: the theoretical arrival time, at which the bucket would
be full again. Whoever stays below the rate is never refused; a burst is what may come at once.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

import attrs

from gogate_trio.limits import RATE_KEYS

K = TypeVar("K", bound=Hashable)


@attrs.frozen
class Rate:
    """So many a second in the long run, so many at once."""

    per_second: float
    burst: int

    @property
    def interval(self) -> float:
        """Seconds between two at a steady pace."""
        return 1.0 / self.per_second


class Limiter(Generic[K]):
    """One rate, a bucket a key; bounded in keys: one that is full again is forgotten first."""

    def __init__(self, rate: Rate | None, capacity: int = RATE_KEYS) -> None:
        """Take the rate; None lets everything pass."""
        self._rate = rate
        self._capacity = capacity
        self._arrivals: dict[K, float] = {}

    @property
    def rate(self) -> Rate | None:
        """The rate in force."""
        return self._rate

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._arrivals)

    def adjust(self, rate: Rate | None) -> None:
        """Let this be the rate from now on. What was taken before stays taken."""
        self._rate = rate

    def take(self, key: K, now: float, cost: int = 1) -> float:
        """Take ``cost`` from a bucket: 0 when it had them, else the seconds until it will."""
        rate = self._rate
        if rate is None:
            return 0.0
        interval = rate.interval
        arrival = max(self._arrivals.get(key, now), now) + cost * interval
        wait = arrival - now - rate.burst * interval
        # Without the tolerance, rounding refuses the last one of a burst.
        if wait > interval * _ROUNDING:
            return wait
        if key not in self._arrivals and len(self._arrivals) >= self._capacity:
            self._forget(now)
        self._arrivals[key] = arrival
        return 0.0

    def _forget(self, now: float) -> None:
        """Forget the buckets that are full again, and at least a tenth: those nearest to it.

        A tenth at once, so that looking through all of them is rare.
        """
        line = sorted(self._arrivals.values())[self._capacity // 10]
        self._arrivals = {
            key: arrival for key, arrival in self._arrivals.items() if arrival > max(line, now)
        }


_ROUNDING = 1e-3
"""the share of an interval that floating-point noise may take: it adds up over a long burst, the
more the larger the clock's numbers are"""

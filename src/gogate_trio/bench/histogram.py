"""Times sorted into buckets: 32 an octave, so a quantile is right within 3 %, in bounded memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

FINE: Final = 5
"""bits kept below the leading one: 32 buckets an octave."""

OCTAVES: Final = 42
"""octaves of nanoseconds: over an hour. What is longer counts as that."""


@attrs.define(eq=False)
class Histogram:
    """How many times fell where."""

    total: int = 0
    longest: float = 0.0
    """seconds"""
    _counts: list[int] = attrs.field(factory=lambda: [0] * ((OCTAVES + 1) << FINE))

    def add(self, seconds: float) -> None:
        """Count one time; one below 0 counts as 0."""
        ns = int(seconds * 1e9) if seconds > 0 else 0
        shift = max(ns.bit_length() - FINE - 1, 0)
        index = (shift << FINE) + (ns >> shift)
        counts = self._counts
        counts[index if index < len(counts) else -1] += 1
        self.total += 1
        self.longest = max(self.longest, seconds)

    def quantile(self, share: float) -> float:
        """The seconds within which this share of all times lies; 0 when there is none."""
        wanted, seen = share * self.total, 0
        for index, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return min(_upper(index), self.longest)
        return self.longest

    def bars(self) -> Iterator[tuple[float, int]]:
        """Half octaves from the first time to the last: upper bound in seconds, how many."""
        step = 1 << (FINE - 1)
        sums = [sum(self._counts[at : at + step]) for at in range(0, len(self._counts), step)]
        filled = [n for n, count in enumerate(sums) if count]
        for n in range(filled[0], filled[-1] + 1) if filled else ():
            yield _upper((n + 1) * step - 1), sums[n]


def _upper(index: int) -> float:
    """The end of a bucket in seconds."""
    shift = max((index >> FINE) - 1, 0)
    return math.ldexp(index - (shift << FINE) + 1, shift) / 1e9

"""What follows from looks at a node: rates, percentiles, and all of it as text. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import attrs

from gogate_trio.internal.api.overview_shapes import HistogramShown, Overview

WINDOW: Final = 30.0
"""seconds over which latencies are looked at; a second alone has too few"""

_LOOKS: Final = 120
"""looks that are kept: more than a window of them at any pace"""


@attrs.define(eq=False)
class Past:
    """The last looks, at one life of one node."""

    _all: deque[Overview] = attrs.field(factory=lambda: deque(maxlen=_LOOKS))

    def add(self, look: Overview) -> None:
        """Take a look into account; another life of the process begins anew."""
        if self._all and (self._all[-1].node.started, self._all[-1].node.id) != (
            look.node.started,
            look.node.id,
        ):
            self._all.clear()
        self._all.append(look)

    @property
    def now(self) -> Overview:
        """The last look."""
        return self._all[-1]

    def rate(self, *names: str) -> float | None:
        """What these totals together grew by a second, since the look before; None: no such."""
        if len(self._all) < 2:  # noqa: PLR2004 - a rate is between two
            return None
        before, now = self._all[-2], self._all[-1]
        grown = sum(now.totals[name] - before.totals[name] for name in names)
        return max(0.0, grown / max(0.001, now.at - before.at))

    def cpu(self) -> float | None:
        """The share of a core that is used, since the look before."""
        if len(self._all) < 2:  # noqa: PLR2004 - as above
            return None
        before, now = self._all[-2], self._all[-1]
        used = now.process.cpu_seconds - before.process.cpu_seconds
        return max(0.0, used / max(0.001, now.at - before.at))

    def percentile(self, name: str, share: float) -> float | None:
        """Where a share of a latency's values lies, in seconds; None when there were none.

        Of the last seconds; with one look alone, since the start.
        """
        now = self._all[-1]
        counts = now.latencies[name].counts
        if len(self._all) > 1:
            before = next(look for look in self._all if now.at - look.at <= WINDOW)
            if before is now:
                before = self._all[-2]
            counts = [
                new - old for new, old in zip(counts, before.latencies[name].counts, strict=True)
            ]
        return percentile_of(now.latencies[name], counts, share)


def percentile_of(histogram: HistogramShown, counts: Sequence[int], share: float) -> float | None:
    """Return where a share of the values lies, straight within its bucket; None without any."""
    rank = share * sum(counts)
    if rank <= 0:
        return None
    low = 0.0
    for bound, count in zip(histogram.bounds, counts, strict=False):
        if rank <= count:
            return low + (bound - low) * rank / count
        rank -= count
        low = bound
    return low


# ── as text ──────────────────────────────────────────────────────────────────


def rate_text(value: float | None) -> str:
    """A number a second."""
    if value is None:
        return "-"
    return f"{value:.1f}" if 0 < value < 10 else f"{value:,.0f}"  # noqa: PLR2004 - small ones vary


def seconds_text(seconds: float | None) -> str:
    """A latency, in the unit that suits it."""
    if seconds is None:
        return "-"
    if seconds < 0.001:  # noqa: PLR2004 - the units' own bounds, here and below
        return f"{seconds * 1e6:.0f} µs"
    if seconds < 1:
        return f"{seconds * 1e3:.1f} ms"
    return f"{seconds:.1f} s"


def bytes_text(count: int) -> str:
    """A size, in the unit that suits it."""
    if count < 1024:  # noqa: PLR2004 - as above
        return f"{count} B"
    if count < 1024**2:
        return f"{count / 1024:.0f} KiB"
    return f"{count / 1024**2:.1f} MiB"


def ago_text(time: datetime, now: datetime) -> str:
    """How long ago something was."""
    seconds = max(0, round((now - time).total_seconds()))
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if days:
        return f"{days}d {hours % 24}h"
    if hours:
        return f"{hours}h {minutes % 60}m"
    return f"{minutes}m {seconds % 60}s" if minutes else f"{seconds}s"

"""So many lines of a kind: some at once and some a second; the rest is counted and summed up.

A kind is the event's name with its field ``kind``, both words of our own code; of a library,
the place in its code. Nobody can fill the disk by making us say the same thing over and over,
and no flood of one kind hides another.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import structlog
import trio

from gogate_trio.limits import (
    LOG_DEBUG_LINES,
    LOG_DEBUG_LINES_PER_SECOND,
    LOG_KINDS,
    LOG_LINES,
    LOG_LINES_PER_SECOND,
    LOG_SUMMARY_SECONDS,
)
from gogate_trio.log.counts import COUNTS
from gogate_trio.state.ratelimit import Limiter, Rate

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

Kind = tuple[str, str, str]
"""Level, event, and the word that tells its kinds apart."""

SUMMARY: Final = "lines_held_back"


class Guard:
    """Lets lines pass, or holds them back. A processor of structlog's; any thread may log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        lines = Limiter[Kind](Rate(LOG_LINES_PER_SECOND, LOG_LINES), LOG_KINDS)
        debug = Limiter[Kind](Rate(LOG_DEBUG_LINES_PER_SECOND, LOG_DEBUG_LINES), LOG_KINDS)
        self._paces = {"debug": debug, "other": lines}
        self._held = Counter[Kind]()
        self._since = clock()

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        """Let an event pass that is one of few."""
        if event["event"] == SUMMARY:
            return event
        kind = _kind_of(event)
        with self._lock:
            pace = self._paces.get(kind[0], self._paces["other"])
            if not pace.take(kind, self._clock()):
                return event
            COUNTS.held_back += 1
            # Libraries may have more kinds than we would care to remember.
            self._held[kind if kind in self._held or len(self._held) < LOG_KINDS else _REST] += 1
        raise structlog.DropEvent

    def take(self) -> tuple[float, Counter[Kind]]:
        """Return in how many seconds how many lines of which kind were held back, and forget."""
        with self._lock:
            now = self._clock()
            seconds, self._since = now - self._since, now
            held, self._held = self._held, Counter[Kind]()
        return seconds, held


def sum_up(guard: Guard | None = None) -> None:
    """Log how many lines of each kind were held back since the last time; nothing for none."""
    seconds, held = (guard or GUARD).take()
    logger = structlog.get_logger(__name__)
    for (level, event, kind), lines in held.items():
        named = {"kind": kind} if kind else {}
        # At the level of the lines: whoever would have seen them sees this.
        getattr(logger, level)(SUMMARY, of=event, lines=lines, seconds=round(seconds, 1), **named)


async def run() -> None:
    """Sum up regularly, for ever, and once more at the end."""
    try:
        while True:
            await trio.sleep(LOG_SUMMARY_SECONDS)
            sum_up()
    finally:
        sum_up()


def _kind_of(event: EventDict) -> Kind:
    record = event.get("_record")
    if record is not None:
        return event["level"], record.name, f"{record.module}:{record.lineno}"
    return event["level"], str(event["event"]), str(event.get("kind", ""))


_REST: Final[Kind] = ("warning", "of other kinds", "")

GUARD: Final = Guard()
"""That of the process."""

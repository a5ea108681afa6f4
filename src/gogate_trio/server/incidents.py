"""What had to be decided against a client, in the log: some lines of each kind, the rest summed up.

Nobody can fill the disk by being refused. The next line of a kind says how many there were
that no line was written for.
"""

from __future__ import annotations

from collections import Counter

import trio

from gogate_trio.limits import INCIDENT_LINES, INCIDENT_LINES_PER_SECOND
from gogate_trio.log import get_logger
from gogate_trio.state.ratelimit import Limiter, Rate

_log = get_logger(__name__)


class Incidents:
    """The incidents of one node."""

    def __init__(self) -> None:
        self._pace = Limiter[tuple[str, str]](Rate(INCIDENT_LINES_PER_SECOND, INCIDENT_LINES))
        self._unsaid: Counter[tuple[str, str]] = Counter()

    def note(self, event: str, kind: str, **fields: object) -> None:
        """Log an incident, or count it. ``event`` and ``kind`` are words of our own code."""
        key = (event, kind)
        if self._pace.take(key, trio.current_time()):
            self._unsaid[key] += 1
            return
        _log.info(event, kind=kind, unsaid=self._unsaid.pop(key, 0), **fields)

"""What had to be decided against a client, in the log.

Nobody can fill the disk by being refused: the log holds back what is too much of a kind.
"""

from __future__ import annotations

from gogate_trio.log import get_logger

_log = get_logger(__name__)


class Incidents:
    """The incidents of one node."""

    def note(self, event: str, kind: str, **fields: object) -> None:
        """Log an incident. ``event`` and ``kind`` are words of our own code."""
        _log.info(event, kind=kind, **fields)

"""What the log counts about itself, for the metrics. One for the process, as the log is."""

from __future__ import annotations

from typing import Final

import attrs


@attrs.define(eq=False)
class Counts:
    """Lines that are not in the log."""

    held_back: int = 0
    """too many of their kind; they are summed up"""
    lost: int = 0
    """nobody took them: standard error is gone, or the journal is full or away"""


COUNTS: Final = Counts()

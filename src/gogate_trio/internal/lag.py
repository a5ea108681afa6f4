"""How late the event loop is: what every client waits at least, whatever it asks for."""

from __future__ import annotations

from typing import Final

import trio

from gogate_trio.metrics import Histogram

_PERIOD: Final = 0.1
"""seconds between two looks: sees most stalls of 100 ms and all longer ones, and costs 0.1 ‰"""


async def watch_lag(lag: Histogram) -> None:
    """Take note of how much later than asked for a sleeper wakes up, for ever."""
    while True:
        due = trio.current_time() + _PERIOD
        await trio.sleep_until(due)
        lag.observe(max(0.0, trio.current_time() - due))

"""The pace of commands: one bucket a user (a connection, for auth) and a kind of command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gogate_trio.limits import (
    EXCESS_TYPING,
    EXCESS_TYPING_PER_SECOND,
    STRIKES,
    STRIKES_PER_SECOND,
)
from gogate_trio.state.ratelimit import Limiter, Rate

_STRIKES: Final = Rate(STRIKES_PER_SECOND, STRIKES)
_EXCESS: Final = Rate(EXCESS_TYPING_PER_SECOND, EXCESS_TYPING)


class Throttle:
    """The rates of one node."""

    def __init__(self, rates: Mapping[str, Rate | None]) -> None:
        """Take a rate for each command's event name, and for ``control`` frames."""
        self._limiters = {name: Limiter[int](rate) for name, rate in rates.items()}
        self._strikes = Limiter[int](_STRIKES)
        self._excess = Limiter[int](_EXCESS)

    def adjust(self, rates: Mapping[str, Rate | None]) -> None:
        """Let these be the rates from now on, for the same names."""
        for name, rate in rates.items():
            self._limiters[name].adjust(rate)

    def rate(self, name: str) -> Rate | None:
        """Return the rate in force; None where there is none."""
        return self._limiters[name].rate

    def wait(self, name: str, key: int, now: float, *, count: int = 1) -> float:
        """Take ``count`` from a bucket: 0 when there was room, else seconds until there is."""
        return self._limiters[name].take(key, now, count)

    def strike(self, connection: int, now: float) -> bool:
        """Note that a connection had to be refused something; True when that is once too often."""
        return self._strikes.take(connection, now) > 0

    def excess(self, connection: int, now: float) -> bool:
        """Note a typing event that came too fast or for too many chats; True: once too often."""
        return self._excess.take(connection, now) > 0

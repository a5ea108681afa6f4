"""The pace of commands: one bucket a user (a connection, for auth) and a kind of command."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gogate_trio.limits import STRIKES, STRIKES_PER_SECOND
from gogate_trio.state.ratelimit import Limiter, Rate

_STRIKES: Final = Rate(STRIKES_PER_SECOND, STRIKES)


class Throttle:
    """The rates of one node."""

    def __init__(self, rates: Mapping[str, Rate | None]) -> None:
        """Take a rate for each command's event name, and for ``control`` frames."""
        self._limiters = {name: Limiter[int](rate) for name, rate in rates.items()}
        self._strikes = Limiter[int](_STRIKES)

    def wait(self, name: str, key: int, now: float, *, count: int = 1) -> float:
        """Take ``count`` from a bucket: 0 when there was room, else seconds until there is."""
        return self._limiters[name].take(key, now, count)

    def strike(self, connection: int, now: float) -> bool:
        """Note that a connection had to be refused something; True when that is once too often."""
        return self._strikes.take(connection, now) > 0

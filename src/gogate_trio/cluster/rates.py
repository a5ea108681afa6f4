"""The rates of a user or an address over all nodes.

The buckets are in Redis, asked for many at once. What is asked while a round trip is under way
goes with the next one. Nobody waits longer than a moment: while Redis does not answer, the
buckets of this node alone count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

import attrs
import trio

from gogate_trio import limits
from gogate_trio.cluster import scripts
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.wire import Word
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.ids import UserId
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.state.ratelimit import Rate

_log = get_logger(__name__)

_PER_TRIP: Final = 256
"""buckets in one round trip: about 0.5 ms of Redis's time"""


@attrs.define(eq=False)
class _Asking:
    """Somebody who wants to take one from a bucket."""

    key: bytes
    rate: Rate
    wait: float | None = None
    """Seconds until there is one; None: nobody has said."""
    heard: trio.Event = attrs.field(factory=trio.Event)


class SharedRates:
    """The buckets of all users and addresses. ``run`` must be running for anybody to be told."""

    def __init__(
        self,
        link: Link,
        rate_of: Callable[[str], Rate | None],
        metrics: Metrics,
        *,
        patience: float = limits.CLUSTER_WAIT_SECONDS,
        pause: float = limits.NODE_BEAT_SECONDS,
    ) -> None:
        """``rate_of`` returns the rate in force of a command, or of handshakes.

        ``patience``, ``pause``: seconds. After Redis did not answer, nobody is asked to wait for
        it during a pause.
        """
        self._link = link
        self._rate_of = rate_of
        self._metrics = metrics
        self._patience = patience
        self._pause = pause
        self._asking: deque[_Asking] = deque()
        self._work = trio.Event()
        self._away_until = -1.0

    async def wait(self, name: str, who: UserId | str) -> float:
        """Take one from a bucket: 0 when there was one, else the seconds until there is."""
        rate = self._rate_of(name)
        if rate is None:
            return 0.0
        asking = _Asking(self._link.key(f"rate:{name}:{who}"), rate)
        is_away = trio.current_time() < self._away_until
        if not is_away and len(self._asking) < limits.CLUSTER_WAITING:
            self._asking.append(asking)
            self._work.set()
            with trio.move_on_after(self._patience):
                await asking.heard.wait()
        if asking.wait is None:
            self._metrics.fallbacks["rates"] += 1
            return 0.0
        return asking.wait

    async def run(self) -> None:
        """Ask Redis for whoever waits, for ever."""
        while True:
            await self._work.wait()
            self._work = trio.Event()
            while self._asking:
                count = min(len(self._asking), _PER_TRIP)
                turn = [self._asking.popleft() for _ in range(count)]
                try:
                    await self._ask(turn)
                except ClusterUnavailable:
                    self._fall_back(turn)
                except Exception:  # noqa: BLE001 - the fence: this is not worth the node
                    self._metrics.bugs += 1
                    _log.exception("shared_rates_failed")
                    self._fall_back(turn)

    async def _ask(self, turn: list[_Asking]) -> None:
        words: list[Word] = []
        for asking in turn:
            words += (f"{asking.rate.interval * 1e6:.3f}", asking.rate.burst)
        waits = await self._link.run(scripts.RATES, [asking.key for asking in turn], *words)
        if not isinstance(waits, list) or len(waits) != len(turn):
            raise ClusterUnavailable("no usable answer")
        for asking, wait in zip(turn, waits, strict=True):
            if not isinstance(wait, int):
                raise ClusterUnavailable("no usable answer")
            asking.wait = wait / 1e6
            asking.heard.set()

    def _fall_back(self, turn: list[_Asking]) -> None:
        self._away_until = trio.current_time() + self._pause
        for asking in (*turn, *self._asking):
            asking.heard.set()
        self._asking.clear()

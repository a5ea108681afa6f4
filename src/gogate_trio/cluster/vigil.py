"""Who has gone without a goodbye, and owes the others what they were never told.

A node that is killed may have had something stored that nobody was told; cut off from Redis, it
has told its own clients what no others heard. Nobody else knows what that was: but that the node
is missing, they see.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from gogate_trio.cluster.base import Pulse
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics

_log = get_logger(__name__)

Mourn = Callable[[], Awaitable[Sequence[str]]]
"""Tells everybody, once for all nodes, who is missing; returns whom it has told of."""


class Vigil:
    """One node's look at the others. Time is an argument.

    Who was not punctual itself misses nobody: after a Redis that was away, or a machine that
    stood still, everybody is late. It waits until whoever lives has been seen again.
    """

    def __init__(self, pulse: Pulse, metrics: Metrics, mourn: Mourn | None) -> None:
        """Without ``mourn`` nobody is missed."""
        self._patience = pulse.lease + pulse.beat
        self._longest = pulse.lease / 2
        self._metrics = metrics
        self._mourn = mourn
        self._since: float | None = None
        """Since when this node was punctual; None while it is not."""

    def lose_sight(self) -> None:
        """Redis is away: nobody can be seen."""
        self._since = None

    async def look(self, ago: float, missing: int, now: float) -> None:
        """Take the answer to a sign of life, and mourn who is missing.

        ``ago``: seconds since the one before, as Redis has it; negative when it has none.
        ``missing``: how many nodes are. Raises ``ClusterUnavailable``.
        """
        if self._since is None or not 0 <= ago <= self._longest:
            self._since = now
        if not missing or self._mourn is None or now - self._since < self._patience:
            return
        for node in await self._mourn():
            self._metrics.lost_nodes += 1
            _log.warning("node_lost", lost=node)

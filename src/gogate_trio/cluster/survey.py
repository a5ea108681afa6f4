"""What the other nodes have said: which there are, and who is on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from gogate_trio import limits
from gogate_trio.cluster import scripts
from gogate_trio.cluster.base import HERE, NodeInfo
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.replies import items, ms, number, text
from gogate_trio.cluster.wire import Reply
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.ids import UserId
from gogate_trio.metrics import Metrics

_PER_QUESTION: Final = 500
"""users asked about in one go: about 0.5 ms of Redis's time with three nodes. Beyond some 7,900 the
stack of its Lua is full."""

_NO_TRACE: Final = -2
"""A standing that is no time."""


class Survey:
    """Asks Redis about all nodes. Serves one of them."""

    def __init__(
        self,
        link: Link,
        card: Callable[[], NodeInfo],
        metrics: Metrics,
        *,
        grace: float = limits.PRESENCE_GRACE_SECONDS,
    ) -> None:
        """``card`` returns what this node says of itself. ``grace``: seconds."""
        self._link = link
        self._card = card
        self._metrics = metrics
        self._grace = grace

    @property
    def own(self) -> NodeInfo:
        """This node, as it is now."""
        return self._card()

    async def standings(self, users: Sequence[UserId]) -> list[float | None]:
        """Return for each user how long ago, in seconds, they left the other nodes.

        ``HERE`` for who is on one; None for who has not been on any lately. Raises
        ``ClusterUnavailable``.
        """
        found: list[float | None] = []
        try:
            for begin in range(0, len(users), _PER_QUESTION):
                found += await self._standings(users[begin : begin + _PER_QUESTION])
        except ClusterUnavailable:
            self._metrics.fallbacks["presence"] += 1
            raise
        return found

    async def _standings(self, users: Sequence[UserId]) -> list[float | None]:
        keys = [self._link.key("nodes"), self._link.key("left")]
        words = (self._link.key("node:"), self._link.node, ms(self._grace))
        reply = await self._link.run(scripts.STANDINGS, keys, *words, *users)
        return [_standing(number(answer)) for answer in items(reply, len(users))]

    async def nodes(self) -> list[NodeInfo]:
        """Return all nodes that live, this one first. Raises ``ClusterUnavailable``."""
        keys = [self._link.key("nodes")]
        cards = await self._link.run(scripts.NODES, keys, self._link.key("node:"))
        own = self.own
        found = [card for card in map(_read_card, items(cards)) if card is not None]
        others = sorted(
            (card for card in found if card.id != own.id), key=lambda card: (card.name, card.id)
        )
        return [own, *others]

    async def holders(self, user_id: UserId) -> list[tuple[NodeInfo, int]]:
        """Return which other nodes have connections of a user, and how many.

        Raises ``ClusterUnavailable``.
        """
        keys = [self._link.key("nodes")]
        reply = items(await self._link.run(scripts.HOLDERS, keys, self._link.key("node:"), user_id))
        found = [
            (card, number(count))
            for card, count in zip(map(_read_card, reply[::2]), reply[1::2], strict=True)
            if card is not None and card.id != self._link.node
        ]
        return sorted(found, key=lambda one: (one[0].name, one[0].id))


def _standing(answer: int) -> float | None:
    if answer == _NO_TRACE:
        return None
    return HERE if answer < 0 else answer / 1000


def _read_card(reply: Reply) -> NodeInfo | None:
    """Return what a node says of itself; None for what no node of ours can have said."""
    try:
        return msgspec.json.decode(text(reply), type=NodeInfo)
    except ValueError:
        return None

"""Which broker a node has: that of several nodes where there is a Redis.

What only several nodes need is imported here, where it is needed: it costs half a second.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from gogate_trio.broker.base import Broker, Learn, Obey, Receiver
from gogate_trio.broker.memory import MemoryBroker

if TYPE_CHECKING:
    from gogate_trio.cluster.link import Link
    from gogate_trio.config import ClusterSettings
    from gogate_trio.metrics import Metrics, RedisCounts


@asynccontextmanager
async def open_link_if_any(
    settings: ClusterSettings, counts: RedisCounts
) -> AsyncIterator[Link | None]:
    """Provide the way to Redis for the block; None where a node is alone.

    Raises ``OperatorError`` when the settings cannot work.
    """
    if settings.redis is None:
        yield None
        return
    from gogate_trio.cluster.link import open_link  # noqa: PLC0415

    async with open_link(settings, counts) as link:
        yield link


def make_broker(  # noqa: PLR0913  # what was made before it
    link: Link | None,
    receiver: Receiver,
    obey: Obey,
    events: int,
    metrics: Metrics,
    *,
    learn: Learn,
) -> Broker:
    """Return the broker of a node, to be run. ``learn`` is told of each message of another node."""
    if link is None:
        return MemoryBroker(receiver, obey, metrics)
    from gogate_trio.broker.redis import RedisBroker  # noqa: PLC0415

    return RedisBroker(link, receiver, obey, events, metrics, learn=learn)

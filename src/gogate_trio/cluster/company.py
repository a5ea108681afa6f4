"""What a node has to do with the others, where there are any: put together, and run."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import trio

from gogate_trio.cluster.base import Census, NodeInfo
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.rates import SharedRates
from gogate_trio.cluster.registry import Registry
from gogate_trio.cluster.survey import Survey
from gogate_trio.cluster.vigil import Mourn
from gogate_trio.config import AdmissionSettings
from gogate_trio.metrics import Metrics
from gogate_trio.state.ratelimit import Rate


@attrs.frozen(eq=False)
class Company:
    """A node among others."""

    survey: Survey
    registry: Registry
    rates: SharedRates

    async def run(self) -> None:
        """Be one of them, for ever."""
        async with trio.open_nursery() as services:
            services.start_soon(self.registry.run)
            services.start_soon(self.rates.run)

    async def leave(self, *, owes: bool) -> None:
        """Say goodbye, within a moment. ``owes``: not all that happened here was told."""
        await self.registry.leave(owes=owes)


def join(  # noqa: PLR0913 - what it is made of, by keyword
    link: Link,
    *,
    census: Census,
    card: Callable[[], NodeInfo],
    admission: Callable[[], AdmissionSettings],
    rate_of: Callable[[str], Rate | None],
    metrics: Metrics,
    mourn: Mourn,
) -> Company:
    """Make a node one of several. ``card`` returns what it says of itself."""
    registry = Registry(link, census, card, admission=admission, metrics=metrics, mourn=mourn)
    return Company(Survey(link, card, metrics), registry, SharedRates(link, rate_of, metrics))

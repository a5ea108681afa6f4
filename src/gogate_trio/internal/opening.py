"""Puts the internal port together, where it is on."""

from __future__ import annotations

import attrs
import trio

from gogate_trio.config import InternalSettings
from gogate_trio.internal.dials import Dials
from gogate_trio.internal.exposition import Exposition
from gogate_trio.internal.lag import watch_lag
from gogate_trio.internal.port import serve_internal
from gogate_trio.internal.readiness import Phase, Readiness
from gogate_trio.server.pages import HEALTH


@attrs.frozen(eq=False)
class Internal:
    """The internal side of a node."""

    port: int | None
    """None when it is off."""
    readiness: Readiness

    async def serve_until(self, stop: trio.Event) -> None:
        """Be ready from now on, until the event; from then on the node drains."""
        self.readiness.phase = Phase.SERVING
        await stop.wait()
        self.readiness.phase = Phase.DRAINING


async def open_internal(
    settings: InternalSettings, dials: Dials, supervisor: trio.Nursery
) -> Internal:
    """Serve the internal port, if it is on, until the supervisor ends.

    Raises ``OperatorError`` when it is not free.
    """
    readiness = Readiness(dials.backend, supervisor)
    if settings.port is None:
        return Internal(None, readiness)
    supervisor.start_soon(watch_lag, dials.metrics.lag)
    pages = {
        "/health": lambda: HEALTH,
        "/ready": readiness.page,
        "/metrics": Exposition(dials).page,
    }
    port: int = await supervisor.start(serve_internal, settings.host, settings.port, pages)
    return Internal(port, readiness)

"""Puts the internal port together, where it is on."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from functools import partial
from typing import Protocol

import attrs
import trio

from gogate_trio.config import Settings
from gogate_trio.internal.api.keys import ApiKeys
from gogate_trio.internal.api.openapi import with_document
from gogate_trio.internal.api.operations import OPERATIONS
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.service import Service
from gogate_trio.internal.console import PATH as CONSOLE
from gogate_trio.internal.console import console_page
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
    keys: ApiKeys
    """Who may ask; to be replaced when the operator changes them."""

    async def serve_until(self, stop: trio.Event) -> None:
        """Be ready from now on, until the event; from then on the node drains."""
        self.readiness.phase = Phase.SERVING
        await stop.wait()
        self.readiness.phase = Phase.DRAINING


class Watched(Protocol):
    """The parts of a node that the internal port is about."""

    @property
    def dials(self) -> Dials:
        """Where its numbers are read."""

    @property
    def readiness(self) -> Readiness:
        """Whether it can do its work."""

    @property
    def rooms(self) -> Rooms:
        """What the internal API leads to."""


async def open_internal(
    settings: Settings,
    node: Watched,
    supervisor: trio.Nursery,
    *,
    stop: trio.Event,
    inherited: Sequence[socket.socket] = (),
) -> Internal:
    """Serve the internal port, if it is on, until the supervisor ends.

    It is on when a setting says so or sockets for it were ``inherited``. ``stop`` is what drains
    the node. Raises ``OperatorError`` when the port is not free.
    """
    keys, host, port = (
        ApiKeys(settings.internal_api_keys),
        settings.internal.host,
        settings.internal.port,
    )
    if port is None and not inherited:
        return Internal(None, node.readiness, keys)
    supervisor.start_soon(watch_lag, node.dials.metrics.lag)
    console = console_page()
    pages = {
        CONSOLE: lambda: console,
        "/health": lambda: HEALTH,
        "/ready": node.readiness.page,
        "/metrics": Exposition(node.dials).page,
    }
    rooms = attrs.evolve(node.rooms, stop=stop)
    api = Service(rooms, keys, with_document(OPERATIONS))
    serve = partial(serve_internal, host, port or 0, pages, api, inherited=inherited)
    bound: int = await supervisor.start(serve)
    return Internal(bound, node.readiness, keys)

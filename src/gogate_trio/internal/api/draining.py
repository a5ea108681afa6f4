"""What one node is told alone: to end in good order."""

from __future__ import annotations

import os

import trio

from gogate_trio.internal.api.asked import Asked
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.shapes import Draining
from gogate_trio.log import get_logger

_log = get_logger(__name__)


async def drain(rooms: Rooms, _asked: Asked) -> Draining:
    """Let the node drain, if it does not yet, and say how far it is."""
    await trio.lowlevel.checkpoint()
    if not rooms.stop.is_set():
        _log.info("draining", cause="internal API")
        rooms.stop.set()
    return Draining(
        node=rooms.nodes.own.name,
        pid=os.getpid(),
        connections=rooms.house.metrics.connections,
        timeout=rooms.house.settings.drain.timeout,
    )

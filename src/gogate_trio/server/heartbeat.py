"""Pings the silent, hangs up on the dead and on the stuck.

One sweep over all connections instead of a task and a timer for each. Any byte from a
client counts as a sign of life, so a busy one is never pinged, and a slow backend never
makes a live client look dead.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

import trio

from gogate_trio.config import WebSocketSettings
from gogate_trio.protocol import close
from gogate_trio.protocol.frames import PING_FRAME
from gogate_trio.server.connection import Connection

_SLOWEST_SWEEP = 1.0
"""seconds between two sweeps at most: how late a verdict can be"""
_PER_TURN = 500
"""connections looked at between two checkpoints: about 0.2 ms"""


async def sweep(
    connections: AbstractSet[Connection], current: Callable[[], WebSocketSettings]
) -> None:
    """Look after all connections by the settings that are current, for ever."""
    before = trio.current_time()
    while True:
        settings = current()
        shortest = min(
            settings.ping_period, settings.pong_wait - settings.ping_period, settings.write_wait
        )
        period = min(_SLOWEST_SWEEP, shortest / 4)
        await trio.sleep(period)
        now = trio.current_time()
        # When it was we who stood still, nobody else made no progress.
        stood_still = now - before - period
        before = now
        for count, connection in enumerate(tuple(connections)):
            connection.outbox.progress_at += stood_still
            _look_after(connection, now, settings)
            if count % _PER_TURN == _PER_TURN - 1:
                await trio.lowlevel.checkpoint()


def _look_after(connection: Connection, now: float, settings: WebSocketSettings) -> None:
    if not connection.is_reading:
        return
    outbox = connection.outbox
    if outbox.is_waiting and now - outbox.progress_at > settings.write_wait:
        connection.hang_up(close.SLOW_CONSUMER)
        return
    silence = now - connection.heard_at
    if silence > settings.ping_period and not connection.is_pinged:
        # Also after PONG_WAIT: when it was we who stood still, nobody has been asked yet.
        connection.is_pinged = True
        outbox.offer(PING_FRAME)
    elif silence > settings.pong_wait:
        connection.hang_up(close.NO_PONG)

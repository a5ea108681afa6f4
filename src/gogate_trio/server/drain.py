"""The end of all connections of a node, so that it is no stampede somewhere else.

What was asked is answered first. Then one client after the other is hung up on, at an even
pace and in no order, each with a delay of its own to wait before it comes back.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from typing import Final

import trio

from gogate_trio.broker.base import Broker
from gogate_trio.config import DrainSettings, Settings
from gogate_trio.hub import Hub
from gogate_trio.limits import DRAIN_PER_SECOND, DRAIN_SPREAD_SECONDS, RECONNECT_SECONDS
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.server.connection import Connection
from gogate_trio.server.house import House

Draw = Callable[[float, float], float]
"""Draws a number between its arguments."""

_SHARE: Final = 0.75
"""the share of the time there is that may be spent on answers, and of what is left then on the
spread: the rest is for the goodbyes themselves"""

_PER_TURN: Final = 256
"""clients told between two checkpoints: about 2 ms"""


async def drain(house: House, broker: Broker, hub: Hub, *, draw: Draw = random.uniform) -> bool:
    """Answer everybody and hang up on them; whether everything that was asked has been told.

    Returns when the last has been hung up on; their goodbyes may take a little longer. Takes
    less than DRAIN_TIMEOUT.
    """
    settings = house.settings.drain
    ends_at = trio.current_time() + settings.timeout
    is_told = await _answer_all(house, broker, hub, within=settings.timeout * _SHARE)
    over = min(spread(settings, len(house.connections)), (ends_at - trio.current_time()) * _SHARE)
    absence = least_absence(house.settings, over)
    await send_away(house.connections, over=over, absence=absence, draw=draw)
    with trio.move_on_after((ends_at - trio.current_time()) * _SHARE):
        # With Redis away that is worth waiting for: nobody else has it.
        await broker.wait_handed_over()
    return is_told


def spread(settings: DrainSettings, clients: int) -> float:
    """Return the seconds over which so many clients are to be hung up on."""
    if settings.spread is not None:
        return settings.spread
    return min(DRAIN_SPREAD_SECONDS, clients / DRAIN_PER_SECOND)


def least_absence(settings: Settings, over: float) -> float:
    """Return the seconds that clients who are hung up on over so many have to stay away at least.

    With Redis there are other nodes to go to. A node that is alone is not there before its drain
    is over: the first would come to a closed door, and all of them stand there when it opens.
    """
    return over if settings.cluster.redis is None else 0.0


async def send_away(
    connections: Collection[Connection],
    *,
    over: float,
    absence: float,
    draw: Draw = random.uniform,
) -> None:
    """Hang up on all connections within ``over`` seconds, at an even pace and in no order.

    They come back at that pace too, each after ``absence`` seconds and a delay of its own.
    """
    leaving = [
        (draw(0.0, 1.0), connection, _restart(absence + draw(*RECONNECT_SECONDS)))
        for connection in connections
    ]
    leaving.sort(key=lambda each: each[0])
    for count, (_, connection, hangup) in enumerate(leaving, 1):
        connection.announce(hangup)
        if not count % _PER_TURN:
            await trio.lowlevel.checkpoint()
    begin = trio.current_time()
    for place, (_, connection, hangup) in enumerate(leaving):
        # Within its own slot at random: nothing that all do at the same beat.
        await trio.sleep_until(begin + over * (place + draw(0.0, 1.0)) / len(leaving))
        connection.hang_up(hangup)


def _restart(after: float) -> Hangup:
    return close.restart(round(after * 1000))


async def _answer_all(house: House, broker: Broker, hub: Hub, *, within: float) -> bool:
    """Stop reading; answer and publish what was asked; whether all of it was in that time."""
    for connection in tuple(house.connections):
        connection.stop_reading()
    with trio.move_on_after(within) as answering:
        await house.calls.wait_idle()
        await broker.wait_settled()
        await hub.wait_settled()
    return not answering.cancelled_caught

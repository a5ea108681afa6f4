"""The overview: one node at a glance, read in one go."""

from __future__ import annotations

import heapq
import os
import resource
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import trio

from gogate_trio.internal.api.asked import Asked
from gogate_trio.internal.api.looking import show_connections, show_nodes
from gogate_trio.internal.api.overview_shapes import (
    BackendShown,
    Crowd,
    EndShown,
    HistogramShown,
    Overview,
    PartShown,
    ProcessShown,
    RedisShown,
    Waiting,
)
from gogate_trio.internal.api.problems import Refused
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.shapes import NodeShown
from gogate_trio.internal.dials import Reading
from gogate_trio.limits import OVERVIEW_CONNECTIONS
from gogate_trio.metrics import WAIT_BOUNDS, Histogram, Metrics
from gogate_trio.server.connection import Connection
from gogate_trio.server.house import House

_STATM: Final = Path("/proc/self/statm")
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


async def overview(rooms: Rooms, _asked: Asked) -> Overview:
    """Show the node. Costs 3 ms with 10,000 connections."""
    nodes = await _nodes(rooms)
    reading = rooms.dials.read()
    behind = (each for each in rooms.house.connections if each.outbox.is_waiting)
    return Overview(
        node=nodes[0],
        time=datetime.now(UTC),
        at=trio.current_time(),
        parts={
            name: PartShown(part.ready, part.state)
            for name, part in rooms.readiness.parts().items()
        },
        connections=_crowd(reading, rooms.house),
        waiting=_waiting(reading),
        totals=_totals(reading),
        latencies=_latencies(reading.metrics),
        backend=BackendShown(reading.gate.running, reading.gate.waiting, reading.gate.opened),
        redis=_redis(reading),
        process=_process(),
        slowest=show_connections(heapq.nlargest(OVERVIEW_CONNECTIONS, behind, key=_depth_of)),
        newest=show_connections(
            heapq.nlargest(OVERVIEW_CONNECTIONS, rooms.house.connections, key=_number_of)
        ),
        ends=_ends(rooms.house),
        nodes=nodes,
    )


async def _nodes(rooms: Rooms) -> list[NodeShown]:
    """Return this node, and the others as far as they can be asked."""
    try:
        return await show_nodes(rooms)
    except Refused:
        return await show_nodes(rooms, alone=True)


def _crowd(reading: Reading, house: House) -> Crowd:
    crowd = reading.crowd
    return Crowd(
        crowd.authenticated,
        crowd.unauthenticated,
        crowd.leaving,
        len(house.directory),
        house.admission.most,
    )


def _waiting(reading: Reading) -> Waiting:
    crowd = reading.crowd
    return Waiting(
        crowd.behind, crowd.frames, crowd.bytes, reading.hub_waiting, reading.late_waiting
    )


def _totals(reading: Reading) -> dict[str, int]:
    metrics = reading.metrics
    failed = sum(count for (_, outcome), count in metrics.calls.items() if outcome != "ok")
    return {
        "accepted": metrics.accepted,
        "turned_away": metrics.turned_away.total(),
        "closed": metrics.closed.total(),
        "commands": metrics.commands.total(),
        "messages": metrics.commands["send_message"],
        "publications": metrics.publications,
        "deliveries": metrics.deliveries,
        "errors": metrics.errors.total(),
        "shed": metrics.shed + reading.crowd.shed,
        "backend_calls": metrics.calls.total(),
        "backend_failures": failed,
        "api_requests": metrics.api.total(),
        "bugs": metrics.bugs,
    }


def _latencies(metrics: Metrics) -> dict[str, HistogramShown]:
    return {
        "delivery": _show([metrics.told]),
        "backend": _show(metrics.call_seconds.values()),
        "fan_out": _show([metrics.fan_out]),
        "loop_lag": _show([metrics.lag]),
    }


def _show(histograms: Iterable[Histogram]) -> HistogramShown:
    """Return histograms of the same buckets as one."""
    several = list(histograms) or [Histogram(WAIT_BOUNDS)]
    counts = [sum(bucket) for bucket in zip(*(each.counts for each in several), strict=True)]
    return HistogramShown(list(several[0].bounds), counts, sum(each.sum for each in several))


def _redis(reading: Reading) -> RedisShown | None:
    broker = reading.broker
    if broker is None:
        return None
    return RedisShown(broker.state, broker.behind, broker.behind_seconds, broker.backlog)


def _process() -> ProcessShown:
    used = resource.getrusage(resource.RUSAGE_SELF)
    resident = int(_STATM.read_text().split()[1])
    return ProcessShown(used.ru_utime + used.ru_stime, resident * _PAGE_BYTES)


def _ends(house: House) -> list[EndShown]:
    wall, now = datetime.now(UTC), trio.current_time()
    return [
        EndShown(
            wall - timedelta(seconds=now - end.at),
            end.number,
            end.user.user_id if end.user else None,
            end.user.name if end.user else None,
            end.hangup.code,
            end.hangup.text,
        )
        for end in reversed(house.ends)
    ]


def _depth_of(connection: Connection) -> tuple[int, int]:
    return connection.outbox.waiting_bytes, connection.number


def _number_of(connection: Connection) -> int:
    return connection.number

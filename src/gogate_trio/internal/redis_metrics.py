"""What is counted of Redis and of the way to the other nodes; all 0 where a node is alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from gogate_trio.broker.base import BrokerStatistics
from gogate_trio.internal.dials import Reading
from gogate_trio.metrics import Histogram

STATES: Final = ("attached", "healing", "detached")

Row = tuple[
    Literal["counter", "gauge", "histogram"], str, str, Callable[[Reading], float | Histogram]
]
"""Kind, name, help, and where it is read."""

_ALONE: Final = BrokerStatistics(
    state="",
    is_up=False,
    is_heard=False,
    is_followed=False,
    behind=0,
    behind_seconds=0.0,
    backlog=0,
    backlog_bytes=0,
    owes_gap=False,
)


def states(reading: Reading) -> list[tuple[tuple[str, ...], float]]:
    """Return which state it is in: one of them is 1."""
    state = _of(reading).state
    return [((each,), float(each == state)) for each in STATES]


def _of(reading: Reading) -> BrokerStatistics:
    return reading.broker or _ALONE


ROWS: Final[tuple[Row, ...]] = (
    (
        "gauge",
        "gogate_redis_up",
        "Whether Redis did the last thing it was asked; 0 also where there is none.",
        lambda r: float(_of(r).is_up),
    ),
    (
        "gauge",
        "gogate_redis_heard",
        "Whether what this node says on Redis's channel comes back to it.",
        lambda r: float(_of(r).is_heard),
    ),
    (
        "counter",
        "gogate_redis_connects_total",
        "Connections to Redis that were opened.",
        lambda r: r.metrics.redis.connects,
    ),
    (
        "counter",
        "gogate_redis_outages_total",
        "Times Redis did not do what it was asked, after it had.",
        lambda r: r.metrics.redis.outages,
    ),
    (
        "counter",
        "gogate_broker_detachments_total",
        "Times this node went on serving its own clients alone.",
        lambda r: r.metrics.redis.detachments,
    ),
    (
        "counter",
        "gogate_broker_written_total",
        "Publications of this node put into the stream.",
        lambda r: r.metrics.redis.written,
    ),
    (
        "counter",
        "gogate_broker_read_total",
        "Publications read from the stream, this node's own too.",
        lambda r: r.metrics.redis.read,
    ),
    (
        "histogram",
        "gogate_broker_write_seconds",
        "How long Redis took for publications written together.",
        lambda r: r.metrics.redis.publish_seconds,
    ),
    (
        "gauge",
        "gogate_broker_behind",
        "Publications in the stream that this node has not read.",
        lambda r: _of(r).behind,
    ),
    (
        "gauge",
        "gogate_broker_seconds_behind",
        "How long ago this node had read all there was; 0 when it has.",
        lambda r: _of(r).behind_seconds,
    ),
    (
        "gauge",
        "gogate_broker_backlog",
        "Publications that only this node's clients have been told.",
        lambda r: _of(r).backlog,
    ),
    (
        "gauge",
        "gogate_broker_backlog_bytes",
        "Bytes of publications that are under way.",
        lambda r: _of(r).backlog_bytes,
    ),
    (
        "counter",
        "gogate_broker_backlog_dropped_total",
        "Publications that other nodes will never be told; they are told of a gap in their place.",
        lambda r: r.metrics.redis.backlog_dropped,
    ),
    (
        "counter",
        "gogate_broker_junk_total",
        "Entries of the stream and messages of the channel that made no sense.",
        lambda r: r.metrics.redis.junk,
    ),
    (
        "counter",
        "gogate_broker_ephemeral_dropped_total",
        "Typing events that the other nodes were not told.",
        lambda r: r.metrics.redis.ephemeral_dropped,
    ),
)

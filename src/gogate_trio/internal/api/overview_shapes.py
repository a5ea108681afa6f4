"""What an overview of a node is made of, as JSON: for the console and for ``gogate top``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from gogate_trio.ids import ConnectionId, UserId
from gogate_trio.internal.api.shapes import ConnectionShown, NodeShown


class PartShown(msgspec.Struct, frozen=True):
    """How one part of the node is, as ``/ready`` says it."""

    ready: bool
    state: str


class HistogramShown(msgspec.Struct, frozen=True):
    """How often a duration fell into which bucket, since the start."""

    bounds: Annotated[list[float], Meta(description="The largest value of each, in seconds.")]
    counts: Annotated[list[int], Meta(description="One more than bounds: what is above them.")]
    sum: Annotated[float, Meta(description="All values together.")]


class Crowd(msgspec.Struct, frozen=True):
    """Who is here."""

    authenticated: int
    unauthenticated: int
    leaving: int
    users: int
    most: Annotated[int, Meta(description="Connections there may be.")]


class Waiting(msgspec.Struct, frozen=True):
    """What waits, and for whom."""

    connections: Annotated[int, Meta(description="Connections for which something waits.")]
    frames: int
    bytes: int
    publications: Annotated[int, Meta(description="Accepted and not yet offered to everybody.")]
    late: Annotated[int, Meta(description="Publications whose audience is not known yet.")]


class BackendShown(msgspec.Struct, frozen=True):
    """The way to the backend."""

    running: Annotated[int, Meta(description="Calls under way.")]
    waiting: Annotated[int, Meta(description="Calls that wait for their turn.")]
    opened: Annotated[int, Meta(description="Times the circuit breaker has opened.")]


class RedisShown(msgspec.Struct, frozen=True):
    """The way to the other nodes."""

    state: Annotated[str, Meta(description="attached, healing or detached.")]
    behind: Annotated[int, Meta(description="Publications that this node has not read yet.")]
    behind_seconds: Annotated[float, Meta(description="How long ago it had read all there was.")]
    backlog: Annotated[int, Meta(description="Publications the other nodes have not heard.")]


class ProcessShown(msgspec.Struct, frozen=True):
    """The process."""

    cpu_seconds: float
    memory_bytes: int


class EndShown(msgspec.Struct, frozen=True):
    """How a connection ended."""

    at: datetime
    number: ConnectionId
    user_id: UserId | None
    name: str | None
    code: Annotated[int, Meta(description="The close code; 0: there was nobody to tell.")]
    reason: str


class Overview(msgspec.Struct, frozen=True):
    """One node at one moment, with its latest connections and ends."""

    node: NodeShown
    time: Annotated[datetime, Meta(description="Now, by the node's own clock.")]
    at: Annotated[float, Meta(description="Seconds of a clock that only counts up: for rates.")]
    parts: dict[str, PartShown]
    connections: Crowd
    waiting: Waiting
    totals: Annotated[dict[str, int], Meta(description="What only counts up.")]
    latencies: Annotated[
        dict[str, HistogramShown],
        Meta(
            description="delivery: from reading a message to having offered it to everybody;"
            " backend: calls; fan_out; loop_lag."
        ),
    ]
    backend: BackendShown
    redis: Annotated[RedisShown | None, Meta(description="null: this node is alone by design.")]
    process: ProcessShown
    slowest: Annotated[
        list[ConnectionShown], Meta(description="For which most waits, the furthest behind first.")
    ]
    newest: Annotated[list[ConnectionShown], Meta(description="The newest first.")]
    ends: Annotated[list[EndShown], Meta(description="The newest first.")]
    nodes: Annotated[list[NodeShown], Meta(description="All nodes, as far as they can be asked.")]

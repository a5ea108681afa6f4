"""What the gateway counts about itself. Plain numbers: adding one costs nothing on the hot path.

Label values come from code (event names, codes of our own catalogues), never from a client.
What they are called for the outside is in ``internal.catalogue``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator
from typing import Final

import attrs

FAN_OUT_BOUNDS: Final = (
    *(0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005),
    *(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
"""seconds. One delivery takes 5 µs, so the first bucket holds ten and the last 200,000."""

WAIT_BOUNDS: Final = (
    *(0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0),
)
"""seconds. From a call on the same machine to well past the default deadline of one."""

LAG_BOUNDS: Final = (0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""seconds. Under 1 ms is what waking up costs anyway; from 50 ms on people notice."""


class Histogram:
    """How often a value fell into which bucket. Observing one costs 0.3 µs."""

    __slots__ = ("bounds", "counts", "sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        """``bounds``: the largest value of each bucket, rising; beyond the last lies one more."""
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.sum = 0.0
        """all values together"""

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    def observe(self, value: float) -> None:
        """Take note of a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value

    def cumulated(self) -> Iterator[tuple[float, int]]:
        """Yield each bound, infinity last, and how many values were not above it."""
        count = 0
        for bound, here in zip((*self.bounds, float("inf")), self.counts, strict=True):
            count += here
            yield bound, count


@attrs.define(eq=False)
class RedisCounts:
    """What one node counts of its Redis."""

    connects: int = 0
    """connections opened"""
    outages: int = 0
    """times it went away"""
    detachments: int = 0
    """times the node went on without it"""
    written: int = 0
    """publications of this node put into the stream"""
    read: int = 0
    """publications read from it, this node's own too"""
    junk: int = 0
    """what was found there or on the channel and made no sense"""
    backlog_dropped: int = 0
    """publications that other nodes will never be told"""
    ephemeral_dropped: int = 0
    """ephemeral events that the other nodes were not told"""
    publish_seconds: Histogram = attrs.field(factory=lambda: Histogram(WAIT_BOUNDS))
    """how long Redis took for a batch of publications"""


@attrs.define(eq=False)
class Metrics:
    """The counters of one node. Everything only ever counts up, but for ``connections``."""

    connections: int = 0
    """sockets past the upgrade and not yet gone"""
    accepted: int = 0
    """sockets accepted"""
    tls_failed: int = 0
    """sockets with which no TLS handshake succeeded"""
    refused: Counter[int] = attrs.field(factory=Counter)
    """requests answered with an HTTP error, by status"""
    turned_away: Counter[str] = attrs.field(factory=Counter)
    """sockets that found the house full, by which bound"""
    closed: Counter[str] = attrs.field(factory=Counter)
    """connections ended, by reason of the close catalogue"""
    commands: Counter[str] = attrs.field(factory=Counter)
    """commands understood, by event name"""
    errors: Counter[str] = attrs.field(factory=Counter)
    """``error`` events sent, by code"""
    publications: int = 0
    """events that went through the broker"""
    deliveries: int = 0
    """events offered to connections"""
    shed: int = 0
    """ephemeral events not queued for a connection that had fallen behind, or for a full hub;
    those of a connection that is still there are counted in its outbox"""
    late: int = 0
    """stored messages put aside because their members could not be learnt at once"""
    lost_audiences: int = 0
    """stored messages whose members could not be learnt in time: the stream has a gap"""
    resumes: Counter[str] = attrs.field(factory=Counter)
    """clients that asked to resume, by what came of it: new, recovered, resync"""
    restores: Counter[str] = attrs.field(factory=Counter)
    """what an earlier process has left in STATE_DIR, by what came of it: restored, none, or why
    it was ignored"""
    replayed: int = 0
    """events told again to clients that came back"""
    gaps: int = 0
    """times the stream had to begin anew: every resuming client was told to fetch"""
    api: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    """requests to the internal API, by operation and status"""
    nodes: int = 0
    """nodes that were alive at the last sign of life of this one, itself among them"""
    lost_nodes: int = 0
    """nodes gone without a goodbye that this one has told everybody of"""
    fallbacks: Counter[str] = attrs.field(factory=Counter)
    """questions the other nodes did not answer in time, by what about: then this node went by
    what it knew"""
    presence_told: int = 0
    """``presence`` events offered to connections"""
    rechecks: Counter[str] = attrs.field(factory=Counter)
    """tokens in use that the backend was asked about again, by what it said"""
    bugs: int = 0
    """exceptions that should not be: each is logged once"""
    spans: Counter[str] = attrs.field(factory=Counter)
    """spans of traces, by what became of them: sent, failed, dropped"""
    spans_queued: int = 0
    """spans that were put into the queue for the collector"""
    spans_taken: int = 0
    """spans that were taken out of it; counted in another thread"""
    calls: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    """calls to the backend, by endpoint and outcome"""
    call_seconds: dict[str, Histogram] = attrs.field(factory=dict)
    """how long they took, by endpoint"""
    fan_out: Histogram = attrs.field(factory=lambda: Histogram(FAN_OUT_BOUNDS))
    """seconds from the first offer of an event to the last"""
    told: Histogram = attrs.field(factory=lambda: Histogram(WAIT_BOUNDS))
    """seconds from reading a command to having offered its event to everybody who is here"""
    lag: Histogram = attrs.field(factory=lambda: Histogram(LAG_BOUNDS))
    """seconds by which the event loop was late"""

    redis: RedisCounts = attrs.field(factory=RedisCounts)

    def observe_call(self, endpoint: str, outcome: str, seconds: float) -> None:
        """Take note of a call to the backend: which, how it ended, how long it took."""
        self.calls[endpoint, outcome] += 1
        if endpoint not in self.call_seconds:
            self.call_seconds[endpoint] = Histogram(WAIT_BOUNDS)
        self.call_seconds[endpoint].observe(seconds)

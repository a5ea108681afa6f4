"""Where the numbers are read: the rooms that count, and what is only looked at when asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from gogate_trio.backend.gate import GateStatistics
    from gogate_trio.backend.membership import MembershipCache, MembershipStatistics
    from gogate_trio.backend.rest import RestBackend
    from gogate_trio.broker.base import Broker, BrokerStatistics
    from gogate_trio.hub import Hub
    from gogate_trio.metrics import Metrics
    from gogate_trio.presence import Presence
    from gogate_trio.publisher import Publisher
    from gogate_trio.server.house import House
    from gogate_trio.state.history import History


@attrs.frozen(eq=False)
class Dials:
    """The rooms of one node that have numbers."""

    metrics: Metrics
    house: House
    hub: Hub
    history: History
    publisher: Publisher
    membership: MembershipCache
    backend: RestBackend
    presence: Presence
    broker: Broker

    def read(self) -> Reading:
        """Read everything at once: 1 ms with 10,000 connections, and nothing in between."""
        crowd = Crowd()
        for connection in self.house.connections:
            if connection.hangup is not None:
                crowd.leaving += 1
            elif connection.user is None:
                crowd.unauthenticated += 1
            else:
                crowd.authenticated += 1
            outbox = connection.outbox
            crowd.shed += outbox.shed
            if outbox.is_waiting:
                crowd.behind += 1
                crowd.frames += outbox.waiting_frames
                crowd.bytes += outbox.waiting_bytes
                crowd.most_frames = max(crowd.most_frames, outbox.waiting_frames)
        return Reading(
            self.metrics,
            crowd,
            sockets=self.house.admission.total,
            hub_waiting=self.hub.waiting,
            history_events=len(self.history),
            late_waiting=self.publisher.waiting,
            membership=self.membership.statistics(),
            gate=self.backend.statistics(),
            presence_chats=self.presence.chats,
            broker=self.broker.statistics(),
        )


@attrs.define(eq=False)
class Crowd:
    """All connections together."""

    authenticated: int = 0
    unauthenticated: int = 0
    leaving: int = 0
    behind: int = 0
    """Connections for which something waits."""
    frames: int = 0
    bytes: int = 0
    most_frames: int = 0
    """What waits for the one that is furthest behind."""
    shed: int = 0


@attrs.frozen(eq=False)
class Reading:
    """The numbers of one moment."""

    metrics: Metrics
    crowd: Crowd
    sockets: int
    hub_waiting: int
    history_events: int
    late_waiting: int
    membership: MembershipStatistics
    gate: GateStatistics
    presence_chats: int
    broker: BrokerStatistics | None
    """None where the node is alone."""

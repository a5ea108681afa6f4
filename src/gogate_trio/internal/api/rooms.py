"""What the operations work with."""

from __future__ import annotations

import attrs
import trio

from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.base import Broker
from gogate_trio.internal.api.cluster import NodeDirectory, Presence
from gogate_trio.internal.dials import Dials
from gogate_trio.internal.readiness import Readiness
from gogate_trio.publisher import Publisher
from gogate_trio.server.house import House
from gogate_trio.state.messages import KnownMessages


@attrs.frozen(eq=False)
class Rooms:
    """The rooms of one node that the internal API leads to."""

    house: House
    broker: Broker
    membership: MembershipCache
    publisher: Publisher
    messages: KnownMessages
    nodes: NodeDirectory
    presence: Presence
    dials: Dials
    readiness: Readiness
    stop: trio.Event = attrs.field(factory=trio.Event)
    """Set, it drains this node."""

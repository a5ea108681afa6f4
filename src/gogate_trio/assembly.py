"""How a node is put together: who is handed what. Nothing runs yet when this is done."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from gogate_trio import __version__
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.backend.rest import RestBackend
from gogate_trio.broker.base import Broker
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.broker.opening import make_broker
from gogate_trio.caller import Caller, Joined, Outcome
from gogate_trio.calls import Calls
from gogate_trio.cluster.base import HANDSHAKES, NodeInfo
from gogate_trio.config import RateSettings, Settings
from gogate_trio.control import Control
from gogate_trio.hub import Hub
from gogate_trio.ids import NodeId
from gogate_trio.internal.api.cluster import SingleNode
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.dials import Dials
from gogate_trio.internal.readiness import Readiness
from gogate_trio.keeper import Keeper
from gogate_trio.limits import HISTORY_BYTES
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.presence import Presence
from gogate_trio.publisher import Publisher
from gogate_trio.resume import Reception
from gogate_trio.roster import Roster
from gogate_trio.router import Router
from gogate_trio.server.capacity import find_caps
from gogate_trio.server.connection import Connection
from gogate_trio.server.house import House
from gogate_trio.state.admission import Admission
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import History, Window, new_epoch
from gogate_trio.state.messages import KnownMessages
from gogate_trio.state.ratelimit import Rate
from gogate_trio.state.sessions import Sessions
from gogate_trio.state.snapshot import Estate
from gogate_trio.state.throttle import Throttle
from gogate_trio.succession import Succession
from gogate_trio.tracing.spans import Tracer
from gogate_trio.typing_events import Typists

if TYPE_CHECKING:
    from gogate_trio.cluster.company import Company
    from gogate_trio.cluster.link import Link


@attrs.frozen
class Node:
    """The parts of a node that its life is about."""

    house: House
    hub: Hub
    broker: Broker
    keeper: Keeper
    presence: Presence
    company: Company | None
    """The other nodes; None where there are none."""
    dials: Dials
    readiness: Readiness
    rooms: Rooms
    succession: Succession | None
    """None where the window is not this node's own."""

    @property
    def is_settled(self) -> bool:
        """Whether all that has happened has been told, so that nobody misses any of it."""
        return not self.hub.waiting and self.dials.publisher.is_settled

    @property
    def owes_nobody(self) -> bool:
        """Whether the other nodes have all of it, too, or know what they lack."""
        statistics = self.broker.statistics()
        is_owed = statistics is not None and (statistics.backlog or statistics.owes_gap)
        return self.is_settled and not is_owed


def assemble(  # noqa: PLR0913, PLR0917  # what was opened before anything could be made
    settings: Settings,
    backend: RestBackend,
    supervisor: trio.Nursery,
    metrics: Metrics,
    tracer: Tracer | None = None,
    link: Link | None = None,
) -> Node:
    """Make all parts of a node. ``supervisor`` is where their work runs.

    ``link`` leads to the other nodes; None where there are none.

    Raises ``OperatorError`` when the machine leaves no room for connections.
    """
    directory, busy = Directory[Outbox](), set[Outbox]()
    window = Window(settings.resume.window, settings.resume.events, HISTORY_BYTES)
    history = History(new_epoch(), window)
    hub = Hub(directory, history, metrics, busy, tracer)
    membership = MembershipCache(
        backend, supervisor, ttl=settings.membership.ttl, stale=settings.membership.stale
    )
    throttle = Throttle(paces(settings.rates))
    sessions = Sessions[Outcome, Joined](settings.resume.window)
    reception = Reception(history, sessions, membership, metrics)
    roster = Roster(settings.admission)
    started = time.time()

    def card() -> NodeInfo:
        """What this node says of itself."""
        name = settings.cluster.name
        return NodeInfo(
            NodeId(name) if link is None else link.node,
            name,
            __version__,
            readiness.phase.value,
            started,
            metrics.connections,
            len(roster),
        )

    admission = Admission(find_caps(settings.admission))

    def rate_of(name: str) -> Rate | None:
        """Return the rate in force of what is counted over all nodes."""
        return admission.handshakes if name == HANDSHAKES else throttle.rate(name)

    company = None if link is None else _join(link, roster, card, rate_of, metrics)
    presence = Presence(
        settings.presence,
        roster,
        membership,
        supervisor=supervisor,
        metrics=metrics,
        others=company.survey if company else None,
    )
    if company and settings.presence.on:
        company.registry.tell(presence.suspect)
    keeper = Keeper(
        backend,
        settings.auth,
        reception=reception,
        metrics=metrics,
        enter=company.registry.enter if company else None,
        attend=presence.ask,
    )
    connections, messages = set[Connection](), KnownMessages()
    control = Control(connections, membership, keeper, metrics, presence.forget_members)
    events, learn = settings.resume.events, messages.learn
    broker = make_broker(link, hub, control.obey, events, metrics, learn=learn)
    succession = None
    if isinstance(broker, MemoryBroker):
        # Several nodes have their window in Redis.
        succession = Succession(Estate(history, sessions, messages), broker, settings, metrics)
    publisher = Publisher(membership, broker, supervisor, metrics)
    shared = company.rates if company else None
    typists = Typists(membership, broker, supervisor, throttle, shared)
    router = Router(
        backend,
        publisher,
        typists,
        keeper,
        throttle,
        metrics,
        tracer,
        messages,
        shared=shared,
    )
    house = House(
        settings,
        router.handle,
        directory,
        admission,
        throttle,
        Calls(supervisor, metrics),
        metrics,
        busy=busy,
        connections=connections,
        greet=keeper.greet,
        forget=partial(_forget, keeper, presence),
        roster=roster,
        shared=shared,
    )
    dials = Dials(metrics, house, hub, history, publisher, membership, backend, presence, broker)
    readiness = Readiness(backend, supervisor, broker, admission)
    nodes = company.survey if company else SingleNode(card)
    rooms = Rooms(house, broker, membership, publisher, messages, nodes, presence, dials, readiness)
    return Node(house, hub, broker, keeper, presence, company, dials, readiness, rooms, succession)


def _join(
    link: Link,
    roster: Roster,
    card: Callable[[], NodeInfo],
    rate_of: Callable[[str], Rate | None],
    metrics: Metrics,
) -> Company:
    # What only several nodes need is imported where it is needed.
    from gogate_trio.broker.mourning import mourn  # noqa: PLC0415
    from gogate_trio.cluster.company import join  # noqa: PLC0415

    return join(
        link,
        census=roster,
        card=card,
        admission=lambda: roster.settings,
        rate_of=rate_of,
        metrics=metrics,
        mourn=partial(mourn, link),
    )


def _forget(keeper: Keeper, presence: Presence, caller: Caller) -> None:
    keeper.forget(caller)
    presence.leave(caller)


def paces(rates: RateSettings) -> dict[str, Rate | None]:
    """Return the rate of each command, by event name, and of control frames."""
    return {
        "auth": rates.auth,
        "send_message": rates.messages,
        "typing": rates.typing,
        "add_reaction": rates.reactions,
        "mark_read": rates.reads,
        "control": rates.control,
    }

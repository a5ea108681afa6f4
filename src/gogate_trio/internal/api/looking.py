"""What can be looked at: connections, nodes, presence."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
import trio

from gogate_trio.cluster.base import NodeInfo
from gogate_trio.errors import BackendError, ClusterUnavailable
from gogate_trio.ids import UserId
from gogate_trio.internal.api.asked import Asked
from gogate_trio.internal.api.problems import (
    BACKEND_UNAVAILABLE,
    CHAT_NOT_FOUND,
    CLUSTER_UNAVAILABLE,
    PRESENCE_OFF,
    Refused,
)
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.shapes import (
    Connections,
    ConnectionShown,
    ConnectionsQuery,
    Elsewhere,
    Nodes,
    NodeShown,
    PresenceQuery,
    PresenceShown,
)
from gogate_trio.server.connection import Connection


async def connections(rooms: Rooms, asked: Asked) -> Connections:
    """Show connections of this node, a page of them, and how many other nodes have."""
    await trio.lowlevel.checkpoint()
    query = asked.read_query(ConnectionsQuery)
    elsewhere = await _elsewhere(rooms, query)
    wanted = (
        each
        for each in rooms.house.connections
        if each.number > query.after
        and (query.user_id is msgspec.UNSET or _user_of(each) == query.user_id)
    )
    # One more than is shown tells whether there is a next page.
    found = heapq.nsmallest(query.limit + 1, wanted, key=_number_of)
    shown, more = found[: query.limit], found[query.limit :]
    return Connections(
        rooms.nodes.own.name,
        len(rooms.house.connections),
        show_connections(shown),
        shown[-1].number if more else None,
        elsewhere,
    )


async def nodes(rooms: Rooms, _asked: Asked) -> Nodes:
    """Show all nodes, this one first."""
    return Nodes(await show_nodes(rooms))


async def presence(rooms: Rooms, asked: Asked) -> PresenceShown:
    """Show who of a chat is connected."""
    chat_id = asked.read_query(PresenceQuery).chat_id
    try:
        online = await rooms.presence.online(chat_id)
    except BackendError as error:
        raise Refused(CHAT_NOT_FOUND if error.is_gone else BACKEND_UNAVAILABLE) from None
    except ClusterUnavailable:
        raise Refused(CLUSTER_UNAVAILABLE) from None
    if online is None:
        raise Refused(PRESENCE_OFF)
    return PresenceShown(chat_id, sorted(online))


def show_connections(some: Iterable[Connection]) -> list[ConnectionShown]:
    """Return what may be seen of these connections."""
    wall, now = datetime.now(UTC), trio.current_time()
    return [
        ConnectionShown(
            number=each.number,
            user_id=_user_of(each),
            name=each.user.name if each.user else None,
            address=each.address,
            since=wall - timedelta(seconds=now - each.opened_at),
            state="leaving" if each.hangup else "authenticated" if each.user else "unauthenticated",
            waiting_frames=each.outbox.waiting_frames,
            waiting_bytes=each.outbox.waiting_bytes,
            resumes=each.session is not None,
        )
        for each in some
    ]


async def show_nodes(rooms: Rooms, *, alone: bool = False) -> list[NodeShown]:
    """Return all nodes, or this one alone; this one first. Raises ``Refused``."""
    own = rooms.nodes.own
    try:
        known = [] if alone else await rooms.nodes.nodes()
    except ClusterUnavailable:
        raise Refused(CLUSTER_UNAVAILABLE) from None
    others = sorted(
        (each for each in known if each.id != own.id), key=lambda each: (each.name, each.id)
    )
    return [_show_node(own, here=True), *(_show_node(each, here=False) for each in others)]


async def _elsewhere(rooms: Rooms, query: ConnectionsQuery) -> list[Elsewhere] | None:
    """Return how many of the connections that are asked for other nodes have, if that is known."""
    own = rooms.nodes.own.id
    try:
        if query.user_id is msgspec.UNSET:
            found = [(each, each.connections) for each in await rooms.nodes.nodes()]
        else:
            found = list(await rooms.nodes.holders(query.user_id))
    except ClusterUnavailable:
        return None
    return [
        Elsewhere(node.name, node.id, count) for node, count in found if count and node.id != own
    ]


def _show_node(node: NodeInfo, *, here: bool) -> NodeShown:
    started = datetime.fromtimestamp(node.started, UTC)
    return NodeShown(
        node.id,
        node.name,
        node.version,
        started,
        node.connections,
        node.users,
        node.state,
        here,
    )


def _number_of(connection: Connection) -> int:
    return connection.number


def _user_of(connection: Connection) -> UserId | None:
    return connection.user.user_id if connection.user else None

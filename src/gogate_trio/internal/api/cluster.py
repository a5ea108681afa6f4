"""What the internal API needs to know of other nodes, and how a single node answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import attrs

from gogate_trio.cluster.base import NodeInfo
from gogate_trio.ids import ChatId, UserId


class NodeDirectory(Protocol):
    """Knows all nodes."""

    @property
    def own(self) -> NodeInfo:
        """This node, as it is now."""

    async def nodes(self) -> Sequence[NodeInfo]:
        """Return all nodes that live, this one among them. Bounded in time.

        Raises ``ClusterUnavailable``.
        """

    async def holders(self, user_id: UserId) -> Sequence[tuple[NodeInfo, int]]:
        """Return which other nodes have connections of a user, and how many. Bounded in time.

        Raises ``ClusterUnavailable``.
        """


class Presence(Protocol):
    """Knows who is connected to whatever node."""

    async def online(self, chat_id: ChatId) -> Collection[UserId] | None:
        """Return who of a chat is connected; None when nobody keeps track.

        Raises ``BackendError`` when the members cannot be learnt, ``ClusterUnavailable`` when
        the other nodes cannot be asked.
        """


@attrs.frozen(eq=False)
class SingleNode:
    """The directory of a node that has no others."""

    card: Callable[[], NodeInfo]
    """Returns what the node says of itself."""

    @property
    def own(self) -> NodeInfo:
        """This node."""
        return self.card()

    async def nodes(self) -> list[NodeInfo]:
        """Return this node."""
        return [self.own]

    async def holders(self, _user_id: UserId) -> list[tuple[NodeInfo, int]]:
        """Return nothing: there are no others."""
        return []

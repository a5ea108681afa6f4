"""What the internal API needs to know of other nodes, and how a single node answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import attrs

from gogate_trio import __version__
from gogate_trio.ids import ChatId, UserId


class NodeInfo(Protocol):
    """What is known of a node."""

    @property
    def id(self) -> str:
        """Another one in each life of the process."""

    @property
    def name(self) -> str:
        """What the operator calls it."""

    @property
    def version(self) -> str:
        """What runs there."""

    @property
    def started(self) -> float:
        """Seconds since 1970."""

    @property
    def connections(self) -> int:
        """How many there are on it."""

    @property
    def users(self) -> int:
        """How many users these are."""

    @property
    def state(self) -> str:
        """A word of ``readiness.Phase``."""


class NodeDirectory(Protocol):
    """Knows all nodes."""

    @property
    def own(self) -> NodeInfo:
        """This node, as it is now."""

    async def nodes(self) -> Sequence[NodeInfo]:
        """Return all nodes that live, this one among them. Bounded in time.

        Raises ``ClusterUnavailable``.
        """


class Presence(Protocol):
    """Knows who is connected to whatever node."""

    async def online(self, chat_id: ChatId) -> Collection[UserId] | None:
        """Return who of a chat is connected; None when nobody keeps track.

        Raises ``BackendError`` when the members cannot be learnt, ``ClusterUnavailable`` when
        the other nodes cannot be asked.
        """


@attrs.frozen
class Alone:
    """What a node knows of itself."""

    id: str
    name: str
    version: str
    started: float
    connections: int
    users: int
    state: str


@attrs.frozen(eq=False)
class SingleNode:
    """The directory of a node that has no others."""

    count: Callable[[], tuple[int, int]]
    """Returns how many connections and users there are."""
    state: Callable[[], str]
    """Returns where in its life the node is."""
    name: str
    _started: float = attrs.field(factory=time.time)

    @property
    def own(self) -> Alone:
        """This node."""
        connections, users = self.count()
        return Alone(
            self.name, self.name, __version__, self._started, connections, users, self.state()
        )

    async def nodes(self) -> list[Alone]:
        """Return this node."""
        return [self.own]

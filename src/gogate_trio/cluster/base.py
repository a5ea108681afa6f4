"""What the house asks of the other nodes. On a single node there is nobody to ask."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final, Protocol

import attrs

from gogate_trio import limits
from gogate_trio.ids import NodeId, UserId

HERE: Final = -1.0
"""In place of the seconds since somebody left: they have not."""


class Others(Protocol):
    """Where users are, as the other nodes have it."""

    async def standings(self, users: Sequence[UserId]) -> list[float | None]:
        """Return for each user how long ago, in seconds, they left the other nodes.

        ``HERE`` for who is on one; None for who has not been on any lately. Raises
        ``ClusterUnavailable``.
        """


class SharedPace(Protocol):
    """The rates of users and addresses over all nodes."""

    async def wait(self, name: str, who: UserId | str) -> float:
        """Take one from a bucket: 0 when there was one, else the seconds until there is.

        0 also when the other nodes do not say within a moment. Raises nothing.
        """


HANDSHAKES: Final = "handshakes"
"""The rate that is an address's; all others are called by their commands."""


class Census(Protocol):
    """Who is on this node."""

    def __len__(self) -> int:
        """Return how many users are here."""

    def watch(self, watch: Callable[[UserId, int], None]) -> None:
        """Have every change told from now on: the user, and how many connections they have."""

    def users(self) -> Iterator[UserId]:
        """Yield everybody who is here. Nobody may come or go meanwhile."""

    def count(self, user_id: UserId) -> int:
        """Return how many connections of a user are here."""

    def since(self, user_id: UserId) -> float:
        """Return since when the oldest is here, in seconds since 1970. They must be here."""

    def hang_up_oldest(self, user_id: UserId, count: int) -> None:
        """End so many connections of a user, the oldest first."""


@attrs.frozen
class NodeInfo:
    """What one node says of itself."""

    id: NodeId
    name: str
    """What the operator calls it; not unique."""
    version: str
    state: str
    started: float
    """Seconds since 1970."""
    connections: int
    users: int


@attrs.frozen(kw_only=True)
class Pulse:
    """The seconds of the registry; see ``limits`` for each."""

    beat: float = limits.NODE_BEAT_SECONDS
    lease: float = limits.NODE_LEASE_SECONDS
    wait: float = limits.CLUSTER_WAIT_SECONDS
    grace: float = limits.PRESENCE_GRACE_SECONDS

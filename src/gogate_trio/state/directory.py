"""Who is connected: users and the mailboxes of their connections.

``M`` is whatever the hub delivers into; the directory only hands it back.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

from gogate_trio.ids import UserId

M = TypeVar("M")


class Directory(Generic[M]):
    """The mailboxes of every user who is here."""

    def __init__(self) -> None:
        self._mailboxes: dict[UserId, tuple[M, ...]] = {}
        self.version = 0
        """Changes with every join and leave: what was derived from an older one is void."""

    def __len__(self) -> int:
        """Return how many users are here."""
        return len(self._mailboxes)

    def join(self, user_id: UserId, mailbox: M) -> None:
        """Add one connection of a user. A mailbox joins once."""
        self._mailboxes[user_id] = (*self._mailboxes.get(user_id, ()), mailbox)
        self.version += 1

    def leave(self, user_id: UserId, mailbox: M) -> None:
        """Remove a connection that has joined."""
        left = tuple(other for other in self._mailboxes[user_id] if other is not mailbox)
        if left:
            self._mailboxes[user_id] = left
        else:
            del self._mailboxes[user_id]
        self.version += 1

    def of(self, user_id: UserId) -> tuple[M, ...]:
        """Return the mailboxes of one user, oldest first."""
        return self._mailboxes.get(user_id, ())

    def everybody(self) -> Iterator[M]:
        """Yield all mailboxes. Nobody may join or leave meanwhile."""
        for boxes in self._mailboxes.values():
            yield from boxes

    def reach(self, user_ids: AbstractSet[UserId]) -> tuple[M, ...]:
        """Return the mailboxes of all of these users who are here, in no order."""
        here = self._mailboxes
        return tuple(box for user_id in here.keys() & user_ids for box in here[user_id])

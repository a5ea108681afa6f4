"""The tokens the backend has accepted lately, by their digest, and whose they are; and doubts.

``U`` is the user, as the backend described it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from typing import Generic, TypeVar

from gogate_trio.ids import UserId
from gogate_trio.limits import RECENT_TOKENS

U = TypeVar("U")


class RecentTokens(Generic[U]):
    """A bounded map from a token's digest to its user; the oldest goes first."""

    def __init__(self, seconds: float) -> None:
        """``seconds``: how long the backend's word counts; 0: not at all."""
        self._seconds = seconds
        self._users: OrderedDict[bytes, tuple[U, float]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many tokens are known."""
        return len(self._users)

    def adjust(self, seconds: float) -> None:
        """Let the backend's word count for so long, also what it has said already."""
        self._seconds = seconds

    def learn(self, digest: bytes, user: U, now: float) -> None:
        """Note that the backend has just accepted a token."""
        self._users[digest] = (user, now)
        self._users.move_to_end(digest)
        if len(self._users) > RECENT_TOKENS:
            self._users.popitem(last=False)

    def find(self, digest: bytes, now: float) -> U | None:
        """Return whose token it is, if the backend said so lately."""
        found = self._users.get(digest)
        if found is None or now - found[1] > self._seconds:
            return None
        return found[0]

    def forget(self, digest: bytes) -> None:
        """The backend has had second thoughts."""
        self._users.pop(digest, None)


class Doubts:
    """Users of whom nothing counts any more that was asked before; bounded, and none is lost."""

    def __init__(self) -> None:
        self._since: OrderedDict[UserId, float] = OrderedDict()
        self._all_since = -math.inf

    def __len__(self) -> int:
        """Return how many users are remembered."""
        return len(self._since)

    def note(self, user_id: UserId, now: float) -> None:
        """Doubt a user. Beyond the bound the oldest doubt becomes one about everybody."""
        self._since[user_id] = now
        self._since.move_to_end(user_id)
        if len(self._since) > RECENT_TOKENS:
            _, self._all_since = self._since.popitem(last=False)

    def concerns(self, user_id: UserId, asked_at: float) -> bool:
        """Whether a user has been doubted since something was asked."""
        return asked_at < max(self._since.get(user_id, -math.inf), self._all_since)

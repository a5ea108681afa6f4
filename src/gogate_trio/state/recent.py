"""The tokens the backend has accepted lately, by their digest, and whose they are.

``U`` is the user, as the backend described it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

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

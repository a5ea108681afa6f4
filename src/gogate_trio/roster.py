"""Who is on this node: its users, and the connections of each from their proof to their end.

The directory knows who hears events; the roster also knows those who are still being told
what they missed. So the cap on a user's connections counts here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from itertools import islice

from gogate_trio.caller import Caller
from gogate_trio.config import AdmissionSettings
from gogate_trio.ids import UserId
from gogate_trio.protocol import close

Watch = Callable[[UserId, int], None]
"""Is told of a user how many connections they have now. Must not block and raises nothing."""


class Roster:
    """The users of one node, and the cap on the connections of each."""

    def __init__(
        self, settings: AdmissionSettings, *, wall: Callable[[], float] = time.time
    ) -> None:
        """``wall`` tells the seconds since 1970: what nodes can compare."""
        self._settings = settings
        self._wall = wall
        self._here: dict[UserId, dict[Caller, float]] = {}
        """Of each user the connections, oldest first, and since when they are here."""
        self._watches: list[Watch] = []

    def __len__(self) -> int:
        """Return how many users are here."""
        return len(self._here)

    @property
    def settings(self) -> AdmissionSettings:
        """The caps in force."""
        return self._settings

    def adjust(self, settings: AdmissionSettings) -> None:
        """Let this be the cap from now on, for those who come."""
        self._settings = settings

    def watch(self, watch: Watch) -> None:
        """Tell of every change from now on."""
        self._watches.append(watch)

    def users(self) -> Iterator[UserId]:
        """Yield everybody who is here. Nobody may come or go meanwhile."""
        return iter(self._here)

    def count(self, user_id: UserId) -> int:
        """Return how many connections of a user are here."""
        return len(self._here.get(user_id, ()))

    def since(self, user_id: UserId) -> float:
        """Return since when the oldest of them is here, in seconds since 1970."""
        return next(iter(self._here[user_id].values()))

    def admit(self, caller: Caller, user_id: UserId) -> bool:
        """Add a connection of a user; False when it is one too many.

        Where the policy is to keep the newest, it never is: the oldest has to go.
        """
        most = self._settings.per_user
        if most and self.count(user_id) >= most:
            if self._settings.user_policy == "oldest":
                return False
            self.hang_up_oldest(user_id, 1)
        self._here.setdefault(user_id, {})[caller] = self._wall()
        self._tell(user_id)
        return True

    def leave(self, caller: Caller, user_id: UserId) -> None:
        """Take a connection out, if it is in."""
        connections = self._here.get(user_id, {})
        if connections.pop(caller, None) is None:
            return
        if not connections:
            del self._here[user_id]
        self._tell(user_id)

    def hang_up_oldest(self, user_id: UserId, count: int) -> None:
        """Make room: end so many connections of a user, the oldest first."""
        for caller in tuple(islice(self._here.get(user_id, ()), count)):
            caller.hang_up(close.TOO_MANY_CONNECTIONS)

    def _tell(self, user_id: UserId) -> None:
        for watch in self._watches:
            watch(user_id, self.count(user_id))

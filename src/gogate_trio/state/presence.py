"""Who of those somebody looks at is online: pure, time is an argument.

Whoever leaves stays online for a grace longer: who is back within it was never away.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Generic, TypeVar

import attrs

from gogate_trio.ids import ChatId, UserId

W = TypeVar("W")


class Attendance:
    """Which users are online. Holds those who are, and those who left within the grace."""

    def __init__(self, grace: float) -> None:
        """``grace``: seconds."""
        self._grace = grace
        self._here: set[UserId] = set()
        self._until: dict[UserId, float] = {}
        """Of those who have left: until when they count."""

    def __len__(self) -> int:
        """Return how many count as online."""
        return len(self._here) + len(self._until)

    def is_online(self, user_id: UserId) -> bool:
        """Whether a user counts as online; as of the last ``expire``."""
        return user_id in self._here or user_id in self._until

    def arrive(self, user_id: UserId) -> bool:
        """They are here. True when they did not count as online before."""
        if user_id in self._here:
            return False
        self._here.add(user_id)
        return self._until.pop(user_id, None) is None

    def depart(self, user_id: UserId, left_at: float, now: float) -> bool:
        """They are not here, and left then. True when that changes whether they count.

        So it does both ways: who left just now is online, also to somebody who had not known.
        """
        was_online = self.is_online(user_id)
        until = max(left_at + self._grace, self._until.get(user_id, left_at))
        self._here.discard(user_id)
        if until > now:
            self._until[user_id] = until
            return not was_online
        self._until.pop(user_id, None)
        return was_online

    def miss(self, user_id: UserId, now: float) -> bool:
        """They are not here, and nobody knows since when. True when that changes anything."""
        if user_id in self._here:
            return self.depart(user_id, now, now)
        return False

    def forget(self, user_id: UserId) -> None:
        """Nobody looks at them any more."""
        self._here.discard(user_id)
        self._until.pop(user_id, None)

    def expire(self, now: float) -> list[UserId]:
        """Return those whose grace is over; they are offline from now on."""
        over = [user_id for user_id, until in self._until.items() if until <= now]
        for user_id in over:
            del self._until[user_id]
        return over


@attrs.define(eq=False)
class WatchedChat(Generic[W]):
    """One chat that somebody looks at."""

    chat_id: ChatId
    members: Mapping[UserId, str]
    watchers: dict[W, None] = attrs.field(factory=dict)
    """In the order in which they came."""
    told: tuple[UserId, ...] | None = None
    """Who was online when that was last told to all of them."""
    behind: set[W] = attrs.field(factory=set)
    """Those who had no room for it then."""
    listed_at: float = -math.inf
    """When the list of members was last known to be right."""
    is_known: bool = False
    """Whether it has been found out once where the members are."""


class Watching(Generic[W]):
    """Who looks at which chats, and who is in them: found from either side."""

    def __init__(self) -> None:
        self._chats: dict[ChatId, WatchedChat[W]] = {}
        self._of_watcher: dict[W, set[ChatId]] = {}
        self._of_user: dict[UserId, set[ChatId]] = {}

    def __len__(self) -> int:
        """Return how many chats somebody looks at."""
        return len(self._chats)

    @property
    def users(self) -> AbstractSet[UserId]:
        """Everybody who is in one of these chats."""
        return self._of_user.keys()

    def chats(self) -> Iterator[WatchedChat[W]]:
        """Yield all of them. Nothing may change meanwhile."""
        return iter(self._chats.values())

    def chat(self, chat_id: ChatId) -> WatchedChat[W] | None:
        """Return a chat, if somebody looks at it."""
        return self._chats.get(chat_id)

    def with_user(self, user_id: UserId) -> AbstractSet[ChatId]:
        """Return the chats a user is in."""
        return self._of_user.get(user_id, frozenset())

    def add(self, watcher: W, chat_id: ChatId, members: Mapping[UserId, str]) -> set[UserId]:
        """Let somebody look at a chat whose members are these; whom nobody looks at any more."""
        chat = self._chats.get(chat_id)
        if chat is None:
            chat = self._chats[chat_id] = WatchedChat(chat_id, {})
        chat.watchers[watcher] = None
        self._of_watcher.setdefault(watcher, set()).add(chat_id)
        return self.set_members(chat, members)

    def set_members(self, chat: WatchedChat[W], members: Mapping[UserId, str]) -> set[UserId]:
        """Take a chat's new list; return whom nobody looks at any more."""
        before, chat.members = chat.members, members
        for user_id in members.keys() - before.keys():
            self._of_user.setdefault(user_id, set()).add(chat.chat_id)
        return self._unlist(chat.chat_id, before.keys() - members.keys())

    def leave(self, watcher: W, chat_id: ChatId) -> set[UserId]:
        """Let somebody look at a chat no more; return whom nobody looks at any more."""
        chat = self._chats.get(chat_id)
        if chat is None or watcher not in chat.watchers:
            return set()
        del chat.watchers[watcher]
        chat.behind.discard(watcher)
        of_watcher = self._of_watcher[watcher]
        of_watcher.discard(chat_id)
        if not of_watcher:
            del self._of_watcher[watcher]
        if chat.watchers:
            return set()
        del self._chats[chat_id]
        return self._unlist(chat_id, chat.members.keys())

    def leave_all(self, watcher: W) -> set[UserId]:
        """Let somebody look at nothing any more; return whom nobody looks at any more."""
        alone: set[UserId] = set()
        for chat_id in tuple(self._of_watcher.get(watcher, ())):
            alone |= self.leave(watcher, chat_id)
        return alone

    def _unlist(self, chat_id: ChatId, users: AbstractSet[UserId]) -> set[UserId]:
        alone: set[UserId] = set()
        for user_id in users:
            chats = self._of_user[user_id]
            chats.discard(chat_id)
            if not chats:
                del self._of_user[user_id]
                alone.add(user_id)
        return alone

"""The remembered member lists: who is in a chat, without asking for every event.

A list is *fresh* for ``ttl`` seconds and serves as it is; up to ``stale`` seconds old it
serves when the backend fails, so that a stored message finds its chat; then it is forgotten.
Ages count from when the list was fetched, not from when it was last used.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

import attrs
import trio

from gogate_trio.errors import BackendError, BackendUnavailable
from gogate_trio.limits import MEMBERSHIP_CHATS

if TYPE_CHECKING:
    from collections.abc import Callable

    from gogate_trio.backend.base import Backend, Members
    from gogate_trio.ids import ChatId


@attrs.frozen
class MembershipStatistics:
    """What the cache has done so far."""

    hits: int
    """Requests answered by a fresh list."""
    misses: int
    """Requests that had to wait for a look-up."""
    stale_served: int
    """Look-ups that failed and were answered by the last known list."""
    lookups: int
    """Look-ups begun."""
    size: int
    """Lists remembered now."""


@attrs.define(eq=False)
class _Entry:
    members: Members
    fetched_at: float


@attrs.define(eq=False)
class _Lookup:
    """One look-up under way; ``done`` is set when exactly one of the others is."""

    done: trio.Event = attrs.field(factory=trio.Event)
    members: Members | None = None
    error: Exception | None = None


class MembershipCache:
    """Member lists by chat: bounded, and with at most one look-up of a chat at a time."""

    def __init__(
        self,
        backend: Backend,
        lookups: trio.Nursery,
        *,
        ttl: float,
        stale: float,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        """``lookups`` is where look-ups run: they outlive those who asked for them."""
        self._backend = backend
        self._nursery = lookups
        self._ttl = ttl
        self._stale = stale
        self._clock = clock
        self._entries: OrderedDict[ChatId, _Entry] = OrderedDict()
        self._under_way: dict[ChatId, _Lookup] = {}
        self._hits = self._misses = self._stale_served = self._begun = 0

    def adjust(self, *, ttl: float, stale: float) -> None:
        """Let these be the ages from now on, also of lists that are here."""
        self._ttl = ttl
        self._stale = stale

    def cached(self, chat_id: ChatId) -> Members | None:
        """Return the fresh list of a chat, or None. Never waits, never asks."""
        entry = self._entries.get(chat_id)
        if entry is None or self._clock() - entry.fetched_at >= self._ttl:
            return None
        self._entries.move_to_end(chat_id)
        self._hits += 1
        return entry.members

    async def get(self, chat_id: ChatId) -> Members:
        """Return the list of a chat, asking the backend unless it is fresh.

        While the list does not change, the object does not either. Raises ``BackendError``
        when the backend fails and no list young enough is known. Cancellation: the look-up
        goes on, for whoever else waits for it and for the next to ask.
        """
        members = self.cached(chat_id)
        if members is not None:
            await trio.lowlevel.checkpoint()
            return members
        self._misses += 1
        lookup = self._under_way.get(chat_id) or self._begin(chat_id)
        await lookup.done.wait()
        if lookup.members is not None:
            return lookup.members
        # Many may raise it: each begins its own traceback.
        raise (lookup.error or BackendUnavailable()).with_traceback(None)

    def invalidate(self, chat_id: ChatId) -> None:
        """Forget the list of a chat: somebody joined or left.

        Who asks from now on gets a list fetched from now on; a look-up under way answers
        only those who already wait for it.
        """
        self._entries.pop(chat_id, None)
        self._under_way.pop(chat_id, None)

    def statistics(self) -> MembershipStatistics:
        """Return the figures of this moment."""
        return MembershipStatistics(
            hits=self._hits,
            misses=self._misses,
            stale_served=self._stale_served,
            lookups=self._begun,
            size=len(self._entries),
        )

    def _begin(self, chat_id: ChatId) -> _Lookup:
        lookup = _Lookup()
        self._nursery.start_soon(self._look_up, chat_id, lookup)
        self._under_way[chat_id] = lookup
        self._begun += 1
        return lookup

    async def _look_up(self, chat_id: ChatId, lookup: _Lookup) -> None:
        try:
            fetched = await self._backend.members(chat_id)
            lookup.members = self._remember(chat_id, fetched, lookup)
        except BackendError as error:
            lookup.members = self._fall_back(chat_id, error, lookup)
            lookup.error = error
        except Exception as error:  # noqa: BLE001 - a bug is raised where somebody waits for
            # the answer and can be told, not in the nursery that holds everything.
            lookup.error = error
        finally:
            # Also when the nursery is cancelled: then nobody may wait for ever.
            if self._under_way.get(chat_id) is lookup:
                del self._under_way[chat_id]
            lookup.done.set()

    def _remember(self, chat_id: ChatId, fetched: Members, lookup: _Lookup) -> Members:
        if self._under_way.get(chat_id) is not lookup:
            return fetched
        known = self._entries.get(chat_id)
        # The hub keeps what it derived from a list for as long as the list is the same object.
        members = known.members if known and known.members.names == fetched.names else fetched
        self._entries[chat_id] = _Entry(members, self._clock())
        self._entries.move_to_end(chat_id)
        if len(self._entries) > MEMBERSHIP_CHATS:
            self._entries.popitem(last=False)
        return members

    def _fall_back(self, chat_id: ChatId, error: BackendError, lookup: _Lookup) -> Members | None:
        if self._under_way.get(chat_id) is not lookup:
            return None
        if error.is_gone:
            # No old list may serve.
            self._entries.pop(chat_id, None)
            return None
        entry = self._entries.get(chat_id)
        if entry is None or self._clock() - entry.fetched_at > self._stale:
            self._entries.pop(chat_id, None)
            return None
        self._stale_served += 1
        return entry.members

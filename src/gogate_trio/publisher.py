"""From what has happened to who hears of it: the audience of an event, and its publication.

A message that the backend has stored must reach its chat, even when the members cannot be
learnt just then. After some patience its publication is put aside and tried again, as long
as a client could still make good what it missed; after that the stream is said to have a
gap, so that every client that cares fetches what is missing. Nothing is lost in silence.
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import trio

from gogate_trio.backend.base import User
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.base import Broker, Publication
from gogate_trio.errors import BackendError, BackendRejected
from gogate_trio.ids import ChatId, UserId
from gogate_trio.limits import (
    AUDIENCE_RETRY_SECONDS,
    LATE_PUBLICATIONS,
    LATE_RETRY_SECONDS,
    LATE_SECONDS,
)
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.events import Event

_log = get_logger(__name__)

Audience = Mapping[UserId, str]


@attrs.define(eq=False)
class Publisher:
    """Publishes what users have done. One serves a node."""

    membership: MembershipCache
    broker: Broker
    supervisor: trio.Nursery
    """Where publications that are late wait."""
    metrics: Metrics
    _late: int = attrs.field(default=0, init=False)

    async def publish(self, event: Event, chat_id: ChatId | None, user: User) -> None:
        """Tell the members of a chat what a user has done there; None tells the user alone.

        The user alone is told, too, who is no member: what the backend allowed has happened,
        but it is no licence to write to the others.
        """
        text = encode_event(event)
        if chat_id is None:
            await self._publish(text, {user.user_id: user.name}, None)
            return
        for delay in (0.0, *AUDIENCE_RETRY_SECONDS):
            await trio.sleep(delay)
            audience = await self._audience(chat_id, user)
            if audience is not None:
                await self._publish(text, audience, chat_id)
                return
        self._put_aside(text, chat_id, user)

    async def _publish(self, text: bytes, audience: Audience, chat_id: ChatId | None) -> None:
        await self.broker.publish(Publication(text, audience, is_durable=True, chat_id=chat_id))

    async def _audience(self, chat_id: ChatId, user: User) -> Audience | None:
        """Return who shall hear of it; None when that cannot be learnt now."""
        alone = {user.user_id: user.name}
        known = self.membership.cached(chat_id)
        if known is not None and user.user_id not in known.names:
            # The backend let it happen: the list may be older than the user's joining.
            self.membership.invalidate(chat_id)
        try:
            names = (await self.membership.get(chat_id)).names
        except BackendRejected as error:
            return alone if error.status in _GONE else None
        except BackendError:
            return None
        return names if user.user_id in names else alone

    def _put_aside(self, text: bytes, chat_id: ChatId, user: User) -> None:
        _log.warning("audience_unknown", chat=chat_id)
        if self._late >= LATE_PUBLICATIONS:
            self._give_up(chat_id)
            return
        self._late += 1
        self.supervisor.start_soon(self._publish_late, text, chat_id, user)

    async def _publish_late(self, text: bytes, chat_id: ChatId, user: User) -> None:
        deadline = trio.current_time() + LATE_SECONDS
        try:
            while trio.current_time() < deadline:
                await trio.sleep(LATE_RETRY_SECONDS)
                audience = await self._audience(chat_id, user)
                if audience is not None:
                    await self._publish(text, audience, chat_id)
                    return
            self._give_up(chat_id)
        except Exception:  # noqa: BLE001 - the fence: a bug loses a message, not the node
            self.metrics.bugs += 1
            _log.exception("publication_failed", chat=chat_id)
            self._give_up(chat_id)
        finally:
            self._late -= 1

    def _give_up(self, chat_id: ChatId) -> None:
        self.metrics.lost_audiences += 1
        _log.error("publication_lost", chat=chat_id)
        self.broker.declare_gap()


_GONE = frozenset({403, 404})
"""Statuses that say the chat is no more, or not ours to see. Any other says nothing about it."""

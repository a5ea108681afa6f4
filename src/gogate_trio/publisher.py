"""From what has happened to who hears of it: the audience of an event, and its publication.

A message that the backend has stored must reach its chat, even when the members cannot be
learnt just then. After some patience its publication is put aside and tried again, as long
as a client could still make good what it missed, and whatever happens in that chat meanwhile
stays behind it; after that the stream is said to have a gap, so that every client that cares
fetches what is missing. Nothing is lost in silence.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import attrs
import trio

from gogate_trio.backend.base import User
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.base import Broker, Publication
from gogate_trio.errors import BackendError
from gogate_trio.ids import ChatId, MessageId, UserId
from gogate_trio.limits import (
    AUDIENCE_RETRY_SECONDS,
    GAP_SECONDS,
    LATE_PUBLICATIONS,
    LATE_RETRY_SECONDS,
    LATE_SECONDS,
)
from gogate_trio.log import about, get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.events import Event
from gogate_trio.tracing.spans import Span, current

_log = get_logger(__name__)

Audience = Mapping[UserId, str]


@attrs.frozen(eq=False)
class Cause:
    """The command behind what has happened."""

    key: str | None = None
    """Names it: what has this name is told once, however often it is published."""
    message_id: MessageId | None = None
    """The message that is told of for the first time."""
    since: float | None = None
    """When it was read: trio's clock, seconds; None when nobody noted it."""
    span: Span | None = attrs.field(factory=current)
    """Its place in a trace; None when nobody traces it."""


@attrs.frozen(eq=False)
class _Late:
    """What has happened in a chat and could not be told yet."""

    text: bytes
    user: User
    until: float
    """When it is given up: trio's clock, seconds."""
    cause: Cause


@attrs.define(eq=False)
class Publisher:
    """Publishes what users have done. One serves a node."""

    membership: MembershipCache
    broker: Broker
    supervisor: trio.Nursery
    """Where publications that are late wait."""
    metrics: Metrics
    _late: dict[ChatId, deque[_Late]] = attrs.field(factory=dict, init=False)
    """By chat, oldest first; each chat has a task that sees to it."""
    _gap_is_due: bool = attrs.field(default=False, init=False)

    @property
    def waiting(self) -> int:
        """How many publications wait until their members can be learnt."""
        return sum(map(len, self._late.values()))

    def is_behind(self, chat_id: ChatId) -> bool:
        """Whether something waits that happened in this chat: nothing may go past it."""
        return chat_id in self._late

    @property
    def is_settled(self) -> bool:
        """Whether nothing waits, and nothing that was lost is still to be owned up to."""
        return not self._late and not self._gap_is_due

    async def publish(
        self, event: Event, chat_id: ChatId | None, user: User, cause: Cause | None = None
    ) -> None:
        """Tell the members of a chat what a user has done there; None tells the user alone.

        The user alone is told, too, who is no member: what the backend allowed has happened,
        but it is no licence to write to the others.
        """
        text, cause = encode_event(event), cause or Cause()
        if chat_id is None:
            await self._publish(text, {user.user_id: user.name}, None, cause)
            return
        for delay in (0.0, *AUDIENCE_RETRY_SECONDS):
            if delay:
                await trio.sleep(delay)
            if chat_id in self._late:
                # No other place is behind what is late: the chat keeps its order.
                break
            audience = await self._audience(chat_id, user)
            if audience is not None:
                await self._publish(text, audience, chat_id, cause)
                return
        self._put_aside(text, chat_id, user, cause)

    async def _publish(
        self, text: bytes, audience: Audience, chat_id: ChatId | None, cause: Cause
    ) -> None:
        publication = Publication(
            text,
            audience,
            is_durable=True,
            chat_id=chat_id,
            key=cause.key,
            message_id=cause.message_id,
            since=cause.since,
        )
        if cause.span is None:
            await self.broker.publish(publication)
        else:
            await self._publish_traced(publication, cause.span)

    async def _publish_traced(self, publication: Publication, command: Span) -> None:
        span = command.begin("publish", "producer", audience=len(publication.audience))
        publication.trace = span.traceparent if span.is_kept else None
        try:
            await self.broker.publish(publication)
            span.note("ok", failed=False)
        finally:
            span.end()

    async def _audience(self, chat_id: ChatId, user: User) -> Audience | None:
        """Return who shall hear of it; None when that cannot be learnt now."""
        alone = {user.user_id: user.name}
        known = self.membership.cached(chat_id)
        if known is not None:
            if user.user_id in known.names:
                return known.names
            # The backend let it happen: the list may be older than the user's joining.
            self.membership.invalidate(chat_id)
        try:
            names = (await self.membership.get(chat_id)).names
        except BackendError as error:
            return alone if error.is_gone else None
        return names if user.user_id in names else alone

    def _put_aside(self, text: bytes, chat_id: ChatId, user: User, cause: Cause) -> None:
        self.metrics.late += 1
        _log.warning("audience_unknown", chat=chat_id)
        if self.waiting >= LATE_PUBLICATIONS:
            self._give_up(chat_id, 1)
            return
        late = _Late(text, user, trio.current_time() + LATE_SECONDS, cause)
        if chat_id in self._late:
            self._late[chat_id].append(late)
        else:
            self._late[chat_id] = deque([late])
            self.supervisor.start_soon(self._see_to_late, chat_id, self._late[chat_id])

    async def _see_to_late(self, chat_id: ChatId, waiting: deque[_Late]) -> None:
        # It is about a chat: whose news began it has nothing to do with what becomes of it.
        about(None)
        while waiting:
            await trio.sleep(LATE_RETRY_SECONDS)
            try:
                await self._publish_late(chat_id, waiting)
            except Exception:  # noqa: BLE001 - the fence: a bug loses messages, not the node
                self.metrics.bugs += 1
                _log.exception("publication_failed", chat=chat_id)
                self._give_up(chat_id, len(waiting))
                waiting.clear()
        del self._late[chat_id]

    async def _publish_late(self, chat_id: ChatId, waiting: deque[_Late]) -> None:
        """Publish what waits, as far as that can be done now; drop what has waited too long."""
        while waiting:
            audience = await self._audience(chat_id, waiting[0].user)
            if audience is None:
                break
            await self._publish(waiting[0].text, audience, chat_id, waiting[0].cause)
            waiting.popleft()
        lost = 0
        while waiting and trio.current_time() >= waiting[0].until:
            waiting.popleft()
            lost += 1
        if lost:
            self._give_up(chat_id, lost)

    def _give_up(self, chat_id: ChatId, lost: int) -> None:
        self.metrics.lost_audiences += lost
        _log.error("publication_lost", chat=chat_id, messages=lost)
        if not self._gap_is_due:
            self._gap_is_due = True
            self.supervisor.start_soon(self._declare_gap)

    async def _declare_gap(self) -> None:
        """One gap for all that is lost about the same time: each has every client fetch anew."""
        await trio.sleep(GAP_SECONDS)
        self._gap_is_due = False
        self.broker.declare_gap()

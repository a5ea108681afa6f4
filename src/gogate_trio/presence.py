"""Who is online: told to the clients that ask, for the chats they ask for.

Each node works it out for its own clients, so this does not pass the broker. What is told is
always the whole of a chat: an event may be missed, merged with the next or come twice, and
the client that has heard the last one is right.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from functools import partial

import trio

from gogate_trio import limits
from gogate_trio.backend.base import Members, User
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.caller import Caller
from gogate_trio.cluster.base import Census, Others
from gogate_trio.config import PresenceSettings
from gogate_trio.errors import BackendError
from gogate_trio.ids import ChatId, UserId
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.protocol import events, refusals
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.frames import text_frame
from gogate_trio.protocol.refusals import Refusal, failed
from gogate_trio.state.presence import WatchedChat, Watching
from gogate_trio.whereabouts import Pace, Whereabouts

Chat = WatchedChat[Caller]

_log = get_logger(__name__)


class Presence:
    """Tells the clients of one node who is online. ``run`` must be running for changes."""

    def __init__(  # noqa: PLR0913 - what it is made of, by keyword
        self,
        settings: PresenceSettings,
        census: Census,
        membership: MembershipCache,
        *,
        supervisor: trio.Nursery,
        metrics: Metrics,
        others: Others | None = None,
        pace: Pace | None = None,
    ) -> None:
        """``supervisor`` is where clients that ask are served; ``others``: None on one node."""
        self._settings = settings
        self._membership = membership
        self._supervisor = supervisor
        self._metrics = metrics
        self._pace = pace or Pace()
        self._watching = Watching[Caller]()
        self._asked: dict[Caller, object] = {}
        """The latest wish of each client."""
        self._changed: set[ChatId] = set()
        self._late: set[ChatId] = set()
        """Chats with clients that had no room for the last event."""
        self._whereabouts = Whereabouts(
            census,
            others,
            self._pace,
            wanted=self._watching.users,
            news=self._note_news,
        )
        if settings.on:
            census.watch(self._whereabouts.note)

    @property
    def chats(self) -> int:
        """How many chats somebody looks at."""
        return len(self._watching)

    # ── clients ──────────────────────────────────────────────────────────────

    def ask(self, caller: Caller, user: User, chats: Sequence[ChatId]) -> None:
        """Let a client hear of these chats and no others, from soon on. Does not block.

        For each of them comes an event, or an error that names it.
        """
        if not self._settings.on:
            caller.refuse(refusals.PRESENCE_OFF)
            return
        if caller.hangup is not None:
            return
        self._let_go(self._watching.leave_all(caller))
        wish = self._asked[caller] = object()
        job = partial(self._serve, caller, user, chats, wish)
        self._supervisor.start_soon(caller.lane.run_beside, job)

    def leave(self, caller: Caller) -> None:
        """Note that a client is gone."""
        if self._asked.pop(caller, None) is not None:
            self._let_go(self._watching.leave_all(caller))

    async def _serve(
        self, caller: Caller, user: User, chats: Sequence[ChatId], wish: object
    ) -> None:
        for chat_id in chats:
            members = await self._members_for(user, chat_id)
            if self._asked.get(caller) is not wish:
                return
            if isinstance(members, Refusal):
                caller.refuse(members.about(chat_id))
                continue
            self._let_go(self._watching.add(caller, chat_id, members.names))
            chat = self._watching.chat(chat_id)
            assert chat is not None  # noqa: S101 - for the type checker
            chat.listed_at = trio.current_time()
            await self._get_to_know(chat)
            if self._asked.get(caller) is not wish:
                return
            if caller not in chat.watchers:
                continue
            online = self._online_of(chat)
            if len(chat.watchers) == 1:
                chat.told = online
            elif online != chat.told:
                # The others are told, too, and this one with them when it changes back.
                chat.told = None
                self._changed.add(chat_id)
            self._send(chat, online, (caller,))

    async def _members_for(self, user: User, chat_id: ChatId) -> Members | Refusal:
        """Return who is in a chat that a user asks for, or why they may not look."""
        if len(self._watching) >= limits.PRESENCE_WATCHED and not self._watching.chat(chat_id):
            return refusals.PRESENCE_FAILED.because("too many chats", code=refusals.BUSY.code)
        try:
            members = await self._membership.get(chat_id)
        except BackendError as error:
            if error.is_gone:
                return refusals.NOT_A_MEMBER
            return failed(refusals.PRESENCE_FAILED, error)
        if user.user_id not in members.names:
            return refusals.NOT_A_MEMBER
        if len(members.names) > self._settings.members:
            return refusals.CHAT_TOO_BIG
        return members

    def _let_go(self, users: Iterable[UserId]) -> None:
        """Forget those whom nobody looks at any more."""
        self._whereabouts.forget(users)

    # ── telling ──────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Look and tell, for ever."""
        if not self._settings.on:
            return
        async with trio.open_nursery() as services:
            for service in (
                self._tell_changes,
                self._renew_lists,
                self._whereabouts.look_around,
                self._whereabouts.look_closer,
            ):
                services.start_soon(self._keep_up, service)

    async def _keep_up(self, service: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await service()
            except Exception:  # noqa: BLE001 - the fence: presence is not worth the node
                self._metrics.bugs += 1
                _log.exception("presence_failed")
                await trio.sleep(self._pace.look)

    async def _tell_changes(self) -> None:
        while True:
            await trio.sleep(self._pace.tick)
            self._whereabouts.expire()
            changed, self._changed = self._changed, set()
            late, self._late = self._late, set()
            for chat_id in changed | late:
                chat = self._watching.chat(chat_id)
                if chat is not None and chat.is_known:
                    self._tell(chat)
                    await trio.lowlevel.checkpoint()

    def _tell(self, chat: Chat) -> None:
        online = self._online_of(chat)
        if online == chat.told:
            self._send(chat, online, tuple(chat.behind))
        else:
            chat.told = online
            self._send(chat, online, tuple(chat.watchers))

    def _send(self, chat: Chat, online: tuple[UserId, ...], watchers: Collection[Caller]) -> None:
        """Tell clients, all in one step: 1,000 at most, about 5 ms."""
        frame = text_frame(encode_event(events.Presence(chat.chat_id, online)))
        for watcher in watchers:
            self._metrics.presence_told += 1
            if watcher.outbox.offer_ephemeral(frame):
                chat.behind.discard(watcher)
            else:
                chat.behind.add(watcher)
                self._late.add(chat.chat_id)

    def suspect(self, users: Iterable[UserId]) -> None:
        """Look soon where these are: another node says that it has changed."""
        self._whereabouts.suspect(users)

    def _note_news(self, user_id: UserId) -> None:
        self._changed |= self._watching.with_user(user_id)

    async def _get_to_know(self, chat: Chat) -> None:
        await self._whereabouts.get_to_know(chat.members)
        chat.is_known = True

    def _online_of(self, chat: Chat) -> tuple[UserId, ...]:
        return tuple(sorted(filter(self._whereabouts.is_online, chat.members)))

    # ── who is in a chat ─────────────────────────────────────────────────────

    def forget_members(self, chat_id: ChatId) -> None:
        """Ask anew who is in a chat: it has changed."""
        chat = self._watching.chat(chat_id)
        if chat is not None:
            chat.listed_at = -math.inf

    async def _renew_lists(self) -> None:
        """Keep the lists of members: those who left look no more, and are looked at no more."""
        while True:
            await trio.sleep(self._pace.look)
            for chat_id in [chat.chat_id for chat in self._watching.chats()]:
                chat = self._watching.chat(chat_id)
                if chat is not None:
                    await self._renew(chat)

    async def _renew(self, chat: Chat) -> None:
        now = trio.current_time()
        members = self._membership.cached(chat.chat_id)
        if members is None:
            if now - chat.listed_at < self._pace.lists:
                return
            try:
                members = await self._membership.get(chat.chat_id)
            except BackendError as error:
                if error.is_gone:
                    self._turn_away(chat, tuple(chat.watchers), refusals.NOT_A_MEMBER)
                # It is asked again with the next look; the breaker keeps that cheap.
                return
        chat.listed_at = now
        if members.names is not chat.members and members.names != chat.members:
            await self._take_list(chat, members)

    async def _take_list(self, chat: Chat, members: Members) -> None:
        if len(members.names) > self._settings.members:
            self._turn_away(chat, tuple(chat.watchers), refusals.CHAT_TOO_BIG)
            return
        gone = [
            watcher
            for watcher in chat.watchers
            if watcher.user is None or watcher.user.user_id not in members.names
        ]
        self._turn_away(chat, gone, refusals.NOT_A_MEMBER)
        if chat.watchers:
            self._let_go(self._watching.set_members(chat, members.names))
            await self._get_to_know(chat)
            self._changed.add(chat.chat_id)

    def _turn_away(self, chat: Chat, watchers: Iterable[Caller], refusal: Refusal) -> None:
        """Let clients look at a chat no more, and say why."""
        for watcher in watchers:
            watcher.refuse(refusal.about(chat.chat_id))
            self._let_go(self._watching.leave(watcher, chat.chat_id))

    # ── the backend's questions ──────────────────────────────────────────────

    async def online(self, chat_id: ChatId) -> list[UserId] | None:
        """Return who of a chat's members is online; None when presence is off.

        Raises ``BackendError`` when the backend does not say who they are, and
        ``ClusterUnavailable`` when the other nodes do not say where they are.
        """
        if not self._settings.on:
            return None
        members = await self._membership.get(chat_id)
        return await self.online_of(sorted(members.names))

    async def online_of(self, users: Sequence[UserId]) -> list[UserId] | None:
        """Return who of these is online, whether somebody looks at them or not."""
        return await self._whereabouts.online_of(users) if self._settings.on else None

"""One handler per command: check, ask the backend, publish.

The router and the keeper are the only callers of the backend. Commands that reach it run in their
connection's lane, one after the other and out of the reach of the client going away;
typing does not, and waits for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Protocol

import attrs
import trio

from gogate_trio.backend.base import Backend, Members, StoredMessage, User
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.base import Broker, Publication
from gogate_trio.calls import Job, Lane
from gogate_trio.errors import (
    BackendError,
    BackendRejected,
    BackendUnavailable,
    OutcomeUnknown,
)
from gogate_trio.ids import ChatId, ConnectionId, UserId
from gogate_trio.keeper import Keeper
from gogate_trio.limits import AUDIENCE_RETRY_SECONDS, EARLY_COMMANDS, PENDING_TYPING
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.protocol import close, refusals
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.codec import Refused, decode_command, encode_event, open_envelope
from gogate_trio.protocol.commands import AddReaction, Auth, Command, MarkRead, SendMessage, Typing
from gogate_trio.protocol.events import Event, MessageRead, NewMessage, NewReaction, UserTyping
from gogate_trio.protocol.refusals import Refusal, failed
from gogate_trio.state.messages import KnownMessages
from gogate_trio.state.throttle import Throttle

_log = get_logger(__name__)


class Caller(Protocol):
    """The connection a command came from, as the router sees it."""

    number: ConnectionId
    user: User | None
    """Who it is, once it has proved it."""
    token: str
    """The user's JWT, for calls in their name."""
    wants_notices: bool
    """Whether it asked to be told when its token is about to end."""
    early: int
    """Commands it sent without being known."""
    hangup: Hangup | None
    """Why it is leaving; None while it is here."""
    lane: Lane
    typing: dict[ChatId, bool]
    """The latest typing state of each chat whose members are being looked up."""

    def reply(self, event: Event) -> None:
        """Tell this connection alone. Does nothing once it is gone."""

    def refuse(self, refusal: Refusal) -> None:
        """Tell this connection alone that something was refused."""

    def identify(self, user: User, token: str) -> bool:
        """It is this user from now on: let it have the user's events. False when it may not."""

    def hang_up(self, hangup: Hangup) -> None:
        """End the connection."""


@attrs.define(eq=False)
class Router:
    """What commands do. One router serves all connections of a node."""

    backend: Backend
    membership: MembershipCache
    broker: Broker
    supervisor: trio.Nursery
    """Where look-ups for typing run."""
    metrics: Metrics
    throttle: Throttle
    keeper: Keeper
    messages: KnownMessages = attrs.field(factory=KnownMessages)

    def handle(self, caller: Caller, text: bytes) -> None:
        """Handle one message of a client. Never blocks, never raises for what a client says."""
        try:
            envelope = open_envelope(text)
            # A command behind an auth that is still running waits for its outcome in the lane.
            if caller.user is None and envelope.event != "auth" and not caller.lane.is_busy:
                self._too_early(caller)
                return
            command = decode_command(envelope)
        except Refused as refused:
            self._turn_down(caller, refused.refusal)
            return
        self.metrics.commands[envelope.event] += 1
        if isinstance(command, Typing) and caller.user is not None:
            self._typing(caller, caller.user, command)
            return
        wait = self.throttle.wait(envelope.event, _pace_key(caller, command), trio.current_time())
        if wait:
            self._turn_down(caller, refusals.RATE_LIMITED.after(wait))
        elif not caller.lane.submit(self._job(caller, command)):
            self._turn_down(caller, refusals.BUSY)

    def _turn_down(self, caller: Caller, refusal: Refusal) -> None:
        """Refuse what the client should not have sent; who keeps sending such is hung up."""
        caller.refuse(refusal)
        if self.throttle.strike(caller.number, trio.current_time()):
            caller.hang_up(close.FLOOD)

    def _too_early(self, caller: Caller) -> None:
        """Refuse what came without ``auth``; who does not learn is hung up, in the same words."""
        caller.early += 1
        if caller.early < EARLY_COMMANDS:
            self._turn_down(caller, refusals.AUTH_REQUIRED)
        else:
            caller.hang_up(close.AUTH_REQUIRED)

    def _job(self, caller: Caller, command: Command) -> Job:
        if isinstance(command, Auth):
            return partial(self.keeper.authenticate, caller, command)
        return partial(self._obey, caller, command)

    async def _obey(self, caller: Caller, command: Command) -> None:
        user = caller.user
        if user is None:
            self._too_early(caller)
            return
        match command:
            case SendMessage():
                await self._send_message(caller, user, command)
            case AddReaction():
                await self._add_reaction(caller, user, command)
            case MarkRead():
                await self._mark_read(caller, user, command)
            case Typing():
                self._typing(caller, user, command)

    def _refuse_call(self, caller: Caller, refusal: Refusal, error: BackendError) -> None:
        """Refuse a call made in the user's name; a 401 makes its token suspect."""
        caller.refuse(failed(refusal, error))
        if isinstance(error, BackendRejected) and error.status == _UNAUTHORIZED:
            self.keeper.suspect(caller)

    # ── messages ─────────────────────────────────────────────────────────────

    async def _send_message(self, caller: Caller, user: User, command: SendMessage) -> None:
        try:
            stored = await self.backend.send_message(caller.token, command)
        except BackendError as error:
            self._refuse_call(caller, refusals.SEND_FAILED, error)
            return
        chat_id = self._learn(stored, command.chat_id)
        audience = await self._audience(chat_id, user)
        await self._publish(NewMessage(stored.body), audience)

    def _learn(self, stored: StoredMessage, asked: ChatId) -> ChatId:
        chat_id = stored.chat_id or asked
        if stored.message_id is not None:
            self.messages.learn(stored.message_id, chat_id)
        return chat_id

    # ── reactions and read marks ─────────────────────────────────────────────

    async def _add_reaction(self, caller: Caller, user: User, command: AddReaction) -> None:
        try:
            confirmation = await self.backend.add_reaction(caller.token, command)
        except BackendError as error:
            self._refuse_call(caller, refusals.REACTION_FAILED, error)
            return
        if confirmation.chat_id is not None:
            self.messages.learn(command.message_id, confirmation.chat_id)
        event = NewReaction(command.message_id, user.user_id, user.name, command.emoji)
        chat_id = self.messages.chat_of(command.message_id)
        await self._publish(event, await self._audience(chat_id, user))

    async def _mark_read(self, caller: Caller, user: User, command: MarkRead) -> None:
        try:
            confirmation = await self.backend.mark_read(caller.token, command)
        except BackendError as error:
            self._refuse_call(caller, refusals.READ_FAILED, error)
            return
        if confirmation.chat_id is not None:
            for message_id in command.message_ids:
                self.messages.learn(message_id, confirmation.chat_id)
        for chat_id, message_ids in self.messages.by_chat(command.message_ids).items():
            event = MessageRead(message_ids, user.user_id, user.name)
            await self._publish(event, await self._audience(chat_id, user))

    # ── typing ───────────────────────────────────────────────────────────────

    def _typing(self, caller: Caller, user: User, command: Typing) -> None:
        """Tell at once if it may be told and the members are known; else beside everything else.

        What comes while an earlier one for the chat waits takes that one's place.
        """
        if command.chat_id in caller.typing:
            caller.typing[command.chat_id] = command.is_typing
            return
        wait = self.throttle.wait("typing", user.user_id, trio.current_time())
        members = self.membership.cached(command.chat_id)
        if members is not None and not wait:
            self._tell_typing(caller, user, command, members)
        elif len(caller.typing) >= PENDING_TYPING:
            self._turn_down(caller, refusals.BUSY)
        else:
            caller.typing[command.chat_id] = command.is_typing
            self.supervisor.start_soon(self._type_later, caller, user, command.chat_id, wait)

    async def _type_later(self, caller: Caller, user: User, chat_id: ChatId, wait: float) -> None:
        try:
            while wait:
                await trio.sleep(wait)
                wait = self.throttle.wait("typing", user.user_id, trio.current_time())
            members = await self.membership.get(chat_id)
        except BackendError as error:
            caller.refuse(failed(refusals.TYPING_FAILED, error))
            return
        finally:
            is_typing = caller.typing.pop(chat_id)
        self._tell_typing(caller, user, Typing(chat_id, is_typing), members)

    def _tell_typing(self, caller: Caller, user: User, command: Typing, members: Members) -> None:
        if user.user_id not in members.names:
            self._turn_down(caller, refusals.NOT_A_MEMBER)
            return
        event = UserTyping(command.chat_id, user.user_id, user.name, command.is_typing)
        self.broker.publish_ephemeral(
            Publication(
                encode_event(event), members.names, is_durable=False, except_user=user.user_id
            )
        )

    # ── publishing ───────────────────────────────────────────────────────────

    async def _publish(self, event: Event, audience: Mapping[UserId, str]) -> None:
        await self.broker.publish(Publication(encode_event(event), audience, is_durable=True))

    async def _audience(self, chat_id: ChatId | None, user: User) -> Mapping[UserId, str]:
        """Return who shall hear of what a user did in a chat: its members, or the user alone.

        The user alone, when the chat is not known, when its members cannot be learnt even
        after some patience, or when the user is no member: what the backend allowed has
        happened, but it is no licence to write to the others.
        """
        alone = {user.user_id: user.name}
        if chat_id is None:
            return alone
        for delay in (*AUDIENCE_RETRY_SECONDS, None):
            try:
                names = (await self.membership.get(chat_id)).names
            except (BackendUnavailable, OutcomeUnknown):
                if delay is None:
                    break
                await trio.sleep(delay)
            except BackendError:
                break
            else:
                return names if user.user_id in names else alone
        self.metrics.lost_audiences += 1
        _log.warning("audience_unknown", chat=chat_id)
        return alone


def _pace_key(caller: Caller, command: Command) -> int:
    """Return whose pace a command counts for: the user's; for auth the connection's."""
    if caller.user is None or isinstance(command, Auth):
        return -caller.number
    return caller.user.user_id


_UNAUTHORIZED = 401

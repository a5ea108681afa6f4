"""One handler per command: check, ask the backend, publish.

The router and the keeper are the only callers of the backend. Commands that reach it run in
their connection's lane, one after the other and out of the reach of the client going away;
typing does not, and waits for nobody.
"""

from __future__ import annotations

import hashlib
from functools import partial

import attrs
import trio

from gogate_trio.backend.base import Backend, StoredMessage, User
from gogate_trio.caller import Ask, Caller, Joined, Outcome
from gogate_trio.calls import Job
from gogate_trio.cluster.base import SharedPace
from gogate_trio.errors import BackendError, BackendRejected
from gogate_trio.ids import ChatId
from gogate_trio.keeper import Keeper
from gogate_trio.limits import EARLY_COMMANDS
from gogate_trio.metrics import Metrics
from gogate_trio.protocol import close, refusals
from gogate_trio.protocol.codec import Envelope, Refused, decode_command, open_envelope
from gogate_trio.protocol.commands import AddReaction, Auth, Command, MarkRead, SendMessage, Typing
from gogate_trio.protocol.events import Ack, MessageRead, NewMessage, NewReaction, Stored
from gogate_trio.protocol.refusals import Refusal, failed
from gogate_trio.publisher import Cause, Publisher
from gogate_trio.state.messages import KnownMessages
from gogate_trio.state.sessions import Claim
from gogate_trio.state.throttle import Throttle
from gogate_trio.tracing.spans import Tracer, run_within
from gogate_trio.typing_events import Typists


@attrs.define(eq=False)
class Router:
    """What commands do. One router serves all connections of a node."""

    backend: Backend
    publisher: Publisher
    typists: Typists
    keeper: Keeper
    throttle: Throttle
    metrics: Metrics
    tracer: Tracer | None = None
    messages: KnownMessages = attrs.field(factory=KnownMessages)
    shared: SharedPace | None = None
    """The rates over all nodes; None where there is only this one."""

    def handle(self, caller: Caller, text: bytes) -> None:
        """Handle one message of a client. Never blocks, never raises for what a client says."""
        ask: Ask | None = None
        try:
            envelope = open_envelope(text)
            ask = Ask(caller, envelope.id)
            # A command behind an auth that is still running waits for its outcome in the lane.
            if caller.user is None and envelope.event != "auth" and not caller.lane.is_busy:
                self._too_early(ask)
                return
            command = decode_command(envelope)
        except Refused as refused:
            self._turn_down(ask or Ask(caller), refused.refusal)
            return
        self.metrics.commands[envelope.event] += 1
        refusal = self._begin(ask, envelope, command)
        if refusal is not None:
            self._turn_down(ask, refusal)

    def _begin(self, ask: Ask, envelope: Envelope, command: Command) -> Refusal | None:
        """Do what can be done at once, and queue the rest; return why neither."""
        caller = ask.caller
        if isinstance(command, Typing) and caller.user is not None:
            return self._type(ask, caller.user, command)
        wait = self.throttle.wait(envelope.event, _pace_key(caller, command), ask.since)
        if wait:
            return refusals.RATE_LIMITED.after(wait)
        if self.tracer is None:
            job = self._job(ask, command)
        else:
            job = self._traced_job(self.tracer, ask, envelope.event, command)
        return None if caller.lane.submit(job) else refusals.BUSY

    def _turn_down(self, ask: Ask, refusal: Refusal) -> None:
        """Refuse what the client should not have sent; who keeps sending such is hung up."""
        ask.answer(refusal)
        if refusal is refusals.BUSY:
            # What waits, waits for the backend: its slowness is not the client's doing.
            return
        if self.throttle.strike(ask.caller.number, trio.current_time()):
            ask.caller.hang_up(close.FLOOD)

    def _too_early(self, ask: Ask) -> None:
        """Refuse what came without ``auth``; who does not learn is hung up, in the same words."""
        ask.caller.early += 1
        if ask.caller.early < EARLY_COMMANDS:
            self._turn_down(ask, refusals.AUTH_REQUIRED)
        else:
            ask.caller.hang_up(close.AUTH_REQUIRED)

    def _job(self, ask: Ask, command: Command) -> Job:
        if isinstance(command, Auth):
            return partial(self._authenticate, ask, command)
        return partial(self._obey, ask, command)

    def _traced_job(self, tracer: Tracer, ask: Ask, name: str, command: Command) -> Job:
        about: dict[str, int] = {"connection": ask.caller.number}
        if ask.caller.user is not None:
            about["user"] = ask.caller.user.user_id
        span = tracer.begin(name, "server", since=ask.since, **about)
        return partial(run_within, span, self._job(attrs.evolve(ask, span=span), command))

    async def _authenticate(self, ask: Ask, command: Auth) -> None:
        ask.answer(await self.keeper.authenticate(ask.caller, command))

    async def _obey(self, ask: Ask, command: Command) -> None:
        user = ask.caller.user
        if user is None:
            self._too_early(ask)
        elif isinstance(command, Typing):
            refusal = self._type(ask, user, command)
            if refusal is not None:
                self._turn_down(ask, refusal)
        elif self.shared is not None and (wait := await self._wait_of_all(user, command)):
            self._turn_down(ask, refusals.RATE_LIMITED.after(wait))
        elif ask.command_id is None:
            ask.answer(await self._do(ask, user, command, None))
        else:
            await self._do_once(ask, user, command)

    async def _wait_of_all(self, user: User, command: Command) -> float:
        """Take one from the user's bucket over all nodes, as one was taken from this node's."""
        assert self.shared is not None  # noqa: S101 - the caller looked
        return await self.shared.wait(_SHARED[type(command)], user.user_id)

    # ── once ─────────────────────────────────────────────────────────────────

    async def _do_once(self, ask: Ask, user: User, command: Command) -> None:
        """Do a command that has an id, unless it is done or under way already.

        Under way on an earlier connection, that is; what comes behind it here waits with it,
        or it would overtake.
        """
        assert ask.command_id is not None  # noqa: S101 - the caller looked
        outcomes, joined = ask.caller.outcomes, Joined(ask)
        claim = outcomes.claim(ask.command_id, joined, trio.current_time())
        if claim is Claim.JOINED:
            await joined.told.wait()
            return
        if claim is not Claim.MINE:
            ask.answer(claim)
            return
        outcome: Outcome = refusals.INTERNAL_ERROR
        try:
            outcome = await self._do(ask, user, command, _idempotency_key(ask, user))
        finally:
            # What has not happened may be asked for again under the same id.
            if isinstance(outcome, Refusal) and outcome.may_repeat:
                others = outcomes.release(ask.command_id)
            else:
                others = outcomes.settle(ask.command_id, outcome, trio.current_time())
            ask.answer(outcome)
            for other in others:
                other.ask.answer(outcome)
                other.told.set()

    async def _do(self, ask: Ask, user: User, command: Command, key: str | None) -> Outcome:
        """Do a command; return its ack or why it failed."""
        match command:
            case SendMessage():
                return await self._send_message(ask, user, command, key)
            case AddReaction():
                return await self._add_reaction(ask, user, command, key)
            case MarkRead():
                return await self._mark_read(ask, user, command, key)
            case Auth() | Typing():
                raise AssertionError(command)

    # ── one handler a command ────────────────────────────────────────────────

    def _type(self, ask: Ask, user: User, command: Typing) -> Refusal | None:
        refusal = self.typists.tell(ask.caller, user, command)
        if refusal is None:
            ask.answer(Ack())
        return refusal

    async def _send_message(
        self, ask: Ask, user: User, command: SendMessage, key: str | None
    ) -> Outcome:
        try:
            stored = await self.backend.send_message(ask.caller.token, command, key=key)
        except BackendError as error:
            return self._failed(ask.caller, refusals.SEND_FAILED, error)
        chat_id = self._learn(stored, command.chat_id)
        cause = Cause(key, stored.message_id, ask.since)
        await self.publisher.publish(NewMessage(stored.body), chat_id, user, cause)
        return Ack() if stored.message_id is None else Stored(stored.message_id, chat_id)

    def _learn(self, stored: StoredMessage, asked: ChatId) -> ChatId:
        chat_id = stored.chat_id or asked
        if stored.message_id is not None:
            self.messages.learn(stored.message_id, chat_id)
        return chat_id

    async def _add_reaction(
        self, ask: Ask, user: User, command: AddReaction, key: str | None
    ) -> Outcome:
        try:
            confirmation = await self.backend.add_reaction(ask.caller.token, command, key=key)
        except BackendError as error:
            return self._failed(ask.caller, refusals.REACTION_FAILED, error)
        if confirmation.chat_id is not None:
            self.messages.learn(command.message_id, confirmation.chat_id)
        event = NewReaction(command.message_id, user.user_id, user.name, command.emoji)
        chat_id = self.messages.chat_of(command.message_id)
        await self.publisher.publish(event, chat_id, user, Cause(key, since=ask.since))
        return Ack()

    async def _mark_read(self, ask: Ask, user: User, command: MarkRead, key: str | None) -> Outcome:
        try:
            confirmation = await self.backend.mark_read(ask.caller.token, command, key=key)
        except BackendError as error:
            return self._failed(ask.caller, refusals.READ_FAILED, error)
        if confirmation.chat_id is not None:
            for message_id in command.message_ids:
                self.messages.learn(message_id, confirmation.chat_id)
        for chat_id, message_ids in self.messages.by_chat(command.message_ids).items():
            event = MessageRead(message_ids, user.user_id, user.name)
            cause = Cause(key and f"{key}-{chat_id}", since=ask.since)
            await self.publisher.publish(event, chat_id, user, cause)
        return Ack()

    def _failed(self, caller: Caller, refusal: Refusal, error: BackendError) -> Refusal:
        """Say why a call made in the user's name failed; a 401 makes its token suspect."""
        if isinstance(error, BackendRejected) and error.status == _UNAUTHORIZED:
            self.keeper.suspect(caller)
        return failed(refusal, error)


def _pace_key(caller: Caller, command: Command) -> int:
    """Return whose pace a command counts for: the user's; for auth the connection's."""
    if caller.user is None or isinstance(command, Auth):
        return -caller.number
    return caller.user.user_id


def _idempotency_key(ask: Ask, user: User) -> str:
    """Name a command to the backend: the same for a repetition, another for everybody else's."""
    scope = ask.caller.outcomes.scope
    name = f"{user.user_id}:{scope}:{type(ask.command_id).__name__}:{ask.command_id}"
    return hashlib.blake2b(name.encode(), digest_size=16).hexdigest()


_SHARED = {SendMessage: "send_message", AddReaction: "add_reaction", MarkRead: "mark_read"}
"""The commands whose pace is a user's, and that wait for the backend anyway. Typing asks by itself;
an ``auth`` is its connection's affair, which is on one node."""

_UNAUTHORIZED = 401

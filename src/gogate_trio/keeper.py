"""Who may come in, and who may stay: the life of a token from ``auth`` to its end.

The keeper has the backend asked whose a token is: when a client brings it, again and again
while it is in use, and at once when the backend has refused a call made with it. Tokens stay
where they are, on their connections; the keeper knows them by a digest.
"""

from __future__ import annotations

import itertools
import math
import random
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import trio

from gogate_trio.backend.base import Backend, User
from gogate_trio.backend.inquiry import Inquiry, Word, digest_of
from gogate_trio.caller import Ask, Caller, Outcome
from gogate_trio.config import AuthSettings
from gogate_trio.errors import BackendError, BackendRejected
from gogate_trio.ids import ChatId, UserId
from gogate_trio.limits import AWAY_SECONDS
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.protocol import close, refusals
from gogate_trio.protocol.commands import Auth
from gogate_trio.protocol.cookies import auth_of
from gogate_trio.protocol.events import Ack, AuthExpiring
from gogate_trio.protocol.handshake import Head
from gogate_trio.protocol.jwt import expiry
from gogate_trio.protocol.refusals import Refusal, failed
from gogate_trio.resume import Reception
from gogate_trio.state.tokens import NEVER, Answer, Entry, Step, TokenBook, Verdict

Token = Entry[Caller]

Enter = Callable[[UserId], Awaitable[bool]]
Attend = Callable[[Caller, User, tuple[ChatId, ...]], None]

_log = get_logger(__name__)


def _nothing(_caller: Caller, _user: User, _chats: tuple[ChatId, ...]) -> None:
    """Do nothing."""


class Keeper:
    """Keeps the tokens of one node. ``run`` must be running for anything to end."""

    def __init__(  # noqa: PLR0913 - what it is made of, by keyword
        self,
        backend: Backend,
        settings: AuthSettings,
        *,
        reception: Reception,
        metrics: Metrics,
        enter: Enter | None = None,
        attend: Attend = _nothing,
        wall: Callable[[], float] = time.time,
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``wall`` tells the seconds since 1970; ``spread`` a number between its arguments.

        ``enter`` asks the other nodes whether one more connection of a user may stay; ``attend``
        is called with the chats whose presence a client asks for.
        """
        self._inquiry = Inquiry(
            backend, concurrency=settings.concurrency, remember=settings.recheck
        )
        self._reception = reception
        self._enter = enter
        self._attend = attend
        self._spread = spread
        self._settings = settings
        self._metrics = metrics
        self._wall = wall
        self._book = TokenBook[Caller](
            grace=settings.grace, recheck=settings.recheck, spread=spread
        )
        # Unbounded, but a token is in it once at most.
        self._ask_later, self._to_ask = trio.open_memory_channel[Token](math.inf)
        self._news = trio.Event()
        self._wakes_at = NEVER
        self._is_away = False

    def adjust(self, settings: AuthSettings) -> None:
        """Go by these settings from now on; the times of tokens that are held stay as they are."""
        self._settings = settings
        self._inquiry.adjust(concurrency=settings.concurrency, remember=settings.recheck)
        self._book.adjust(grace=settings.grace, recheck=settings.recheck)

    # ── coming in ────────────────────────────────────────────────────────────

    def greet(self, caller: Caller, head: Head) -> None:
        """Authenticate a new connection by the cookie of its upgrade request, if that is on.

        ``head`` has passed the origin policy. Does not block: it happens in the lane, before
        anything the client says.
        """
        if not self._settings.cookie:
            return
        found = auth_of(head, self._settings.cookie)
        if isinstance(found, Refusal):
            caller.refuse(found)
        elif found is not None:
            caller.lane.submit(partial(self._authenticate_by_cookie, caller, found))

    async def _authenticate_by_cookie(self, caller: Caller, found: Auth) -> None:
        Ask(caller).answer(await self.authenticate(caller, found))

    async def authenticate(self, caller: Caller, command: Auth) -> Outcome:
        """Let a connection in, or give one that is in a fresh token; return how it went.

        Refused, it stays as it was: outside, or inside with the token it had. When the backend
        cannot say, one that is outside is sent away for a while.
        """
        try:
            word = await self._word_on(caller, command)
        except BackendError as error:
            if isinstance(error, BackendRejected):
                self._suspect(command.token)
            elif caller.user is None:
                caller.hang_up(close.backend_away(self._spread(*AWAY_SECONDS)))
            return failed(refusals.AUTH_FAILED, error)
        if word is None:
            return Ack()
        user = word.user
        if not user.active:
            self._suspect(command.token)
            return refusals.AUTH_FAILED.because("user is not active")
        if caller.user is not None and caller.user.user_id != user.user_id:
            return refusals.ALREADY_AUTHENTICATED
        if not await self._let_in(caller, user, command.token):
            # Or it is leaving for another reason, and reads this no more.
            return refusals.TOO_MANY_CONNECTIONS
        near = self._hold(caller, command, word)
        await self._reception.welcome(caller, user, command)
        if command.presence is not None:
            self._attend(caller, user, command.presence)
        if near is not None:
            _notify(caller, near, trio.current_time())
        return Ack()

    async def _word_on(self, caller: Caller, command: Auth) -> Word | None:
        """Return whose token it is; None when nobody waits for the answer any more.

        A client that resumes need not be asked about for as long as a token in use would not
        be either, so also during an outage: thousands that come back at once neither hammer
        the backend nor depend on it.
        """
        known = self._inquiry.recall(command.token)
        if (
            known is not None
            and self._reception.knows(command, known.user)
            and not self._is_over(command.token)
        ):
            return known
        slots = self._inquiry.slots
        try:
            slots.acquire_nowait()
        except trio.WouldBlock:
            await slots.acquire()
        try:
            return None if caller.hangup is not None else await self._inquiry.whose(command.token)
        finally:
            slots.release()

    async def _let_in(self, caller: Caller, user: User, token: str) -> bool:
        """Whether a connection may be this user's: first as this node sees it, then as all do."""
        is_new = caller.user is None
        if not caller.identify(user, token):
            return False
        if is_new and self._enter is not None and not await self._enter(user.user_id):
            caller.hang_up(close.TOO_MANY_CONNECTIONS)
        return caller.hangup is None

    def _is_over(self, token: str) -> bool:
        exp = expiry(token)
        return exp is not None and exp <= self._wall()

    def _hold(self, caller: Caller, command: Auth, word: Word) -> Token | None:
        """Watch over a token; return it when its end is so near that it gives no notice more."""
        caller.wants_notices = caller.wants_notices or command.notices
        now = trio.current_time()
        ends_at = self._end_of(command.token, now)
        digest = digest_of(command.token)
        asked_at = word.given_at
        near = self._book.hold(caller, digest, ends_at=ends_at, accepted_at=asked_at, now=now)
        if self._inquiry.is_doubted(word.user.user_id, asked_at):
            self._suspect(command.token)
        self._wake()
        return near

    def _end_of(self, token: str, now: float) -> float:
        """Return when a token that the backend has just accepted ends, by trio's clock."""
        exp = expiry(token)
        if exp is None:
            return NEVER
        left = exp - self._wall()
        if left + self._settings.grace > 0:
            return now + left
        # By our clock it may not even be used any more. The backend's word counts: it will
        # say when it is over, at a recheck.
        _log.warning("clocks_differ", ended_seconds_ago=round(-left))
        return NEVER

    # ── staying ──────────────────────────────────────────────────────────────

    def doubt(self, user_id: UserId) -> None:
        """Let nobody in as this user on a word of the backend's from before now."""
        self._inquiry.doubt(user_id)

    def suspect(self, caller: Caller) -> None:
        """Have the backend asked at once about a connection whose call it has answered 401."""
        self._suspect(caller.token)

    def forget(self, caller: Caller) -> None:
        """Note that a connection is gone."""
        self._book.release(caller)
        self._reception.leave(caller)

    async def run(self) -> None:
        """See to what is due, for ever."""
        async with trio.open_nursery() as questions:
            questions.start_soon(self._ask_in_turn, questions)
            while True:
                await self._see_to_what_is_due()
                self._news = trio.Event()
                self._wakes_at = self._book.next_at
                with trio.move_on_at(self._wakes_at):
                    await self._news.wait()

    async def _see_to_what_is_due(self) -> None:
        for count in itertools.count(1):
            due = self._book.due(trio.current_time())
            if due is None:
                return
            token, step = due
            match step:
                case Step.NOTICE:
                    for caller in token.holders:
                        _notify(caller, token, trio.current_time())
                case Step.ASK:
                    self._ask_later.send_nowait(token)
            if not count % _PER_TURN:
                await trio.lowlevel.checkpoint()

    async def _ask_in_turn(self, questions: trio.Nursery) -> None:
        """Ask about one token after the other, several at once as far as the limiter allows.

        One at a time waits for the limiter, so newcomers get most of it.
        """
        async for token in self._to_ask:
            await self._inquiry.slots.acquire_on_behalf_of(token)
            questions.start_soon(self._ask, token)

    async def _ask(self, token: Token) -> None:
        asked_at = trio.current_time()
        try:
            answer = await self._answer(token)
        except Exception:  # noqa: BLE001 - the fence: a bug must not end the node
            self._metrics.bugs += 1
            _log.exception("recheck_failed")
            answer = Answer.AWAY
        finally:
            self._inquiry.slots.release_on_behalf_of(token)
        callers = tuple(token.holders)
        verdict = self._book.settle(token, answer, now=trio.current_time())
        if any(
            caller.user and self._inquiry.is_doubted(caller.user.user_id, asked_at)
            for caller in token.holders
        ):
            self._book.suspect(token.digest, trio.current_time())
        self._wake()
        if verdict is not Verdict.KEEP:
            self._inquiry.forget(token.digest)
        if callers:
            self._note(answer)
            _carry_out(verdict, callers)

    async def _answer(self, token: Token) -> Answer:
        caller = next(iter(token.holders), None)
        if caller is None or caller.user is None:
            return Answer.AWAY
        return await self._inquiry.still(caller.token, caller.user.user_id)

    def _note(self, answer: Answer) -> None:
        """Count an answer; log the first of an outage and the first after it."""
        self._metrics.rechecks[answer.value] += 1
        is_away = answer is Answer.AWAY
        if is_away and not self._is_away:
            _log.warning("tokens_extended", reason="the backend does not say who may stay")
        elif self._is_away and not is_away:
            _log.info("tokens_checked_again")
        self._is_away = is_away

    def _suspect(self, token: str) -> None:
        digest = digest_of(token)
        self._inquiry.forget(digest)
        self._book.suspect(digest, trio.current_time())
        self._wake()

    def _wake(self) -> None:
        if self._book.next_at < self._wakes_at:
            self._news.set()


def _notify(caller: Caller, token: Token, now: float) -> None:
    if caller.wants_notices:
        caller.reply(AuthExpiring(max(0, math.ceil((token.ends_at - now) * 1000))))


def _carry_out(verdict: Verdict, callers: tuple[Caller, ...]) -> None:
    if verdict is Verdict.KEEP:
        return
    _log.info("token_over", verdict=verdict.value, connections=[each.number for each in callers])
    hangup = close.TOKEN_EXPIRED if verdict is Verdict.EXPIRED else close.TOKEN_REVOKED
    for caller in callers:
        caller.hang_up(hangup)


_PER_TURN: Final = 256
"""tokens seen to between two checkpoints: about 1 ms"""

"""Who may come in: whose a token is that a client brings, and what happens then.

Who is in may stay as long as its token is good: that is ``tenure``'s part of a token's life.
"""

from __future__ import annotations

import random
import time
from collections.abc import Awaitable, Callable
from functools import partial

import trio

from gogate_trio.backend.base import Backend, User
from gogate_trio.backend.inquiry import Inquiry, Word
from gogate_trio.caller import Ask, Caller, Outcome
from gogate_trio.config import AuthSettings
from gogate_trio.errors import BackendError, BackendRejected
from gogate_trio.ids import ChatId, UserId
from gogate_trio.limits import AWAY_SECONDS
from gogate_trio.metrics import Metrics
from gogate_trio.protocol import close, refusals
from gogate_trio.protocol.commands import Auth
from gogate_trio.protocol.cookies import auth_of
from gogate_trio.protocol.events import Ack
from gogate_trio.protocol.handshake import Head
from gogate_trio.protocol.jwt import expiry
from gogate_trio.protocol.refusals import Refusal, failed
from gogate_trio.resume import Reception
from gogate_trio.tenure import Tenure, notify

Enter = Callable[[UserId], Awaitable[bool]]
Attend = Callable[[Caller, User, tuple[ChatId, ...]], None]


def _nothing(_caller: Caller, _user: User, _chats: tuple[ChatId, ...]) -> None:
    """Do nothing."""


class Keeper:
    """Lets people in to one node. ``run`` must be running for anybody to be sent away again."""

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
        self._wall = wall
        self._tenure = Tenure(self._inquiry, settings, metrics=metrics, wall=wall, spread=spread)

    def adjust(self, settings: AuthSettings) -> None:
        """Go by these settings from now on; the times of tokens that are held stay as they are."""
        self._settings = settings
        self._inquiry.adjust(concurrency=settings.concurrency, remember=settings.recheck)
        self._tenure.adjust(settings)

    # ── coming in ────────────────────────────────────────────────────────────

    def greet(self, caller: Caller, head: Head) -> None:
        """Authenticate a new connection by its upgrade request's cookie, if that is on.

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
                self._tenure.suspect(command.token)
            elif caller.user is None:
                caller.hang_up(close.backend_away(self._spread(*AWAY_SECONDS)))
            return failed(refusals.AUTH_FAILED, error)
        if word is None:
            return Ack()
        user = word.user
        if not user.active:
            self._tenure.suspect(command.token)
            return refusals.AUTH_FAILED.because("user is not active")
        if caller.user is not None and caller.user.user_id != user.user_id:
            return refusals.ALREADY_AUTHENTICATED
        if not await self._let_in(caller, user, command.token):
            # Or it is leaving for another reason, and reads this no more.
            return refusals.TOO_MANY_CONNECTIONS
        near = self._tenure.begin(caller, command, word)
        await self._reception.welcome(caller, user, command)
        if command.presence is not None:
            self._attend(caller, user, command.presence)
        if near is not None:
            notify(caller, near, trio.current_time())
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

    # ── staying ──────────────────────────────────────────────────────────────

    def doubt(self, user_id: UserId) -> None:
        """Let nobody in as this user on a word of the backend's from before now."""
        self._inquiry.doubt(user_id)

    def suspect(self, caller: Caller) -> None:
        """Have the backend asked at once about a connection whose call it has answered 401."""
        self._tenure.suspect(caller.token)

    def forget(self, caller: Caller) -> None:
        """Note that a connection is gone."""
        self._tenure.end(caller)
        self._reception.leave(caller)

    async def run(self) -> None:
        """See to the tokens of those who are in, for ever."""
        await self._tenure.run()

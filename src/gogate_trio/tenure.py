"""Who may stay: the life of a token from when it was accepted to its end.

The backend is asked whose it is again and again while it is in use, and at once when the backend
has refused a call made with it. Tokens stay where they are, on their connections; here they are
known by a digest.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Final

import trio

from gogate_trio.backend.inquiry import Inquiry, Word, digest_of
from gogate_trio.caller import Caller
from gogate_trio.config import AuthSettings
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.protocol import close
from gogate_trio.protocol.commands import Auth
from gogate_trio.protocol.events import AuthExpiring
from gogate_trio.protocol.jwt import expiry
from gogate_trio.state.tokens import NEVER, Answer, Entry, Step, TokenBook, Verdict

Token = Entry[Caller]

_log = get_logger(__name__)


class Tenure:
    """The tokens in use on one node. ``run`` must be running for anything to end."""

    def __init__(
        self,
        inquiry: Inquiry,
        settings: AuthSettings,
        *,
        metrics: Metrics,
        wall: Callable[[], float],
        spread: Callable[[float, float], float],
    ) -> None:
        """``wall`` and ``spread`` are those of ``Keeper``."""
        self._inquiry = inquiry
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
        self._book.adjust(grace=settings.grace, recheck=settings.recheck)

    def begin(self, caller: Caller, command: Auth, word: Word) -> Token | None:
        """Watch over a token that was accepted.

        Returns it when its end is so near that it gives no notice more.
        """
        caller.wants_notices = caller.wants_notices or command.notices
        now = trio.current_time()
        ends_at = self._end_of(command.token, now)
        digest = digest_of(command.token)
        asked_at = word.given_at
        near = self._book.hold(caller, digest, ends_at=ends_at, accepted_at=asked_at, now=now)
        if self._inquiry.is_doubted(word.user.user_id, asked_at):
            self.suspect(command.token)
        self._wake()
        return near

    def suspect(self, token: str) -> None:
        """Have the backend asked about a token at once, and believe no earlier word on it."""
        digest = digest_of(token)
        self._inquiry.forget(digest)
        self._book.suspect(digest, trio.current_time())
        self._wake()

    def end(self, caller: Caller) -> None:
        """Note that a connection is gone."""
        self._book.release(caller)

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
                        notify(caller, token, trio.current_time())
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

    def _wake(self) -> None:
        if self._book.next_at < self._wakes_at:
            self._news.set()


def notify(caller: Caller, token: Token, now: float) -> None:
    """Tell a client when its token ends, if it wants to know."""
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

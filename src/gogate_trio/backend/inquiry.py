"""Whose a token is: asked of the backend through one limiter, and remembered for a while.

Newcomers and those who are asked about again share the limiter, so that ten thousand clients
that come back at once do not arrive at the backend at once. What is remembered is the
backend's word, by a digest of the token; never the token.
"""

from __future__ import annotations

import hashlib
from typing import Final

import attrs
import trio

from gogate_trio.backend.base import Backend, User
from gogate_trio.errors import BackendError, BackendRejected
from gogate_trio.ids import ChatId, UserId
from gogate_trio.state.recent import Doubts, RecentTokens
from gogate_trio.state.tokens import Answer


@attrs.frozen
class Word:
    """What the backend said about a token."""

    user: User
    given_at: float
    """When it was asked: trio's clock, seconds. What it knew was no newer, for all we know."""


class Inquiry:
    """Asks the backend about tokens. Whoever calls ``whose`` or ``still`` holds a slot."""

    def __init__(self, backend: Backend, *, concurrency: int, remember: float) -> None:
        """``concurrency``: questions at once; ``remember``: seconds a word may be recalled."""
        self._backend = backend
        self._words = RecentTokens[Word](remember)
        self._doubts = Doubts()
        self.slots = trio.CapacityLimiter(concurrency)

    def adjust(self, *, concurrency: int, remember: float) -> None:
        """Let these be the bounds from now on."""
        self.slots.total_tokens = concurrency
        self._words.adjust(remember)

    def recall(self, token: str) -> Word | None:
        """Return the backend's word on a token, if it is still fresh."""
        word = self._words.find(digest_of(token), trio.current_time())
        is_doubted = word is not None and self.is_doubted(word.user.user_id, word.given_at)
        return None if is_doubted else word

    def forget(self, digest: bytes) -> None:
        """Recall no earlier word on this token."""
        self._words.forget(digest)

    def doubt(self, user_id: UserId) -> None:
        """Let nothing count that was asked about this user's tokens before now."""
        self._doubts.note(user_id, trio.current_time())

    def is_doubted(self, user_id: UserId, asked_at: float) -> bool:
        """Whether a user has been doubted since the backend was asked."""
        return self._doubts.concerns(user_id, asked_at)

    async def whose(self, token: str) -> Word:
        """Return whose token it is. Raises ``BackendError``."""
        asked_at = trio.current_time()
        word = Word(await self._backend.validate(token), asked_at)
        self._words.learn(digest_of(token), word, word.given_at)
        return word

    async def still(self, token: str, user_id: UserId) -> Answer:
        """Return whether it is still this user's; ``AWAY`` if the backend says nothing about it.

        It says 401 to a wrong key of ours too. So 401 counts when it is said again after our
        key was good: changing the key on one side only must not cut everybody off.
        """
        answer = await self._still(token, user_id)
        if answer is not Answer.BAD:
            return answer
        return await self._still(token, user_id) if await self._is_key_good() else Answer.AWAY

    async def _still(self, token: str, user_id: UserId) -> Answer:
        try:
            user = (await self.whose(token)).user
        except BackendRejected as error:
            return _MEANINGS.get(error.status, Answer.AWAY)
        except BackendError:
            return Answer.AWAY
        return Answer.GOOD if user.active and user.user_id == user_id else Answer.BARRED

    async def _is_key_good(self) -> bool:
        try:
            await self._backend.members(_ANY_CHAT)
        except BackendRejected as error:
            return _MEANINGS.get(error.status) is not Answer.BAD
        except BackendError:
            return False
        return True


def digest_of(token: str) -> bytes:
    """Return what names a token where the token itself must not be."""
    return hashlib.blake2b(token.encode(), digest_size=16).digest()


_ANY_CHAT: Final = ChatId(1)
"""Whether the backend has it does not matter: "no such chat" too is an answer to our key."""

_MEANINGS: Final = {401: Answer.BAD, 403: Answer.BARRED}
"""What a refusal says about a token. Any other status is about something else."""

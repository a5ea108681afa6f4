"""The backend as a model: it stores, it knows who is where, and it fails as backends do.

A deed is done by the backend's own task: a gateway that is killed meanwhile does not undo it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import trio

from gogate_trio.backend.base import Confirmation, Members, StoredMessage, User
from gogate_trio.errors import BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId, MessageId, UserId

if TYPE_CHECKING:
    from random import Random

    from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage
    from simulation.chronicle import Chronicle

T = TypeVar("T")

TIMEOUT = 10.0
"""seconds after which the gateway gives a call up"""


class Fate(Enum):
    """How one call goes."""

    FINE = "fine"
    REFUSED = "refused dial"
    ERROR = "status 500, and nothing done"
    LOST = "no answer, and nothing done"
    UNHEARD = "done, and no answer"
    GARBAGE = "done, and an answer that makes no sense"


class Weather(Enum):
    """How likely each fate is: pairs of a weight and a fate."""

    FAIR = ((97, Fate.FINE), (1, Fate.REFUSED), (1, Fate.ERROR), (1, Fate.GARBAGE))
    ROUGH = (
        (60, Fate.FINE),
        (15, Fate.REFUSED),
        (8, Fate.ERROR),
        (6, Fate.LOST),
        (6, Fate.UNHEARD),
        (5, Fate.GARBAGE),
    )
    AWAY = ((1, Fate.REFUSED),)
    HANGING = ((1, Fate.LOST), (1, Fate.UNHEARD))
    CALM = ((1, Fate.FINE),)


@attrs.frozen
class Stored:
    """A message in the backend's database."""

    message_id: int
    chat_id: int
    user_id: int
    text: str


@attrs.define(eq=False)
class ModelBackend:
    """Implements ``backend.base.Backend``."""

    random: Random
    chronicle: Chronicle = attrs.field(repr=False)
    chats: dict[int, list[int]]
    """Chat id → ids of its members."""
    honours_keys: bool
    """Whether it knows ``Idempotency-Key``."""
    deeds: trio.Nursery
    weather: Weather = Weather.FAIR
    hides_members: bool = False
    """Whether it is away for whoever asks for members, and for nobody else."""
    messages: list[Stored] = attrs.field(factory=list)
    _by_key: dict[str, Any] = attrs.field(factory=dict)

    def fetch(self, user_id: int) -> list[Stored]:
        """Return the history of all chats of a user, as REST tells it to clients."""
        return [each for each in self.messages if user_id in self.chats[each.chat_id]]

    # ── the port ─────────────────────────────────────────────────────────────

    async def validate(self, token: str) -> User:
        """Know a user by ``token-N``."""
        number = int(token.removeprefix("token-"))
        user = User(UserId(number), f"User {number}", "", active=True)
        return await self._call(lambda: user, changes=False)

    async def members(self, chat_id: ChatId) -> Members:
        """Tell who is in the chat, with a new list each time."""
        if self.hides_members:
            raise BackendUnavailable
        names = {UserId(each): f"User {each}" for each in self.chats[chat_id]}
        return await self._call(lambda: Members(chat_id, names), changes=False)

    async def send_message(
        self, token: str, command: SendMessage, *, key: str | None = None
    ) -> StoredMessage:
        """Store a message, once for each key if it knows keys."""
        deed = partial(self._store, int(token.removeprefix("token-")), command)
        stored = await self._call(partial(self._once, key, deed), changes=True, text=command.text)
        self.chronicle.note("backend", "answered", text=stored.text, message=stored.message_id)
        body = {
            "id": stored.message_id,
            "chat_id": stored.chat_id,
            "user": {"id": stored.user_id},
            "text": stored.text,
        }
        return StoredMessage(
            json.dumps(body).encode(), MessageId(stored.message_id), ChatId(stored.chat_id)
        )

    async def add_reaction(
        self, token: str, command: AddReaction, *, key: str | None = None
    ) -> Confirmation:
        """Take any reaction."""
        del token, command, key
        return await self._call(lambda: Confirmation(None), changes=True)

    async def mark_read(
        self, token: str, command: MarkRead, *, key: str | None = None
    ) -> Confirmation:
        """Take any read mark."""
        del token, command, key
        return await self._call(lambda: Confirmation(None), changes=True)

    # ── how it goes ──────────────────────────────────────────────────────────

    def _store(self, user_id: int, command: SendMessage) -> Stored:
        stored = Stored(len(self.messages) + 1, command.chat_id, user_id, command.text)
        self.messages.append(stored)
        self.chronicle.note("backend", "stored", text=stored.text, message=stored.message_id)
        return stored

    def _once(self, key: str | None, deed: Callable[[], T]) -> T:
        if key is None or not self.honours_keys:
            return deed()
        if key not in self._by_key:
            self._by_key[key] = deed()
        return self._by_key[key]

    async def _call(self, deed: Callable[[], T], *, changes: bool, text: str | None = None) -> T:
        weights, fates = zip(*self.weather.value, strict=True)
        fate = self.random.choices(fates, weights)[0]
        if changes:
            self.chronicle.note("backend", "called", text=text, fate=fate.value)
        answer: list[T] = []
        over = trio.Event()
        self.deeds.start_soon(self._perform, fate, deed, answer, over)
        await over.wait()
        if answer:
            return answer[0]
        if fate is Fate.REFUSED or not changes:
            raise BackendUnavailable
        raise BackendRejected(500, None) if fate is Fate.ERROR else OutcomeUnknown

    async def _perform(
        self, fate: Fate, deed: Callable[[], T], answer: list[T], over: trio.Event
    ) -> None:
        await trio.sleep(self.random.expovariate(20))
        done = [deed()] if fate in {Fate.FINE, Fate.UNHEARD, Fate.GARBAGE} else []
        await trio.sleep(self.random.expovariate(20))
        if fate in {Fate.LOST, Fate.UNHEARD}:
            await trio.sleep(TIMEOUT)
        if fate is Fate.FINE:
            answer += done
        over.set()

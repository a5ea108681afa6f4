"""A backend in memory, behind the port itself: no sockets, no HTTP, no time of its own.

Users 1 (Jo), 2 (Al), 3 (Kim) and 4 (Tim, not active) have the tokens ``token-1`` to
``token-4``; Jo, Al and Kim are in chat 1, Jo and Al alone in chat 2.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import attrs
import trio

from gogate_trio.backend.base import Confirmation, Members, StoredMessage, User
from gogate_trio.errors import BackendRejected
from gogate_trio.ids import ChatId, MessageId, UserId

if TYPE_CHECKING:
    from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

NAMES = {UserId(1): "Jo", UserId(2): "Al", UserId(3): "Kim", UserId(4): "Tim"}


@attrs.define(eq=False)
class MemoryBackend:
    """Implements ``backend.base.Backend``; does what a test tells it to."""

    chats: dict[int, list[int]] = attrs.field(factory=lambda: {1: [1, 2, 3], 2: [1, 2]})
    """Chat id → ids of its members. May be changed at any time."""
    calls: list[tuple] = attrs.field(factory=list, repr=False)
    """Every call that began: its name and its arguments."""
    confirms_chat: bool = False
    """Whether confirmations carry the chat of their message."""
    names_messages: bool = True
    """Whether an answer carries the id of the stored message and of its chat."""
    moves_to: dict[int, int] = attrs.field(factory=dict)
    """Chat a message is sent to → chat the backend puts it in."""
    idempotency_keys: list[str | None] = attrs.field(factory=list)
    """The key of every call that changes something."""
    _stored: dict[int, int] = attrs.field(factory=dict)
    _failures: dict[str, list[Exception | None]] = attrs.field(factory=dict)
    _gates: dict[str, trio.Event] = attrs.field(factory=dict)

    # ── what a test does with it ─────────────────────────────────────────────

    def fail(self, name: str, *errors: Exception | None) -> None:
        """Let the next calls of a name raise these in turn, the last one for ever."""
        self._failures[name] = list(errors)

    def heal(self, name: str) -> None:
        """Undo ``fail``."""
        self._failures.pop(name, None)

    def hold(self, name: str) -> trio.Event:
        """Let the calls of a name that begin from now on wait for the event returned."""
        gate = self._gates[name] = trio.Event()
        return gate

    def free(self, name: str) -> None:
        """Let calls of a name that begin from now on wait no more."""
        del self._gates[name]

    def count(self, name: str) -> int:
        """Return how many calls of a name have begun."""
        return Counter(call[0] for call in self.calls)[name]

    # ── the port ─────────────────────────────────────────────────────────────

    async def validate(self, token: str) -> User:
        """Know a user by ``token-N``, with anything behind a dot."""
        await self._begin("validate", token)
        number = token.removeprefix("token-").partition(".")[0]
        if not number.isdigit() or UserId(int(number)) not in NAMES:
            raise BackendRejected(401, "Invalid token")
        user_id = UserId(int(number))
        return User(user_id, NAMES[user_id], f"+7999000000{number}", active=user_id != UserId(4))

    async def members(self, chat_id: ChatId) -> Members:
        """Tell who is in the chat, with a new list each time."""
        await self._begin("members", chat_id)
        if chat_id not in self.chats:
            raise BackendRejected(404, "Chat not found")
        return Members(chat_id, {UserId(n): NAMES[UserId(n)] for n in self.chats[chat_id]})

    async def send_message(
        self, token: str, command: SendMessage, *, key: str | None = None
    ) -> StoredMessage:
        """Store a message under the next id."""
        self.idempotency_keys.append(key)
        await self._begin("send_message", token, command)
        number = len(self._stored) + 1
        chat_id = ChatId(self.moves_to.get(command.chat_id, command.chat_id))
        self._stored[number] = chat_id
        body = {"id": number, "chat_id": chat_id, "text": command.text}
        if self.names_messages:
            return StoredMessage(_json(body), MessageId(number), chat_id)
        return StoredMessage(_json({"text": command.text}), None, None)

    async def add_reaction(
        self, token: str, command: AddReaction, *, key: str | None = None
    ) -> Confirmation:
        """Take any reaction."""
        self.idempotency_keys.append(key)
        await self._begin("add_reaction", token, command)
        return self._confirm(command.message_id)

    async def mark_read(
        self, token: str, command: MarkRead, *, key: str | None = None
    ) -> Confirmation:
        """Take any read mark."""
        self.idempotency_keys.append(key)
        await self._begin("mark_read", token, command)
        return self._confirm(command.message_ids[0])

    def _confirm(self, message_id: MessageId) -> Confirmation:
        chat_id = self._stored.get(message_id) if self.confirms_chat else None
        return Confirmation(None if chat_id is None else ChatId(chat_id))

    async def _begin(self, name: str, *arguments) -> None:
        self.calls.append((name, *arguments))
        if name in self._gates:
            await self._gates[name].wait()
        await trio.lowlevel.checkpoint()
        errors = self._failures.get(name)
        if errors:
            error = errors.pop(0) if len(errors) > 1 else errors[0]
            if error is not None:
                raise error


def _json(body: dict) -> bytes:
    return json.dumps(body).encode()

"""What a client is told. Each class is one event; its fields are the keys of ``data``."""

from __future__ import annotations

from typing import ClassVar

import attrs

from gogate_trio.ids import ChatId, MessageId, UserId


@attrs.frozen
class AuthSuccess:
    """You are known."""

    NAME: ClassVar = "auth_success"
    user_id: UserId
    name: str
    phone: str


@attrs.frozen
class NewMessage:
    """Somebody wrote: the backend's own words, passed on untouched."""

    NAME: ClassVar = "new_message"
    body: bytes = attrs.field(repr=False)
    """One JSON object."""


@attrs.frozen
class UserTyping:
    """Somebody types, or no longer does."""

    NAME: ClassVar = "user_typing"
    chat_id: ChatId
    user_id: UserId
    name: str
    is_typing: bool


@attrs.frozen
class NewReaction:
    """Somebody reacted to a message."""

    NAME: ClassVar = "new_reaction"
    message_id: MessageId
    user_id: UserId
    name: str
    emoji: str


@attrs.frozen
class MessageRead:
    """Somebody has read messages."""

    NAME: ClassVar = "message_read"
    message_ids: tuple[MessageId, ...]
    user_id: UserId
    name: str


@attrs.frozen
class Error:
    """Something the client asked for was refused."""

    NAME: ClassVar = "error"
    message: str
    code: str


Event = AuthSuccess | NewMessage | UserTyping | NewReaction | MessageRead | Error

"""What a client is told. Each class is one event; its fields are the keys of ``data``.

No slots: msgspec writes the keys of a slotted attrs class in an order of its own, and people
compare what they see with the guide.
"""

from __future__ import annotations

from typing import ClassVar, Final, get_args

import attrs

from gogate_trio.ids import ChatId, MessageId, UserId
from gogate_trio.limits import RESYNC_SECONDS
from gogate_trio.protocol.refusals import Refusal


@attrs.frozen(slots=False)
class AuthSuccess:
    """You are known."""

    NAME: ClassVar = "auth_success"
    user_id: UserId
    name: str
    phone: str


@attrs.frozen(slots=False)
class Resumed:
    """You are known, and this is your session: an ``auth_success`` for who asked to resume."""

    NAME: ClassVar = "auth_success"
    user_id: UserId
    name: str
    phone: str
    session: str
    position: str
    """Where in the stream the client is now: what it missed follows, if it is ``recovered``."""
    recovered: bool


@attrs.frozen(slots=False)
class Resync:
    """What you missed cannot be told any more: fetch your chats anew."""

    NAME: ClassVar = "resync"
    position: str
    """From here on nothing is missing."""


@attrs.frozen(slots=False)
class ResyncOfAll:
    """Everybody is to fetch anew, and not all at once."""

    NAME: ClassVar = "resync"
    position: str
    within_ms: int
    """Each is to do so at a moment of its own in this time."""


@attrs.frozen(slots=False)
class Ack:
    """The command of this id is done."""

    NAME: ClassVar = "ack"


@attrs.frozen(slots=False)
class Stored:
    """The message of this id is stored: an ``ack``."""

    NAME: ClassVar = "ack"
    message_id: MessageId
    chat_id: ChatId


@attrs.frozen(slots=False)
class AuthExpiring:
    """Your token ends soon: bring a fresh one. Only for who asked for notices."""

    NAME: ClassVar = "auth_expiring"
    expires_in_ms: int
    """Until the token's own end: the grace is not in it."""


@attrs.frozen(slots=False)
class Reconnect:
    """Your connection is about to end: the node is. Only for who asked for notices."""

    NAME: ClassVar = "reconnect"
    after_ms: int
    """How long to wait from the end of the connection on."""


@attrs.frozen(slots=False)
class NewMessage:
    """Somebody wrote: the backend's own words, passed on untouched."""

    NAME: ClassVar = "new_message"
    body: bytes = attrs.field(repr=False)
    """One JSON object."""


@attrs.frozen(slots=False)
class UserTyping:
    """Somebody types, or no longer does."""

    NAME: ClassVar = "user_typing"
    chat_id: ChatId
    user_id: UserId
    name: str
    is_typing: bool


@attrs.frozen(slots=False)
class NewReaction:
    """Somebody reacted to a message."""

    NAME: ClassVar = "new_reaction"
    message_id: MessageId
    user_id: UserId
    name: str
    emoji: str


@attrs.frozen(slots=False)
class MessageRead:
    """Somebody has read messages."""

    NAME: ClassVar = "message_read"
    message_ids: tuple[MessageId, ...]
    user_id: UserId
    name: str


@attrs.frozen(slots=False)
class Presence:
    """Who of a chat is online now: all of them, each time. Only for who asked for it."""

    NAME: ClassVar = "presence"
    chat_id: ChatId
    online: tuple[UserId, ...]


@attrs.frozen(slots=False)
class Error:
    """Something the client asked for was refused."""

    NAME: ClassVar = "error"
    message: str
    code: str


@attrs.frozen(slots=False)
class Throttled:
    """Something the client asked for came too fast: an ``error`` that says when to try again."""

    NAME: ClassVar = "error"
    message: str
    code: str
    retry_after_ms: int


CHAT_EVENTS: Final = frozenset(
    event.NAME for event in (NewMessage, UserTyping, NewReaction, MessageRead)
)
"""Names of what happens in chats: the backend may say these, too. All others are the gateway's
own word to one connection."""


@attrs.frozen(slots=False)
class ChatError:
    """Something about one chat was refused, where the client asked about several."""

    NAME: ClassVar = "error"
    message: str
    code: str
    chat_id: ChatId


def resync_of_all(position: str) -> ResyncOfAll:
    """Return what tells everybody to fetch anew, from a position on."""
    return ResyncOfAll(position, round(RESYNC_SECONDS * 1000))


def error_of(refusal: Refusal) -> Error | Throttled | ChatError:
    """Return what tells a client of a refusal."""
    if refusal.chat_id is not None:
        return ChatError(refusal.message, refusal.code, refusal.chat_id)
    if refusal.retry_after_ms is not None:
        return Throttled(refusal.message, refusal.code, refusal.retry_after_ms)
    return Error(refusal.message, refusal.code)


Event = (
    AuthSuccess
    | Resumed
    | Resync
    | ResyncOfAll
    | Ack
    | Stored
    | AuthExpiring
    | Reconnect
    | NewMessage
    | UserTyping
    | NewReaction
    | MessageRead
    | Presence
    | Error
    | Throttled
    | ChatError
)

OWN_EVENTS: Final = frozenset(event.NAME for event in get_args(Event)) - CHAT_EVENTS
"""Names that only the gateway says."""

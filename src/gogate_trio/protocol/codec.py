"""JSON text to command, event to JSON text.

msgspec decodes straight into classes (0.8 µs a command) and is strict: ``true`` is no
number, ``"1"`` neither. It stops at the first mistake, which is all a client is told.
What it lets through, an integer of any size, is bounded here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

import attrs
import msgspec

from gogate_trio.ids import MAX_ID, ChatId, MessageId
from gogate_trio.limits import (
    ATTACHMENTS,
    COMMAND_ID_CHARACTERS,
    EMOJI_CHARACTERS,
    PRESENCE_CHATS,
    READ_BATCH,
)
from gogate_trio.protocol import refusals
from gogate_trio.protocol.commands import (
    AddReaction,
    Auth,
    Command,
    CommandId,
    MarkRead,
    Resume,
    SendMessage,
    Typing,
)
from gogate_trio.protocol.events import Event, NewMessage
from gogate_trio.protocol.jwt import is_token
from gogate_trio.protocol.refusals import Refusal

_T = TypeVar("_T")


class Refused(Exception):
    """A client's message that is no command; ``refusal`` says why."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


_NULL: Final = msgspec.Raw(b"null")


@attrs.frozen
class Envelope:
    """A message of the right outer form: an event name and its undecoded data."""

    event: str
    id: CommandId | None = None
    data: msgspec.Raw = _NULL


def open_envelope(text: bytes) -> Envelope:
    """Read the outer form of a message. ``text`` must be valid UTF-8. Raises ``Refused``."""
    try:
        envelope = _envelope.decode(text)
    except _UNREADABLE:
        raise Refused(refusals.INVALID_FORMAT) from None
    if envelope.id is not None and not _is_command_id(envelope.id):
        raise Refused(refusals.INVALID_FORMAT)
    return envelope


def decode_command(envelope: Envelope) -> Command:
    """Read and check the data of a message. Raises ``Refused``."""
    read = _COMMANDS.get(envelope.event)
    if read is None:
        raise Refused(refusals.UNKNOWN_EVENT)
    return read(envelope.data)


def decode_auth(data: bytes, token: str) -> Auth:
    """Read the data of an ``auth`` that has its ``token`` from elsewhere. Raises ``Refused``."""
    asked = _read(_auth_data, msgspec.Raw(data), refusals.INVALID_AUTH)
    if asked.token is not None:
        raise Refused(refusals.INVALID_AUTH)
    return _auth_with(token, asked)


def with_position(text: bytes, position: str) -> bytes:
    """Return an encoded event that says where in the stream it is."""
    return b'%b,"position":"%b"}' % (text[:-1], position.encode())


def encode_told(name: str, data: bytes) -> bytes:
    """Return an event in the backend's words: its name, ``[a-z_]+``, and one JSON object."""
    return b'{"event":"%b","data":%b}' % (name.encode(), data)


def encode_event(event: Event, reply_to: CommandId | None = None) -> bytes:
    """Return the event as one JSON document; as the reply to a command, if it has an id."""
    data = event.body if type(event) is NewMessage else _encode(event)
    name = event.NAME.encode()
    if reply_to is None:
        return b'{"event":"%b","data":%b}' % (name, data)
    return b'{"event":"%b","id":%b,"data":%b}' % (name, _encode(reply_to), data)


# ── one reader per command ───────────────────────────────────────────────────


@attrs.frozen
class _ResumeData:
    session: str | None = None
    position: str | None = None


@attrs.frozen
class _AuthData:
    token: str | None = None
    notices: bool = False
    resume: bool | _ResumeData | None = None
    presence: list[int] | None = None


@attrs.frozen
class _MessageData:
    chat_id: int = 0
    text: str | None = None
    reply_to_id: int | None = None
    attachment_ids: list[int] | None = None


@attrs.frozen
class _TypingData:
    chat_id: int = 0
    is_typing: bool = False


@attrs.frozen
class _ReactionData:
    message_id: int
    emoji: str


@attrs.frozen
class _ReadData:
    message_ids: list[int]


def _auth(raw: msgspec.Raw) -> Auth:
    data = _read(_auth_data, raw, refusals.INVALID_AUTH)
    if not data.token:
        raise Refused(refusals.TOKEN_REQUIRED)
    if not is_token(data.token):
        raise Refused(refusals.INVALID_AUTH)
    return _auth_with(data.token, data)


def _auth_with(token: str, data: _AuthData) -> Auth:
    return Auth(token, data.notices, _resume(data.resume), _presence(data.presence))


def _presence(asked: list[int] | None) -> tuple[ChatId, ...] | None:
    if asked is None:
        return None
    if len(asked) > PRESENCE_CHATS or not all(_is_id(number) for number in asked):
        raise Refused(refusals.INVALID_AUTH)
    return tuple(ChatId(number) for number in dict.fromkeys(asked))


def _resume(asked: bool | _ResumeData | None) -> Resume | None:  # noqa: FBT001 - the wire's own form
    if isinstance(asked, _ResumeData):
        return Resume(asked.session, asked.position)
    return Resume() if asked else None


def _send_message(raw: msgspec.Raw) -> SendMessage:
    data = _read(_message_data, raw, refusals.INVALID_MESSAGE)
    _check_chat_id(data.chat_id, refusals.INVALID_MESSAGE)
    attachments = tuple(data.attachment_ids) if data.attachment_ids else ()
    if attachments and (
        len(attachments) > ATTACHMENTS or not all(_is_id(number) for number in attachments)
    ):
        raise Refused(refusals.INVALID_MESSAGE)
    if data.reply_to_id is not None and not _is_id(data.reply_to_id):
        raise Refused(refusals.INVALID_MESSAGE)
    reply_to = None if data.reply_to_id is None else MessageId(data.reply_to_id)
    return SendMessage(ChatId(data.chat_id), data.text or "", reply_to, attachments)


def _typing(raw: msgspec.Raw) -> Typing:
    data = _read(_typing_data, raw, refusals.INVALID_TYPING)
    _check_chat_id(data.chat_id, refusals.INVALID_TYPING)
    return Typing(ChatId(data.chat_id), data.is_typing)


def _add_reaction(raw: msgspec.Raw) -> AddReaction:
    data = _read(_reaction_data, raw, refusals.INVALID_REACTION)
    if not _is_id(data.message_id) or not 1 <= len(data.emoji) <= EMOJI_CHARACTERS:
        raise Refused(refusals.INVALID_REACTION)
    return AddReaction(MessageId(data.message_id), data.emoji)


def _mark_read(raw: msgspec.Raw) -> MarkRead:
    numbers = _read(_read_data, raw, refusals.INVALID_READ).message_ids
    if not 1 <= len(numbers) <= READ_BATCH or not all(_is_id(number) for number in numbers):
        raise Refused(refusals.INVALID_READ)
    return MarkRead(tuple(MessageId(number) for number in numbers))


def _read(decoder: msgspec.json.Decoder[_T], raw: msgspec.Raw, refusal: Refusal) -> _T:
    try:
        return decoder.decode(raw)
    except _UNREADABLE:
        raise Refused(refusal) from None


def _check_chat_id(number: int, otherwise: Refusal) -> None:
    if number > MAX_ID:
        raise Refused(otherwise)
    if number < 1:
        raise Refused(refusals.INVALID_CHAT_ID)


def _is_command_id(name: CommandId) -> bool:
    if isinstance(name, str):
        return len(name) <= COMMAND_ID_CHARACTERS
    return -MAX_ID <= name <= MAX_ID


def _is_id(number: int) -> bool:
    return 1 <= number <= MAX_ID


_UNREADABLE: Final = (ValueError, RecursionError)
"""What msgspec raises: its own errors and those of UTF-8 and endless numbers are ValueErrors."""

_envelope: Final = msgspec.json.Decoder(Envelope)
_auth_data: Final = msgspec.json.Decoder(_AuthData)
_message_data: Final = msgspec.json.Decoder(_MessageData)
_typing_data: Final = msgspec.json.Decoder(_TypingData)
_reaction_data: Final = msgspec.json.Decoder(_ReactionData)
_read_data: Final = msgspec.json.Decoder(_ReadData)
_encode: Final = msgspec.json.Encoder().encode

_COMMANDS: Final[dict[str, Callable[[msgspec.Raw], Command]]] = {
    "auth": _auth,
    "send_message": _send_message,
    "typing": _typing,
    "add_reaction": _add_reaction,
    "mark_read": _mark_read,
}

"""What is told between nodes, as bytes; and what came from one, if it makes sense.

An entry of the stream has a header of words, which Redis's script writes, and a payload,
which the publishing node writes. Whatever cannot be read is nobody's: ``None``, and counted.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from gogate_trio.broker.audiences import Audiences
from gogate_trio.broker.base import Disconnect, ForgetMembers, Instruction, Publication, Revalidate
from gogate_trio.ids import MAX_ID, ChatId, MessageId, NodeId, UserId
from gogate_trio.limits import ENTRY_BYTES

VERSION: Final = "1"
"""Of header and payload. A node drops what is of another."""

_HEADER_WORDS: Final = 7
_NUMBER_DIGITS: Final = 18


@attrs.frozen
class Header:
    """What Redis has noted of an entry."""

    epoch: str
    offset: int
    """Counts up by one in an epoch."""
    at: int
    """Redis's clock: milliseconds."""
    node: NodeId
    """Who published it."""
    number: int
    """Counts up with each publication of that node; 0: this begins its epoch."""


def read_header(data: bytes) -> Header | None:
    """Read a header: version, epoch, offset, time, bytes so far, node, number."""
    words = data.decode("ascii", "replace").split(" ")
    if len(words) != _HEADER_WORDS or words[0] != VERSION:
        return None
    numbers = (words[2], words[3], words[6])
    if not all(one.isdecimal() and len(one) <= _NUMBER_DIGITS for one in numbers):
        return None
    offset, at, number = map(int, numbers)
    return Header(words[1], offset, at, NodeId(words[5]), number)


# Tuples on the wire: names would be sent with every message.
class _Event(msgspec.Struct, array_like=True, tag=0, gc=False):
    text: bytes
    audience: bytes
    except_user: int | None
    chat_id: int | None
    trace: str | None
    key: str | None
    message_id: int | None


class _Disconnect(msgspec.Struct, array_like=True, tag=1, gc=False):
    user_id: int
    code: int
    reason: str


class _Revalidate(msgspec.Struct, array_like=True, tag=2, gc=False):
    user_id: int


class _ForgetMembers(msgspec.Struct, array_like=True, tag=3, gc=False):
    chat_id: int


class _Ephemeral(msgspec.Struct, array_like=True, gc=False):
    """What one node tells at one time on the channel."""

    version: str
    node: str
    events: list[_Event]


_PAYLOAD: Final = msgspec.msgpack.Decoder(_Event | _Disconnect | _Revalidate | _ForgetMembers)
_EPHEMERAL: Final = msgspec.msgpack.Decoder(_Ephemeral)
_ENCODER: Final = msgspec.msgpack.Encoder()
_LOWEST_CODE: Final = 1000
_HIGHEST_CODE: Final = 4999
_REASON_BYTES: Final = 123
_TRACE_CHARACTERS: Final = 64
_KEY_CHARACTERS: Final = 1024


@attrs.frozen(eq=False)
class Packing:
    """Packs and unpacks for one node."""

    audiences: Audiences = attrs.field(factory=Audiences)

    def pack(self, what: Publication | Instruction) -> bytes:
        """Return the payload of an entry."""
        match what:
            case Publication():
                return _ENCODER.encode(self._event(what))
            case Disconnect():
                return _ENCODER.encode(_Disconnect(what.user_id, what.code, what.reason))
            case Revalidate():
                return _ENCODER.encode(_Revalidate(what.user_id))
            case ForgetMembers():
                return _ENCODER.encode(_ForgetMembers(what.chat_id))

    def unpack(self, data: bytes) -> Publication | Instruction | None:
        """Read the payload of an entry."""
        if len(data) > ENTRY_BYTES:
            return None
        try:
            packed = _PAYLOAD.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if isinstance(packed, _Event):
            return self._publication(packed, is_durable=True)
        if isinstance(packed, _ForgetMembers):
            return ForgetMembers(ChatId(packed.chat_id)) if _is_id(packed.chat_id) else None
        if not _is_id(packed.user_id):
            return None
        if isinstance(packed, _Revalidate):
            return Revalidate(UserId(packed.user_id))
        is_code = _LOWEST_CODE <= packed.code <= _HIGHEST_CODE
        if not is_code or len(packed.reason.encode("utf-8", "surrogatepass")) > _REASON_BYTES:
            return None
        return Disconnect(UserId(packed.user_id), packed.code, packed.reason)

    def pack_ephemeral(self, node: NodeId, publications: list[Publication]) -> bytes:
        """Return a message of the channel; it may be empty."""
        return _ENCODER.encode(_Ephemeral(VERSION, node, [*map(self._event, publications)]))

    def unpack_ephemeral(self, data: bytes) -> tuple[NodeId, list[Publication]] | None:
        """Read a message of the channel: who sent it, and what."""
        try:
            packed = _EPHEMERAL.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        found = [self._publication(event, is_durable=False) for event in packed.events]
        publications = [each for each in found if each is not None]
        if packed.version != VERSION or len(publications) != len(found):
            return None
        return NodeId(packed.node), publications

    def _event(self, publication: Publication) -> _Event:
        return _Event(
            publication.text,
            self.audiences.encode(publication.audience),
            publication.except_user,
            publication.chat_id,
            publication.trace,
            publication.key,
            publication.message_id,
        )

    def _publication(self, event: _Event, *, is_durable: bool) -> Publication | None:
        audience = self.audiences.decode(event.audience)
        named = (event.except_user, event.chat_id, event.message_id)
        is_fine = (
            audience is not None
            and all(one is None or _is_id(one) for one in named)
            and len(event.trace or "") <= _TRACE_CHARACTERS
            and len(event.key or "") <= _KEY_CHARACTERS
        )
        if not is_fine or audience is None:
            return None
        return Publication(
            event.text,
            audience,
            is_durable=is_durable,
            except_user=None if event.except_user is None else UserId(event.except_user),
            chat_id=None if event.chat_id is None else ChatId(event.chat_id),
            trace=event.trace,
            key=event.key,
            message_id=None if event.message_id is None else MessageId(event.message_id),
        )


def _is_id(number: int) -> bool:
    return 1 <= number <= MAX_ID

"""RFC 6455 frames, reading: the guard in front of trio-websocket.

The guard sees every byte of a peer before anybody else does, and knows where each frame
begins. Whole unfragmented text messages it reads itself (3 µs; through wsproto 34). All
else that is legal, it hands on untouched to trio-websocket: pings, closes, fragments, long
messages. What is illegal ends the connection with the close code the RFC names, which
trio-websocket alone would not send.

What comes out is in the order in which it came in. A message that is handed on is complete
with the ``Handover`` that has ``ends_message``; whoever waits there for trio-websocket to
deliver it keeps the order of all messages.
"""

from __future__ import annotations

import codecs
from typing import Final

import attrs

from gogate_trio.limits import FAST_MESSAGE_BYTES, FRAGMENTS
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    LENGTH_16,
    MASK_BYTES,
    PING,
    PONG,
    TEXT,
    unmask,
)

_RSV: Final = 0x70
_MASKED: Final = 0x80
_CONTROL: Final = 0x8
_CONTROL_BYTES: Final = 125


@attrs.frozen
class Handover:
    """Bytes for trio-websocket, in order."""

    data: bytes
    ends_message: bool = False
    """The last byte of a message that trio-websocket will now deliver."""
    closes: bool = False
    """A close frame: nothing comes after it."""
    is_ping: bool = False
    """A ping, whole: trio-websocket will answer it."""


Item = bytes | Handover | Hangup
"""A whole text message (valid UTF-8), bytes to hand on, or the end: nothing comes after it."""


@attrs.define
class _Message:
    """A message on its way through to trio-websocket, piece by piece."""

    is_text: bool
    size: int = 0
    """bytes announced by the headers so far"""
    frames: int = 0
    decoder: codecs.IncrementalDecoder = attrs.field(
        factory=codecs.getincrementaldecoder("utf-8"), repr=False
    )

    def takes(self, piece: bytes, *, is_end: bool) -> bool:
        """Whether the message is still valid with this unmasked piece behind it."""
        if not self.is_text:
            return True
        try:
            self.decoder.decode(piece, is_end)
        except UnicodeDecodeError:
            return False
        return True


@attrs.define
class _Frame:
    """The data frame whose payload is passing through."""

    message: _Message
    key: bytes
    left: int
    """payload bytes still to come"""
    is_last: bool
    offset: int = 0
    """payload bytes already seen, to keep the mask in step"""


class FrameGuard:
    """Reads one peer's bytes after the handshake. Holds at most one small unfinished frame."""

    __slots__ = ("_binary", "_ended", "_frame", "_held", "_max_message", "_message", "controls")

    def __init__(self, max_message: int, *, binary: bool = False) -> None:
        """Take the limit in bytes of payload; ``binary`` lets binary messages through."""
        self._max_message = max_message
        self._binary = binary
        self._held = b""
        self._message: _Message | None = None
        self._frame: _Frame | None = None
        self._ended = False
        self.controls = 0
        """Pings and pongs so far; whoever looks may set it back."""

    def feed(self, data: bytes) -> list[Item]:
        """Return what has become complete with these bytes, in order."""
        items: list[Item] = []
        if self._held:
            data = self._held + data
            self._held = b""
        at = 0
        while at < len(data) and not self._ended:
            if self._frame is not None:
                at = self._pass_payload(self._frame, data, at, items)
                continue
            end = self._read_frame(data, at, items)
            if end == at:
                self._held = data[at:]
                break
            at = end
        return items

    @property
    def is_ended(self) -> bool:
        """Whether a close frame or a fault has come out: whatever follows is not looked at."""
        return self._ended

    def _read_frame(self, data: bytes, at: int, items: list[Item]) -> int:
        """Read the frame that begins at ``at``; return where it ends, or ``at`` if it must wait."""
        if len(data) - at < 2:  # noqa: PLR2004 - the two bytes every frame begins with
            return at
        first, second = data[at], data[at + 1]
        fault = self._fault_of(first, second)
        if fault is not None:
            return self._end(data, items, fault)
        size, start = second & 0x7F, at + 2
        if size >= LENGTH_16:
            start += 2 if size == LENGTH_16 else 8
            if len(data) < start:
                return at
            shortest = LENGTH_16 if size == LENGTH_16 else 1 << 16
            size = int.from_bytes(data[at + 2 : start])
            if size < shortest or size >> 63:
                return self._end(data, items, close.PROTOCOL_ERROR)
        payload = start + MASK_BYTES
        if first & _CONTROL:
            return self._read_control(data, at, payload + size, items)
        fault = self._fault_of_size(size)
        if fault is not None:
            return self._end(data, items, fault)
        return self._read_data(data, at, payload, size, items)

    def _read_data(self, data: bytes, at: int, payload: int, size: int, items: list[Item]) -> int:
        """Read a short text message at once; begin to pass on the rest."""
        first = data[at]
        if first == FIN | TEXT and size <= FAST_MESSAGE_BYTES:
            if len(data) < payload + size:
                return at
            return self._read_text(data, payload, size, items)
        if len(data) < payload:
            return at
        if not self._begin_passing(first, size, data[at:payload], items):
            return self._end(data, items, close.BAD_UTF8)
        return payload

    def _fault_of(self, first: int, second: int) -> Hangup | None:
        """What is wrong with the first two bytes of a frame, if anything."""
        if first & _RSV or not second & _MASKED:
            return close.PROTOCOL_ERROR
        opcode = first & 0x0F
        if opcode & _CONTROL:
            known = CLOSE <= opcode <= PONG
            whole = first & FIN and second & 0x7F <= _CONTROL_BYTES
            return None if known and whole else close.PROTOCOL_ERROR
        if opcode > BINARY or (opcode == CONTINUATION) is (self._message is None):
            return close.PROTOCOL_ERROR
        if opcode == BINARY and not self._binary:
            return close.BINARY
        return None

    def _fault_of_size(self, size: int) -> Hangup | None:
        """Whether the message of this data frame is still within the limits."""
        message = self._message
        if message is None:
            return close.TOO_BIG if size > self._max_message else None
        if message.size + size > self._max_message:
            return close.TOO_BIG
        if message.frames + 1 > FRAGMENTS:
            return close.TOO_MANY_FRAGMENTS
        return None

    def _read_text(self, data: bytes, start: int, size: int, items: list[Item]) -> int:
        end = start + size
        text = unmask(data[start:end], data[start - MASK_BYTES : start])
        try:
            text.decode()
        except UnicodeDecodeError:
            return self._end(data, items, close.BAD_UTF8)
        items.append(text)
        return end

    def _read_control(self, data: bytes, at: int, end: int, items: list[Item]) -> int:
        if len(data) < end:
            return at
        opcode = data[at] & 0x0F
        if opcode != CLOSE:
            self.controls += 1
            if opcode == PING:
                items.append(Handover(data[at:end], is_ping=True))
            return end
        fault = _fault_of_close(unmask(data[at + 6 : end], data[at + 2 : at + 6]))
        if fault is not None:
            return self._end(data, items, fault)
        items.append(Handover(data[at:end], closes=True))
        self._ended = True
        return end

    def _begin_passing(self, first: int, size: int, head: bytes, items: list[Item]) -> bool:
        message = self._message or _Message(is_text=first & 0x0F == TEXT)
        message.size += size
        message.frames += 1
        is_last = bool(first & FIN)
        if not size and is_last and not message.takes(b"", is_end=True):
            return False
        items.append(Handover(head, ends_message=is_last and not size))
        self._message = None if is_last and not size else message
        self._frame = _Frame(message, head[-MASK_BYTES:], size, is_last) if size else None
        return True

    def _pass_payload(self, frame: _Frame, data: bytes, at: int, items: list[Item]) -> int:
        piece = data[at : at + frame.left]
        turn = frame.offset % MASK_BYTES
        frame.offset += len(piece)
        frame.left -= len(piece)
        is_end = frame.is_last and not frame.left
        text = unmask(piece, frame.key[turn:] + frame.key[:turn])
        if not frame.message.takes(text, is_end=is_end):
            return self._end(data, items, close.BAD_UTF8)
        items.append(Handover(piece, ends_message=is_end))
        if not frame.left:
            self._frame = None
        if is_end:
            self._message = None
        return at + len(piece)

    def _end(self, data: bytes, items: list[Item], fault: Hangup) -> int:
        items.append(fault)
        self._ended = True
        return len(data)


def _fault_of_close(payload: bytes) -> Hangup | None:
    if not payload:
        return None
    if len(payload) == 1 or not close.is_legal(int.from_bytes(payload[:2])):
        return close.PROTOCOL_ERROR
    try:
        payload[2:].decode()
    except UnicodeDecodeError:
        return close.BAD_UTF8
    return None

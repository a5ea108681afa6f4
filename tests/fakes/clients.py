"""A WebSocket client that may say anything: every byte of it is the test's own.

Usage::

    async with open_client(node.port) as client:     # connected and upgraded
        await client.authenticate("token-1")
        await client.say("typing", chat_id=1, is_typing=True)
        event = await client.event("user_typing")
        await client.send(frame(TEXT, b"half a ", fin=False))
        assert await client.close_code() == 1002

It answers no ping by itself and hides nothing: ``next_frame`` returns what comes. The
deadlines are the caller's (``within`` of ``fakes.node``); the block's end closes the
socket without a word.
"""

from __future__ import annotations

import socket
import struct
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN = 0x80

UPGRADE = (
    b"GET /ws HTTP/1.1\r\n"
    b"Host: gateway.example\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
"""A good upgrade request but for the empty line that ends it."""

KEY = b"\x11\x22\x33\x44"
"""The mask of every frame: not zero, so that a server that forgets to unmask fails."""


@attrs.frozen
class Frame:
    """One frame as it came from the server."""

    opcode: int
    payload: bytes
    fin: bool = True


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, masked: bool = True, size: int = -1
) -> bytes:
    """Return a client's frame; ``size`` lets its header announce another length."""
    announced = len(payload) if size < 0 else size
    bit = 0x80 if masked else 0
    head = bytes((opcode | (FIN if fin else 0),))
    if announced < 126:
        head += bytes((bit | announced,))
    elif announced < 1 << 16:
        head += bytes((bit | 126,)) + announced.to_bytes(2)
    else:
        head += bytes((bit | 127,)) + announced.to_bytes(8)
    return head + KEY + mask(payload) if masked else head + payload


def mask(payload: bytes, offset: int = 0) -> bytes:
    """Mask payload bytes that begin ``offset`` bytes into their frame."""
    turn = offset % 4
    keys = (KEY * (len(payload) // 4 + 2))[turn : turn + len(payload)]
    masked = int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")
    return masked.to_bytes(len(payload), "little")


def saying(event: str, **data: Any) -> bytes:
    """Return a whole frame with one event of the protocol."""
    return frame(TEXT, msgspec.json.encode({"event": event, "data": data}))


@attrs.define(eq=False)
class Client:
    """A connected client."""

    stream: trio.SocketStream
    _buffer: bytearray = attrs.field(factory=bytearray)

    async def send(self, data: bytes) -> None:
        """Send these bytes as they are."""
        await self.stream.send_all(data)

    async def say(self, event: str, **data: Any) -> None:
        """Send one event of the protocol."""
        await self.send(saying(event, **data))

    async def authenticate(self, token: str) -> dict[str, Any]:
        """Log in and return the data of ``auth_success``."""
        await self.say("auth", token=token)
        return await self.event("auth_success")

    async def next_frame(self) -> Frame:
        """Return the next frame.

        Raises ``EOFError`` at a clean end, ``trio.BrokenResourceError`` at a reset.
        """
        first, second = await self._take(2)
        size = second & 0x7F
        if size >= 126:
            size = int.from_bytes(await self._take(2 if size == 126 else 8))
        return Frame(first & 0x0F, await self._take(size), bool(first & FIN))

    async def next_event(self) -> dict[str, Any]:
        """Return the next text message, decoded; control frames are passed over."""
        while True:
            got = await self.next_frame()
            if got.opcode == CLOSE:
                raise AssertionError(f"closed with {_code(got)} instead of an event")
            if got.opcode == TEXT:
                return msgspec.json.decode(got.payload)

    async def event(self, name: str) -> dict[str, Any]:
        """Return the data of the next event of this name; others are passed over."""
        while True:
            event = await self.next_event()
            if event["event"] == name:
                return event["data"]

    async def close_code(self) -> int:
        """Read up to the close frame and return its code; then nothing but a clean end may come."""
        code, _reason = await self.ending()
        return code

    async def ending(self) -> tuple[int, str]:
        """Do as ``close_code``, and return the reason too."""
        while True:
            got = await self.next_frame()
            if got.opcode == CLOSE:
                break
        assert await self.rest() == b""
        return _code(got), got.payload[2:].decode()

    async def read_until(self, mark: bytes) -> bytes:
        """Return everything up to and with ``mark``."""
        while mark not in self._buffer:
            await self._fill()
        end = self._buffer.index(mark) + len(mark)
        return await self._take(end)

    async def rest(self) -> bytes:
        """Return everything up to a clean end. Raises ``BrokenResourceError`` at a reset."""
        with suppress(EOFError):
            while True:
                await self._fill()
        data = bytes(self._buffer)
        self._buffer.clear()
        return data

    def reset(self) -> None:
        """Close with an RST."""
        self.stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.stream.socket.close()

    async def _take(self, size: int) -> bytes:
        while len(self._buffer) < size:
            await self._fill()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def _fill(self) -> None:
        data = await self.stream.receive_some()
        if not data:
            raise EOFError
        self._buffer += data


@asynccontextmanager
async def open_raw(port: int, *, receive_buffer: int = 0) -> AsyncIterator[Client]:
    """Connect and say nothing yet. ``receive_buffer`` caps what our kernel takes for us."""
    sock = trio.socket.socket()
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    try:
        await sock.connect(("127.0.0.1", port))
        yield Client(trio.SocketStream(sock))
    finally:
        sock.close()


@asynccontextmanager
async def open_client(
    port: int, token: str = "", *, receive_buffer: int = 0
) -> AsyncIterator[Client]:
    """Connect, upgrade and, given a token, log in."""
    async with open_raw(port, receive_buffer=receive_buffer) as client:
        await client.send(UPGRADE + b"\r\n")
        head = await client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        if token:
            await client.authenticate(token)
        yield client


def _code(got: Frame) -> int:
    return int.from_bytes(got.payload[:2])

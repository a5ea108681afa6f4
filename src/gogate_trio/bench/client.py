"""One WebSocket to the gateway under test.

wsproto reads and writes the frames, the stream is trio's. What the server says is passed on as
text; pings are answered. Whatever goes out goes through one queue, so that frames never mix and
a server that does not read holds up nobody else.
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import attrs
import trio
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import (
    AcceptConnection,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    Request,
    TextMessage,
)
from wsproto.utilities import ProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gogate_trio.bench.plan import Address

CHUNK: Final = 65536
"""bytes read at once: a burst to a busy client fits."""

QUEUE: Final = 64
"""frames that wait for a server that does not read; one more is not sent, and counted."""

MAX_TEXT: Final = 1024 * 1024
"""characters of one message from the server; more ends the connection."""

ABNORMAL: Final = 1006
"""The close code of an end without a close frame."""

TOO_BIG: Final = 1009
"""The close code we give up with on a message without end."""

Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class TurnedAway(Exception):
    """The client did not get in; ``reason`` is one of a few constant texts."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@attrs.define(eq=False)
class Client:
    """An open WebSocket; made by ``open_client``."""

    _stream: Stream
    _protocol: WSConnection
    _queue: trio.MemorySendChannel[bytes]
    _half: list[str] = attrs.field(factory=list)
    close_code: int = ABNORMAL
    """Why the server ended it, once ``texts`` has come to its end."""

    def say(self, text: str) -> bool:
        """Queue one message; False when the server does not take what is queued already."""
        return self._send(TextMessage(data=text))

    def leave(self) -> None:
        """Say goodbye; the server's answer ends ``texts``."""
        self._send(CloseConnection(code=1000))

    async def texts(self) -> list[str] | None:
        """Wait for messages; those that came, or None at the end of the connection."""
        try:
            data = await self._stream.receive_some(CHUNK)
            self._protocol.receive_data(bytes(data) or None)
            return self._take()
        except (trio.BrokenResourceError, ProtocolError, UnicodeError):
            return None

    def _take(self) -> list[str] | None:
        texts: list[str] = []
        for event in self._protocol.events():
            match event:
                case TextMessage(data=data, message_finished=True) if not self._half:
                    texts.append(data)
                case TextMessage(data=data, message_finished=finished):
                    self._half.append(data)
                    if sum(map(len, self._half)) > MAX_TEXT:
                        self.close_code = TOO_BIG
                        return None
                    if finished:
                        texts.append("".join(self._half))
                        self._half.clear()
                case Ping():
                    self._send(event.response())
                case CloseConnection(code=code):
                    self.close_code = int(code)
                    return texts or None
                case _:
                    pass
        return texts

    def _send(self, event: Event) -> bool:
        try:
            self._queue.send_nowait(self._protocol.send(event))
        except (trio.WouldBlock, trio.BrokenResourceError, ProtocolError):
            return False
        return True


@asynccontextmanager
async def open_client(address: Address) -> AsyncIterator[Client]:
    """Connect and upgrade. Raises ``TurnedAway``; the deadline is the caller's."""
    stream = await _connect(address)
    queue, frames = trio.open_memory_channel[bytes](QUEUE)
    try:
        protocol = await _upgrade(stream, address)
        async with trio.open_nursery() as writing:
            writing.start_soon(_write, stream, frames)
            yield Client(stream, protocol, queue)
            writing.cancel_scope.cancel()
    finally:
        queue.close()
        frames.close()
        with trio.CancelScope(shield=True):
            await trio.aclose_forcefully(stream)


async def _write(stream: Stream, frames: trio.MemoryReceiveChannel[bytes]) -> None:
    """Send what is queued. An end of the connection is for the reader to tell."""
    try:
        async for frame in frames:
            await stream.send_all(frame)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        frames.close()


async def _connect(address: Address) -> Stream:
    try:
        if not address.secure:
            return await trio.open_tcp_stream(address.host, address.port)
        stream = await trio.open_ssl_over_tcp_stream(
            address.host, address.port, https_compatible=True
        )
    except OSError:
        raise TurnedAway("cannot connect") from None
    try:
        await stream.do_handshake()
    except (trio.BrokenResourceError, ssl.SSLError, ssl.CertificateError):
        await trio.aclose_forcefully(stream)
        raise TurnedAway("TLS failed") from None
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


async def _upgrade(stream: Stream, address: Address) -> WSConnection:
    protocol = WSConnection(ConnectionType.CLIENT)
    try:
        await stream.send_all(protocol.send(Request(host=address.authority, target=address.target)))
        while True:
            data = await stream.receive_some(CHUNK)
            protocol.receive_data(bytes(data) or None)
            for event in protocol.events():
                if isinstance(event, AcceptConnection):
                    return protocol
                if isinstance(event, RejectConnection):
                    raise TurnedAway(f"HTTP {event.status_code}")
                raise TurnedAway("no WebSocket there")
            if not data:
                raise TurnedAway("no WebSocket there")
    except (trio.BrokenResourceError, ProtocolError):
        raise TurnedAway("no WebSocket there") from None

"""One WebSocket to the gateway under test.

wsproto does the handshake and all frames but ordinary texts; the stream is trio's. What the
server says is passed on as text; pings are answered. Whatever goes out goes through one queue, so
that frames never mix and a server that does not read holds up nobody else.
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
from wsproto.utilities import ProtocolError, RemoteProtocolError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gogate_trio.bench.plan import Address

CHUNK: Final = 65536
"""bytes read at once: a burst to a busy client fits."""

QUEUE: Final = 64
"""frames that wait for a server that does not read; one more is not sent, and counted."""

MAX_TEXT: Final = 1024 * 1024
"""characters of one message from the server; more ends the connection."""

MAX_HEAD: Final = 65536
"""bytes of the answer to the upgrade, with what came behind it."""

END_OF_HEAD: Final = b"\r\n\r\n"

TEXT: Final = 0x81
"""The first byte of a text message in one frame."""

SHORT_HEAD, MAX_SHORT, EXTENDED = 2, 125, {126: 2, 127: 8}
"""bytes of a frame's head, the largest size that fits in it, and bytes of the size else."""

ABNORMAL: Final = 1006
"""The close code of an end without a close frame."""

MALFORMED, NOT_UTF8, TOO_BIG = 1002, 1007, 1009
"""The close codes we give up with on what no server may send."""

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
    _early: bytes
    """What the server said behind the handshake, in one packet with it."""
    _rest: bytes = b""
    """Of a frame that has not come in full yet."""
    _half: list[str] = attrs.field(factory=list)
    """Of a message in several frames."""
    _begin: int = 0
    """Where the payload of the frame begins that was looked at last."""
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
            data = self._early or await self._stream.receive_some(CHUNK)
            self._early = b""
            return self._take(self._rest + data) if data else None
        except trio.BrokenResourceError:
            pass
        except UnicodeError:
            self.close_code = NOT_UTF8
        except ProtocolError:
            self.close_code = MALFORMED if self.close_code == ABNORMAL else self.close_code
        return None

    def _take(self, data: bytes) -> list[str] | None:
        """Whole frames. Ordinary texts are read here: wsproto was the largest part of our CPU."""
        texts: list[str] = []
        at = 0
        while (end := self._frame_end(data, at)) <= len(data):
            if data[at] == TEXT and not self._half:
                texts.append(str(data[self._begin : end], "utf-8"))
            elif not self._take_other(data[at:end], texts):
                return texts or None
            at = end
        self._rest = data[at:]
        return texts

    def _frame_end(self, data: bytes, at: int) -> int:
        """Where the frame at this place ends; somewhere behind the data when it is not whole.

        Raises ``ProtocolError`` at a frame that no server may send, and at one without an end.
        """
        head = data[at : at + 2]
        if len(head) < SHORT_HEAD:
            return at + SHORT_HEAD
        size, self._begin = head[1], at + SHORT_HEAD
        if extra := EXTENDED.get(size, 0):
            self._begin += extra
            if self._begin > len(data):
                return self._begin
            size = int.from_bytes(data[at + SHORT_HEAD : self._begin])
        elif size > MAX_SHORT:
            raise RemoteProtocolError("a server's frame has no mask")
        if size > MAX_TEXT:
            self.close_code = TOO_BIG
            raise RemoteProtocolError("too big")
        return self._begin + size

    def _take_other(self, frame: bytes, texts: list[str]) -> bool:
        """Everything but an ordinary text; False at the end of the connection."""
        self._protocol.receive_data(frame)
        for event in self._protocol.events():
            match event:
                case TextMessage(data=data, message_finished=finished):
                    self._half.append(data)
                    if sum(map(len, self._half)) > MAX_TEXT:
                        self.close_code = TOO_BIG
                        return False
                    if finished:
                        texts.append("".join(self._half))
                        self._half.clear()
                case Ping():
                    self._send(event.response())
                case CloseConnection(code=code):
                    self.close_code = int(code)
                    return False
                case _:
                    pass
        return True

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
        protocol, rest = await _upgrade(stream, address)
        async with trio.open_nursery() as writing:
            writing.start_soon(_write, stream, frames)
            yield Client(stream, protocol, queue, rest)
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


async def _upgrade(stream: Stream, address: Address) -> tuple[WSConnection, bytes]:
    """The connection, and what the server said behind its answer already."""
    protocol = WSConnection(ConnectionType.CLIENT)
    nobody = TurnedAway("no WebSocket there")
    said = b""
    try:
        await stream.send_all(protocol.send(Request(host=address.authority, target=address.target)))
        while END_OF_HEAD not in said:
            data = await stream.receive_some(CHUNK)
            said += data
            if not data or len(said) > MAX_HEAD or said[:5] != b"HTTP/"[: len(said)]:
                raise nobody
        head, _, rest = said.partition(END_OF_HEAD)
        protocol.receive_data(head + END_OF_HEAD)
        match next(iter(protocol.events()), None):
            case AcceptConnection():
                return protocol, rest
            case RejectConnection(status_code=status):
                raise TurnedAway(f"HTTP {status}")
    except (trio.BrokenResourceError, ProtocolError):
        pass
    raise nobody

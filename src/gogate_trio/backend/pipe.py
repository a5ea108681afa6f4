"""A connected way for bytes to the backend, bare or in TLS, that closes without waiting.

Bare, it is the non-blocking socket itself, registered with a poller: a wait that has a deadline
and is cut by nothing else needs no scope there.
"""

from __future__ import annotations

import math
import select
import socket
import ssl
from typing import Final, Protocol

import httpx
import trio

from gogate_trio.pending_writes import pending_writes
from gogate_trio.poller import BOTH, Poller, TimeUp


class NothingLeft(httpx.WriteError):
    """The connection was gone before the first byte of the request went: nobody has seen it."""


class Pipe(Protocol):
    """One task at a time uses it. What fails raises ``httpx.ReadError`` or ``WriteError``."""

    async def send(self, data: bytes) -> None:
        """Send everything; ``NothingLeft`` if nothing went. Cancelled, some of it did."""

    def post(self, data: bytes) -> bool:
        """Have everything sent at the end of the turn, and before ``receive`` waits for more.

        What ``send`` would raise is raised there. False where that cannot be had: nothing is sent.
        """

    async def receive(self) -> bytes:
        """Receive what there is, at least a byte; none at the end of the stream."""

    def is_readable(self) -> bool:
        """Whether bytes, or the end, have come: to an idle connection, its death."""

    def mind(self, until: float | None) -> bool:
        """Let no wait be cancelled from now on, nor last longer than until then; None: as before.

        Trio's clock, seconds; when it comes, ``httpx.ReadTimeout`` is raised. False where that
        cannot be had without a scope.
        """

    def close(self) -> None:
        """Let go of the socket, without a goodbye. Idempotent."""


async def dial(url: httpx.URL, context: ssl.SSLContext, poller: Poller) -> Pipe:
    """Connect to the host of a URL, by whichever of its addresses answers first.

    Raises ``httpx.ConnectError``. Cancelled, no socket stays open.
    """
    host = url.raw_host.decode("ascii")
    secure = url.scheme == "https"
    try:
        stream = await trio.open_tcp_stream(host, url.port or (443 if secure else 80))
    # A name that cannot be one, an unreachable host, no more files: all the same to us.
    except (OSError, UnicodeError) as error:
        raise httpx.ConnectError(type(error).__name__) from error
    if not secure:
        return BarePipe(stream, poller)
    pipe = TlsPipe(stream, context, host)
    try:
        await pipe.shake_hands()
    except BaseException:
        pipe.close()
        raise
    return pipe


class BarePipe:
    """A TCP connection as it is."""

    def __init__(self, stream: trio.SocketStream, poller: Poller) -> None:
        """Take the stream's socket over."""
        self._socket = socket.socket(fileno=stream.socket.detach())
        self._socket.setblocking(False)
        self._source = poller.add(self._socket, BOTH)
        self._wait = self._source.news
        self._unasked = select.poll()
        self._unasked.register(self._socket, select.POLLIN)
        self._pending = pending_writes()
        self._unsent = b""
        """What is not sent yet of the request under way."""
        self._is_begun = False
        """Whether some of that is."""

    async def send(self, data: bytes) -> None:
        """Send everything; almost always the kernel takes it at once."""
        self._unsent, self._is_begun = data, False
        await self._send_rest()

    def post(self, data: bytes) -> bool:
        """Have everything sent at the end of the turn."""
        self._unsent, self._is_begun = data, False
        self._pending.add(self)
        return True

    def write(self) -> bool:
        """Send what was posted, as far as the kernel takes it; whether that is all."""
        if not self._unsent:
            return True
        try:
            if self._is_stale():
                return False
            sent = self._socket.send(self._unsent)
        except OSError:
            return False
        self._unsent, self._is_begun = self._unsent[sent:], True
        return not self._unsent

    def settle(self) -> None:
        """Have ``receive`` see to the rest."""
        self._source.look_again()
        self._source.wake()

    async def receive(self) -> bytes:
        """Wait, then look: nothing can have come yet when a call has just been sent."""
        while True:
            await self._news()
            if self._unsent:
                if self._is_stale():
                    self._unsent = b""
                    raise NothingLeft("hung up")
                await self._send_rest()
            try:
                data = self._socket.recv(_READ_BYTES)
            except BlockingIOError:
                self._source.is_dry()
                continue
            except OSError as error:
                raise httpx.ReadError(type(error).__name__) from error
            if len(data) == _READ_BYTES:
                self._source.look_again()
            return data

    def is_readable(self) -> bool:
        """Whether something has come."""
        return bool(self._unasked.poll(0))

    def mind(self, until: float | None) -> bool:
        """Mind the time of every wait from now on."""
        self._source.until = math.inf if until is None else until
        self._wait = self._source.news if until is None else self._source.minded_news
        return True

    def close(self) -> None:
        """Close the socket."""
        if self._socket.fileno() >= 0:
            self._source.remove()
            self._socket.close()

    def _is_stale(self) -> bool:
        """Whether the other side has hung up before anything was sent: a turn can be long."""
        return not self._is_begun and self.is_readable()

    async def _send_rest(self) -> None:
        rest, self._unsent = memoryview(self._unsent), b""
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
                self._is_begun = True
            except BlockingIOError:
                self._source.is_dry()
                await self._news()
                # It may have been of an answer, of which there is no other.
                self._source.look_again()
            except OSError as error:
                failure = httpx.WriteError if self._is_begun else NothingLeft
                raise failure(type(error).__name__) from error

    async def _news(self) -> None:
        try:
            await self._wait()
        except TimeUp:
            raise httpx.ReadTimeout("") from None


class TlsPipe:
    """TLS on a TCP connection, by trio's ``SSLStream``."""

    def __init__(self, stream: trio.SocketStream, context: ssl.SSLContext, host: str) -> None:
        """Take the stream over; nothing is sent before ``shake_hands``."""
        self._tcp = stream.socket
        self._valve = _Valve(stream)
        self._tls = trio.SSLStream(
            self._valve, context, server_hostname=host, https_compatible=True
        )
        self._is_over = False
        """Whether the end has come: without the end of TCP, the socket does not tell."""

    async def shake_hands(self) -> None:
        """Agree on keys and check the certificate. Raises ``httpx.ConnectError``."""
        try:
            await self._tls.do_handshake()
        except trio.BrokenResourceError as error:
            raise httpx.ConnectError("TLS") from error

    async def send(self, data: bytes) -> None:
        """Send everything. How much of it went when this fails, nobody can tell."""
        try:
            await self._tls.send_all(data)
        except trio.BrokenResourceError as error:
            raise httpx.WriteError("TLS") from error

    def post(self, data: bytes) -> bool:  # noqa: ARG002 - the port's
        """Return False: an ``SSLStream`` sends in a task."""
        return False

    async def receive(self) -> bytes:
        """Receive what there is, all of it."""
        if self._is_over:
            return b""
        try:
            data = await self._tls.receive_some(_READ_BYTES)
        except trio.BrokenResourceError as error:
            raise httpx.ReadError("TLS") from error
        if not data:
            self._is_over = True
            return b""
        return bytes(data + await self._rest())

    def is_readable(self) -> bool:
        """Whether something has come, were it a goodbye."""
        return self._is_over or self._tcp.is_readable()

    def mind(self, until: float | None) -> bool:  # noqa: ARG002 - the port's
        """Return False: an ``SSLStream`` takes notice of a cancellation at each step."""
        return False

    def close(self) -> None:
        """Close the socket under it."""
        self._tcp.close()

    async def _rest(self) -> bytes:
        """Return what came with the record just read.

        It has left the socket, so ``is_readable`` would not see it: left where it is, it would be
        the answer to the next request.
        """
        parts = []
        self._valve.is_shut = True
        try:
            while part := await self._tls.receive_some(_READ_BYTES):
                parts.append(part)
            self._is_over = True
        except trio.WouldBlock:
            pass
        except trio.BrokenResourceError:
            self._is_over = True
        finally:
            self._valve.is_shut = False
        return b"".join(parts)


class _Valve(trio.abc.Stream):
    """The TCP stream as ``SSLStream`` sees it: while shut, nothing more is received."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self.is_shut = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """Receive, or raise ``trio.WouldBlock`` while shut: which harms no ``SSLStream``."""
        if self.is_shut:
            raise trio.WouldBlock
        return await self._stream.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room."""
        await self._stream.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the stream."""
        await self._stream.aclose()


_READ_BYTES: Final = 65536
"""bytes of one read: most answers whole, head and body."""

"""One accepted TCP socket as a trio stream.

trio's own ``SocketStream`` hides the socket; the fan-out needs its bare non-blocking
``send``, which is most of what a delivery costs.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable
from typing import Final

import trio

from gogate_trio.poller import Poller, Source

Take = Callable[[bytes], bool]
"""What is done with bytes received, none at the end; whether more is wanted."""


class Wire(trio.abc.HalfCloseableStream):
    """A connected, non-blocking TCP socket. One task reads, one writes."""

    def __init__(self, sock: socket.socket, peer: str, poller: Poller) -> None:
        """Take the socket over. ``peer`` is the other side's address, for logs and limits."""
        self._socket = sock
        self._poller = poller
        self._source: Source | None = None
        """Registered with the first wait."""
        self._take: Take = _nothing
        self._take_bytes = 0
        self._is_sated = False
        """Whether ``_take`` wants no more."""
        self._more_to_read = False
        self.peer = peer
        self.send_nowait = sock.send
        """Send what the kernel takes at once and return how many bytes; raises
        ``BlockingIOError`` for none, ``OSError`` when the peer is gone."""

    def receive_at_once(self, max_bytes: int) -> bytes:
        """Receive what has come by now, if anything. Raises ``trio.BrokenResourceError``."""
        try:
            data = self._socket.recv(max_bytes)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise trio.BrokenResourceError from error
        self._more_to_read = len(data) == max_bytes
        return data

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive at least one byte, or none at the end of the stream.

        Raises ``trio.BrokenResourceError`` when the connection was reset. Cancelled, nothing
        was received.
        """
        size = max_bytes or _READ_BYTES
        if self._more_to_read:
            # The last read was full: look at once, for waiting costs more than looking.
            await trio.lowlevel.checkpoint()
        else:
            await self._readable()
        while True:
            try:
                data = self._socket.recv(size)
            except BlockingIOError:
                self._registered().is_dry()
                await self._readable()
            except OSError as error:
                raise trio.BrokenResourceError from error
            else:
                self._more_to_read = len(data) == size
                return data

    async def feed(self, take: Take, max_bytes: int) -> None:
        """Hand all that is received to ``take``, until that says no, as ``feed`` below.

        It is called in the poller's task, but for what follows a read that was full: who sends
        faster than he is read costs his own task its turns. Raises as ``receive_some`` does, and
        what ``take`` raises. Cancelled, all that was received was handed over.
        """
        self._take, self._take_bytes, self._is_sated = take, max_bytes, False
        try:
            while not self._is_sated:
                if self._more_to_read:
                    self._is_sated = not take(await self.receive_some(max_bytes))
                else:
                    await self._registered().try_on_news(self._read_on)
        finally:
            # The loop that accepts holds on to the wire that came last.
            self._take = _nothing

    def _read_on(self) -> bool:
        """Read once and hand it over; whether the reading task is needed for what comes next."""
        try:
            data = self._socket.recv(self._take_bytes)
        except BlockingIOError:
            self._registered().is_dry()
            return False
        except OSError as error:
            raise trio.BrokenResourceError from error
        self._more_to_read = len(data) == self._take_bytes
        self._is_sated = not self._take(data)
        return self._is_sated or self._more_to_read

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything. Cancelled, some of it went."""
        left = memoryview(data)
        await trio.lowlevel.checkpoint()
        while left:
            try:
                left = left[self._socket.send(left) :]
            except BlockingIOError:
                await self.wait_send_all_might_not_block()
            except OSError as error:
                raise trio.BrokenResourceError from error

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel has room for some bytes."""
        self._check_open()
        await trio.lowlevel.wait_writable(self._socket)

    async def send_eof(self) -> None:
        """Say that nothing more will be sent; a peer that is gone already is fine."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_WR)
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Close the socket. Idempotent."""
        self.close()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close the socket at once; whoever waits on it gets ``trio.ClosedResourceError``."""
        if self._socket.fileno() < 0:
            return
        if self._source is not None:
            self._source.remove()
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def abort(self) -> None:
        """Close the socket with a reset: what the kernel still holds for the peer is freed."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    async def _readable(self) -> None:
        await self._registered().news()

    def _registered(self) -> Source:
        self._check_open()
        if self._source is None:
            self._source = self._poller.add(self._socket)
        return self._source

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError


async def feed(stream: trio.abc.ReceiveStream, take: Take, max_bytes: int) -> None:
    """Hand all that is received from a stream of any kind to ``take``, until that says no.

    The end, too: as no bytes. ``take`` must not block.
    """
    if isinstance(stream, Wire):
        await stream.feed(take, max_bytes)
        return
    while take(bytes(await stream.receive_some(max_bytes))):
        pass


def _nothing(_data: bytes) -> bool:
    return False


_READ_BYTES: Final = 65536
_RESET: Final = struct.pack("ii", 1, 0)

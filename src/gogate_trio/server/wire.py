"""One accepted TCP socket as a trio stream.

trio's own ``SocketStream`` hides the socket; the fan-out needs its bare non-blocking
``send``, which is most of what a delivery costs.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Final

import trio


class Wire(trio.abc.HalfCloseableStream):
    """A connected, non-blocking TCP socket. One task reads, one writes."""

    def __init__(self, sock: socket.socket, peer: str) -> None:
        """Take the socket over. ``peer`` is the other side's address, for logs and limits."""
        self._socket = sock
        self._is_new = True
        """Whether nothing was read yet: who waited in the queue has sent its request by now."""
        self._more_to_read = False
        self.peer = peer
        self.send_nowait = sock.send
        """Send what the kernel takes at once and return how many bytes; raises
        ``BlockingIOError`` for none, ``OSError`` when the peer is gone."""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive at least one byte, or none at the end of the stream.

        Raises ``trio.BrokenResourceError`` when the connection was reset. Cancelled, nothing
        was received.
        """
        size = max_bytes or _READ_BYTES
        if self._is_new:
            self._is_new = False
            await trio.lowlevel.checkpoint_if_cancelled()
        elif self._more_to_read:
            # The last read was full: look at once, for waiting costs more than looking.
            await trio.lowlevel.checkpoint()
        else:
            await self._readable()
        while True:
            try:
                data = self._socket.recv(size)
            except BlockingIOError:
                await self._readable()
            except OSError as error:
                raise trio.BrokenResourceError from error
            else:
                self._more_to_read = len(data) == size
                return data

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
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()

    def abort(self) -> None:
        """Close the socket with a reset: what the kernel still holds for the peer is freed."""
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.close()

    async def _readable(self) -> None:
        self._check_open()
        await trio.lowlevel.wait_readable(self._socket)

    def _check_open(self) -> None:
        if self._socket.fileno() < 0:
            raise trio.ClosedResourceError


_READ_BYTES: Final = 65536
_RESET: Final = struct.pack("ii", 1, 0)

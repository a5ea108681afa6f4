"""A wire with TLS on it, closed the way a bare one is.

trio's ``SSLStream`` does the TLS. It has no half-close: here, ``send_eof`` says goodbye in
TLS (close_notify) and then in TCP, so that a peer reads our last words, learns that they
were the last, and meets no reset.
"""

from __future__ import annotations

import contextlib
import ssl

import trio

from gogate_trio.server.wire import Wire


class TlsWire(trio.abc.HalfCloseableStream):
    """One client's TLS connection. One task reads, one writes."""

    def __init__(self, wire: Wire, context: ssl.SSLContext) -> None:
        """Speak TLS over the wire, which is still the caller's to close."""
        self._wire = wire
        self._valve = _Valve(wire)
        self._tls = trio.SSLStream(self._valve, context, server_side=True, https_compatible=True)
        self._ended = False

    @property
    def peer(self) -> str:
        """The other side's address."""
        return self._wire.peer

    async def do_handshake(self) -> None:
        """Shake hands. Raises ``trio.BrokenResourceError``; cancelled, the stream is of no use."""
        await self._tls.do_handshake()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive at least one byte, or none at the end of the stream.

        Raises ``trio.BrokenResourceError`` when the connection was reset, or what came is no
        TLS. After ``send_eof`` it is the peer's bytes as they come, not deciphered: they are
        for counting.
        """
        if self._ended:
            return await self._wire.receive_some(max_bytes)
        return bytes(await self._tls.receive_some(max_bytes))

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything. Cancelled, nothing more can be sent."""
        await self._tls.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel has room for some bytes."""
        await self._tls.wait_send_all_might_not_block()

    async def send_eof(self) -> None:
        """Say that nothing more will be sent. Nobody may be reading or writing meanwhile."""
        self._valve.is_shut = True
        try:
            # What has come and was not read would stand in the way of a close_notify.
            with contextlib.suppress(trio.WouldBlock):
                while await self._tls.receive_some():
                    pass
            # It says its goodbye, and then finds no answer to wait for.
            with contextlib.suppress(trio.WouldBlock):
                await self._tls.unwrap()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            # The peer was first, or spoke no TLS.
            await trio.lowlevel.checkpoint()
        self._ended = True
        await self._wire.send_eof()

    async def aclose(self) -> None:
        """Close the socket, without a goodbye. Idempotent."""
        await self._wire.aclose()

    def abort(self) -> None:
        """Close the socket with a reset."""
        self._wire.abort()


class _Valve(trio.abc.Stream):
    """The wire as ``SSLStream`` sees it: once shut, nothing more is received."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.is_shut = False

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive, or raise ``trio.WouldBlock`` once shut: which harms no ``SSLStream``."""
        if self.is_shut:
            await trio.lowlevel.checkpoint()
            raise trio.WouldBlock
        return await self._wire.receive_some(max_bytes)

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything."""
        await self._wire.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room."""
        await self._wire.wait_send_all_might_not_block()

    async def aclose(self) -> None:
        """Close the wire."""
        await self._wire.aclose()

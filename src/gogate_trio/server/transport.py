"""The stream handed to trio-websocket: it reads what we hand it, and writes into the outbox.

trio-websocket answers pings and closes, and puts fragments together.
Its control frames and our events go through the one outbox, so frames never mix; the bytes
it reads have passed the guard, so none of them can break it.
"""

from __future__ import annotations

import trio

from gogate_trio.outbox import Outbox
from gogate_trio.protocol.frames import CLOSE, FIN


class Transport(trio.abc.Stream):
    """trio-websocket's view of one client.

    One piece at a time is handed over, so an event to wait for the next one is all that an
    idle connection keeps here (a memory channel is four times that).
    """

    def __init__(self, outbox: Outbox, opening: bytes) -> None:
        """``opening`` is the first thing trio-websocket will read: the head of the handshake."""
        self._outbox = outbox
        self._piece = opening
        self._changed = trio.Event()
        self.is_open = False
        """Whether the handshake is over; what answers it is dropped."""
        self.closed = trio.Event()
        """trio-websocket is done: it has answered the peer's close frame, or given up."""

    async def hand_over(self, data: bytes) -> None:
        """Let trio-websocket read these bytes next; returns when it has taken them.

        Raises ``trio.ClosedResourceError`` once it has closed the transport. Cancelled, it may
        still take them.
        """
        if self.closed.is_set():
            raise trio.ClosedResourceError
        self._piece = data
        self._change()
        while self._piece and not self.closed.is_set():
            await self._changed.wait()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 - pieces are small
        """Return the next bytes handed over. Never ends by itself: we say when it ends."""
        await trio.lowlevel.checkpoint()
        while not self._piece:
            await self._changed.wait()
        data, self._piece = self._piece, b""
        self._change()
        return data

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes behind everything else, waiting for room. A close frame is the last."""
        if not self.is_open:
            await trio.lowlevel.checkpoint()
            return
        await self._outbox.send(bytes(data))
        if data and data[0] == FIN | CLOSE:
            self._outbox.finish(())

    async def wait_send_all_might_not_block(self) -> None:
        """Required by the interface; ``send_all`` waits by itself."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Note that trio-websocket is done. The socket is closed by its connection alone."""
        self.closed.set()
        self._change()
        await trio.lowlevel.checkpoint()

    def _change(self) -> None:
        """Wake whoever waits for the piece to come or to be taken."""
        changed, self._changed = self._changed, trio.Event()
        changed.set()

"""The stream handed to trio-websocket: it reads what we hand it, and writes into the outbox.

trio-websocket does the handshake, answers pings and closes, and puts fragments together.
Its control frames and our events go through the one outbox, so frames never mix; the bytes
it reads have passed the guard, so none of them can break it.
"""

from __future__ import annotations

import trio

from gogate_trio.outbox import Outbox
from gogate_trio.protocol.frames import CLOSE, FIN

_HANDED = 1
"""pieces on their way to trio-websocket: the handshake, before it has begun to read"""


class Transport(trio.abc.Stream):
    """trio-websocket's view of one client."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._hand, self._handed = trio.open_memory_channel[bytes](_HANDED)
        self.closed = trio.Event()
        """trio-websocket is done: it has answered the peer's close frame, or given up."""

    async def hand_over(self, data: bytes) -> None:
        """Let trio-websocket read these bytes next; waits while it is busy with earlier ones.

        Raises ``trio.ClosedResourceError`` once it has closed the transport.
        """
        await self._hand.send(data)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002 - pieces are small
        """Return the next bytes handed over. Never ends by itself: we say when it ends."""
        return await self._handed.receive()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Queue bytes behind everything else, waiting for room. A close frame is the last."""
        await self._outbox.send(bytes(data))
        if data and data[0] == FIN | CLOSE:
            self._outbox.shut()

    async def wait_send_all_might_not_block(self) -> None:
        """Required by the interface; ``send_all`` waits by itself."""
        await trio.lowlevel.checkpoint()

    async def aclose(self) -> None:
        """Note that trio-websocket is done. The socket is closed by its connection alone."""
        self.closed.set()
        self._handed.close()
        self._hand.close()
        await trio.lowlevel.checkpoint()

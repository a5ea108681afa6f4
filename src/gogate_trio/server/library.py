"""trio-websocket's part in one connection, from the first thing that needs it.

Most clients never send anything that does: their text messages the guard reads, and their close
frame is answered without it. Begun with the connection, the library costs each of them a task, two
parsers of HTTP and two channels: a third of a connect and 12 of 23 KiB. Begun late, it is shown a
handshake of ours, and what it answers to that is not sent: the client has had its answer.
"""

from __future__ import annotations

import trio
from trio_websocket import WebSocketConnection, wrap_server_stream

from gogate_trio.outbox import Outbox
from gogate_trio.protocol.handshake import OPENING
from gogate_trio.server.transport import Transport


class Library:
    """trio-websocket, for one client. The connection's own task uses it."""

    __slots__ = ("_conversation", "_max_message", "_outbox", "_running")

    def __init__(self, conversation: trio.Nursery, outbox: Outbox, *, max_message: int) -> None:
        """``conversation`` is where its reader runs, and with which that ends."""
        self._conversation = conversation
        self._outbox = outbox
        self._max_message = max_message
        self._running: tuple[WebSocketConnection, Transport] | None = None

    @property
    def is_begun(self) -> bool:
        """Whether it reads for this client: all that is not the guard's own then goes to it."""
        return self._running is not None

    async def read(self, data: bytes) -> None:
        """Let it read a piece of what has come.

        Raises ``trio.ClosedResourceError`` once it has closed. Cancelled, the connection is over.
        """
        _, transport = await self._begun()
        await transport.hand_over(data)

    async def message(self) -> bytes:
        """Return the next message it has put together. Raises ``ConnectionClosed``."""
        websocket, _ = await self._begun()
        message = await websocket.get_message()
        return message.encode() if isinstance(message, str) else message

    async def wait_closed(self) -> None:
        """Wait until it has answered the client's close frame, or given up."""
        _, transport = await self._begun()
        await transport.closed.wait()

    async def _begun(self) -> tuple[WebSocketConnection, Transport]:
        if self._running is None:
            transport = Transport(self._outbox, OPENING)
            request = await wrap_server_stream(
                self._conversation, transport, max_message_size=self._max_message
            )
            self._running = await request.accept(), transport
            transport.is_open = True
        return self._running

"""Wire to router: what one client says, from its bytes to messages.

Text messages that come whole are mostly taken in the poller's task, while the connection's own
waits; what else comes wakes that one, and is waited for here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from gogate_trio.log import get_logger
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.frames import echo_of
from gogate_trio.protocol.guard import FrameGuard, Handover, Item
from gogate_trio.server.library import Library
from gogate_trio.server.wire import feed

if TYPE_CHECKING:
    from gogate_trio.server.connection import Connection
    from gogate_trio.server.house import House

_log = get_logger(__name__)


class Reader:
    """Hears one client, and hangs up when it ends. The connection's own task runs it, once."""

    __slots__ = ("_connection", "_guard", "_house", "_library", "_unheard")

    def __init__(self, connection: Connection, house: House, conversation: trio.Nursery) -> None:
        """``conversation`` is where trio-websocket's reader runs, should it be begun."""
        largest = house.settings.websocket.max_message_size
        self._connection = connection
        self._house = house
        self._guard = FrameGuard(largest)
        self._library = Library(conversation, connection.outbox, max_message=largest)
        self._unheard: list[Item] = []
        """What the guard has let through and nobody has looked at."""

    async def run(self, stream: trio.abc.ReceiveStream, behind: bytes) -> None:
        """Hear what the client says until it is hung up on; ``behind`` came with its head.

        Raises ``ConnectionClosed``, ``trio.BrokenResourceError`` or ``trio.ClosedResourceError``
        when the client is lost. Cancelled, it hears no more, were there something left to hear.
        """
        most = self._house.settings.websocket.read_buffer_size
        wants_more = not behind or self._take(behind)
        del behind
        if wants_more:
            await feed(stream, self._take, most)
        while not self._connection.is_leaving:
            await self._hear()
            if not self._connection.is_leaving:
                await feed(stream, self._take, most)

    async def _hear(self) -> None:
        """Look at what the guard has let through, from the first that is no plain text message."""
        items, self._unheard = self._unheard, []
        answers_pings = not self._guard.controls or self._may_control()
        for item in items:
            match item:
                case bytes():
                    self._receive(item)
                case Handover() if answers_pings or not item.is_ping:
                    await self._hand_over(item)
                case Hangup():
                    self._connection.hang_up(item)
            if self._connection.is_leaving:
                return

    def _take(self, data: bytes) -> bool:
        """Take what has come, as far as it is text messages; whether that is all there was.

        It may run in the poller's task.
        """
        connection = self._connection
        if not data:
            connection.hang_up(close.LOST)
            return False
        connection.heard_at = trio.current_time()
        connection.is_pinged = False
        items = self._guard.feed(data)
        for index, item in enumerate(items):
            if type(item) is not bytes:
                self._unheard = items[index:]
                return False
            self._receive(item)
            if connection.is_leaving:
                return False
        return not self._guard.controls

    def _may_control(self) -> bool:
        """Whether the pings and pongs of the last read were within their rate."""
        count, self._guard.controls = self._guard.controls, 0
        connection, throttle = self._connection, self._house.throttle
        if not throttle.wait("control", connection.number, connection.heard_at, count=count):
            return True
        if throttle.strike(connection.number, connection.heard_at):
            connection.hang_up(close.FLOOD)
        return False

    async def _hand_over(self, item: Handover) -> None:
        """Let trio-websocket have a piece; wait for what must come out before going on.

        It is not begun for a farewell; begun, it may still have a ping to answer before.
        """
        if item.closes and not self._library.is_begun:
            self._connection.outbox.finish((echo_of(item.data),))
            self._connection.hang_up(close.CLIENT_LEFT)
            return
        await self._library.read(item.data)
        if item.ends_message:
            self._receive(await self._library.message())
        elif item.closes:
            await self._library.wait_closed()
            self._connection.hang_up(close.CLIENT_LEFT)

    def _receive(self, text: bytes) -> None:
        try:
            self._house.handle(self._connection, text)
        except Exception:  # noqa: BLE001 - the fence: a bug ends its connection, not the node
            self._house.metrics.bugs += 1
            _log.exception("message_failed", connection=self._connection.number)
            self._connection.hang_up(close.INTERNAL_ERROR)

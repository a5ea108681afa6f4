"""Reads one request of the internal port with h11: a bounded head, and a body if it is asked for.

The deadlines are the caller's.
"""

from __future__ import annotations

import h11
import trio

from gogate_trio.limits import HEAD_BYTES, HEADERS
from gogate_trio.protocol.handshake import (
    BAD_REQUEST,
    BODY_REFUSED,
    HEAD_TOO_BIG,
    Head,
    Status,
    fault_of_head,
)

_TOO_LARGE = 431
"""h11's hint when the head passes its limit."""

_READ_BYTES = 65_536
"""A publication fits into one read."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Intake:
    """The request of one connection."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self._stream = stream
        self._reader = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
        self.has_body = False
        """Whether something follows the head."""

    async def head(self) -> Head | Status | None:
        """Return the head, why it is refused, or None at end of stream.

        Raises ``trio.BrokenResourceError`` when the connection was reset.
        """
        received = 0
        while True:
            try:
                event = self._reader.next_event()
            except h11.RemoteProtocolError as error:
                return HEAD_TOO_BIG if error.error_status_hint == _TOO_LARGE else BAD_REQUEST
            match event:
                case h11.NEED_DATA:
                    received += await self._receive()
                case h11.Request():
                    # h11 minds the limit only while the head is incomplete.
                    if received - len(self._reader.trailing_data[0]) > HEAD_BYTES:
                        return HEAD_TOO_BIG
                    return self._check(event)
                case _:
                    return None

    async def read(self, most: int) -> bytes | None:
        """Return the whole body; None when it is larger than ``most`` bytes.

        Raises ``trio.BrokenResourceError`` when it is cut short.
        """
        body = bytearray()
        if self._reader.they_are_waiting_for_100_continue:
            await self._stream.send_all(_CONTINUE)
        while True:
            try:
                event = self._reader.next_event()
            except h11.RemoteProtocolError as error:
                raise trio.BrokenResourceError from error
            match event:
                case h11.NEED_DATA:
                    await self._receive()
                case h11.Data():
                    body += event.data
                    if len(body) > most:
                        return None
                case h11.EndOfMessage():
                    return bytes(body)
                case _:
                    raise trio.BrokenResourceError

    async def _receive(self) -> int:
        data = bytes(await self._stream.receive_some(_READ_BYTES))
        self._reader.receive_data(data)
        return len(data)

    def _check(self, request: h11.Request) -> Head | Status:
        head = Head(request.method, request.target, tuple(request.headers), request.http_version)
        fault = fault_of_head(head, most_headers=HEADERS)
        if fault is BODY_REFUSED:
            self.has_body = True
            return head
        return fault or head

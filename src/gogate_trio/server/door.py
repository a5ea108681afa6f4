"""Reads the HTTP head of a new client with h11, bounded in bytes and headers.

The deadline is the caller's. Bytes that came behind the head are kept: a client may send
its first frame together with the handshake.
"""

from __future__ import annotations

import h11
import trio

from gogate_trio.limits import HEAD_BYTES, HEADERS
from gogate_trio.protocol.handshake import BAD_REQUEST, HEAD_TOO_BIG, Head, Status, fault_of_head

_TOO_LARGE = 431
"""h11's hint when the head passes its limit."""


async def read_head(stream: trio.abc.ReceiveStream) -> tuple[Head, bytes] | Status | None:
    """Return the head and what came behind it, why it is refused, or None at end of stream.

    Raises ``trio.BrokenResourceError`` when the connection was reset.
    """
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    received = 0
    while True:
        try:
            event = reader.next_event()
        except h11.RemoteProtocolError as error:
            return HEAD_TOO_BIG if error.error_status_hint == _TOO_LARGE else BAD_REQUEST
        match event:
            case h11.NEED_DATA:
                data = bytes(await stream.receive_some(_READ_BYTES))
                received += len(data)
                reader.receive_data(data)
            case h11.Request():
                behind = reader.trailing_data[0]
                # h11 minds the limit only while the head is incomplete.
                if received - len(behind) > HEAD_BYTES:
                    return HEAD_TOO_BIG
                return _check(event, behind)
            case _:
                return None


def _check(request: h11.Request, behind: bytes) -> tuple[Head, bytes] | Status:
    head = Head(request.method, request.target, tuple(request.headers), request.http_version)
    return fault_of_head(head, most_headers=HEADERS) or (head, behind)


_READ_BYTES = 4096
"""A browser's whole head fits into one read."""

"""Reads the HTTP head of a new client, bounded in bytes and headers.

One that is plain and comes whole is read by ``protocol.heads``, any other by h11, from its first
byte. The deadline is the caller's. Bytes that came behind the head are kept: a client may send
its first frame together with the handshake.
"""

from __future__ import annotations

import h11
import trio

from gogate_trio.limits import HEAD_BYTES, HEADERS
from gogate_trio.protocol.handshake import BAD_REQUEST, HEAD_TOO_BIG, Head, Status, fault_of_head
from gogate_trio.protocol.heads import read_plain_head
from gogate_trio.server.wire import Wire

_TOO_LARGE = 431
"""h11's hint when the head passes its limit."""


def read_head_at_once(wire: Wire) -> tuple[Head, bytes] | Status | bytes:
    """Read the head of a client that has sent it by now, as most have who waited in the queue.

    Return it as ``read_head`` does, or what there is of it. Raises as that does.
    """
    data = wire.receive_at_once(_READ_BYTES)
    plain = read_plain_head(data)
    if plain is None:
        return data
    head, end = plain
    return _check(head, data[end:])


async def read_head(
    stream: trio.abc.ReceiveStream, data: bytes = b""
) -> tuple[Head, bytes] | Status | None:
    """Return the head and what came behind it, why it is refused, or None at end of stream.

    ``data`` is what was received of it before. Raises ``trio.BrokenResourceError`` when the
    connection was reset.
    """
    data = data or bytes(await stream.receive_some(_READ_BYTES))
    plain = read_plain_head(data)
    if plain is not None:
        head, end = plain
        return _check(head, data[end:])
    return await _read_by_h11(stream, data)


async def _read_by_h11(
    stream: trio.abc.ReceiveStream, data: bytes
) -> tuple[Head, bytes] | Status | None:
    """Read a head of any shape that begins with these bytes; none if the stream has ended."""
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    received = len(data)
    reader.receive_data(data)
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
                headers = tuple(event.headers)
                head = Head(event.method, event.target, headers, event.http_version)
                return _check(head, behind)
            case _:
                return None


def _check(head: Head, behind: bytes) -> tuple[Head, bytes] | Status:
    return fault_of_head(head, most_headers=HEADERS) or (head, behind)


_READ_BYTES = 4096
"""A browser's whole head fits into one read."""

"""What a reply of Redis says is in the stream; what a stranger put there is none of ours."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from gogate_trio.broker.packing import Header, read_header
from gogate_trio.cluster.wire import Reply


@attrs.frozen
class Found:
    """One entry as it stands in Redis."""

    name: bytes
    """Its id."""
    header: Header | None
    """None: it is a stranger's."""
    payload: bytes


def entries(reply: Reply) -> Iterator[Found]:
    """Yield the entries of an ``XRANGE``, or of one stream of an ``XREAD``."""
    for entry in reply if isinstance(reply, list) else ():
        match entry:
            case [bytes() as name, [b"h", bytes() as header, b"p", bytes() as payload]]:
                yield Found(name, read_header(header), payload)
            case [bytes() as name, *_]:
                yield Found(name, None, b"")


def of_stream(reply: Reply, stream: bytes) -> Reply:
    """Return the part of an ``XREAD`` that is about a stream."""
    return reply.get(stream) if isinstance(reply, dict) else None

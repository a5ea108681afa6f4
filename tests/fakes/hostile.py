"""A backend that answers with the bytes it is told to, however wrong, on a real loopback socket.

Usage::

    async with open_hostile_backend(says(http(200, b"[]"))) as hostile:
        ...  # point the gateway at hostile.url
        assert len(hostile.requests) == 1

A script is called once per request, after the whole request was read, with the stream to
write to. When it returns True the connection is kept, else it is closed.
"""

from __future__ import annotations

import re
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

    Script = Callable[[trio.abc.Stream], Awaitable[bool]]


@attrs.define(eq=False)
class HostileBackend:
    """What the hostile backend has seen."""

    url: str
    connections: int = 0
    """Connections accepted so far."""
    requests: list[bytes] = attrs.field(factory=list)
    """Every whole request, head and body."""


def says(answer: bytes, *, keep: bool = False) -> Script:
    """Answer every request with these bytes, then close, or keep, the connection."""

    async def script(stream: trio.abc.Stream) -> bool:
        await stream.send_all(answer)
        return keep

    return script


def http(status: int, body: bytes, *headers: bytes) -> bytes:
    """Return a well-formed answer with the right length."""
    lines = [b"HTTP/1.1 %d Whatever" % status, b"Content-Length: %d" % len(body), *headers]
    return b"\r\n".join([*lines, b"", body])


@asynccontextmanager
async def open_hostile_backend(
    script: Script, *, tls: ssl.SSLContext | None = None
) -> AsyncIterator[HostileBackend]:
    """Run a hostile backend on a free loopback port for as long as the block lasts."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    hostile = HostileBackend(f"http{'s' if tls else ''}://127.0.0.1:{port}")

    async def serve(stream: trio.abc.Stream) -> None:
        hostile.connections += 1
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_side=True, https_compatible=True)
        try:
            with suppress(trio.BrokenResourceError):
                while request := await _request(stream):
                    hostile.requests.append(request)
                    if not await script(stream):
                        return
        finally:
            await trio.aclose_forcefully(stream)

    async with trio.open_nursery() as connections:
        await connections.start(trio.serve_listeners, serve, listeners)
        yield hostile
        connections.cancel_scope.cancel()


async def _request(stream: trio.abc.Stream) -> bytes:
    data = b""
    while True:
        head, gap, body = data.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)^content-length: *(\d+)", head, re.MULTILINE)
        if gap and len(body) >= int(length[1] if length else 0):
            return data
        part = await stream.receive_some()
        if not part:
            return b""
        data += part

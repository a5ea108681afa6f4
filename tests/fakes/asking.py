"""Requests made by hand, as the exchange makes them, and servers that do what a test says."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import httpx
import trio

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable


class Body(httpx.AsyncByteStream):
    """A request's body. No generator: one that is cancelled half way warns when collected."""

    def __init__(self, body: bytes) -> None:
        """Take the bytes."""
        self._left = [body] if body else []

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """All of it, once."""
        if not self._left:
            raise StopAsyncIteration
        return self._left.pop()


def request(
    url: str, body: bytes = b"", *, method: str = "POST", target: bytes = b"/x", **timeouts: float
) -> httpx.Request:
    """A request as the exchange makes them."""
    return httpx.Request(
        method,
        url,
        headers=[(b"Host", b"backend"), (b"Content-Length", b"%d" % len(body))],
        stream=Body(body),
        extensions={"target": target, "timeout": timeouts},
    )


async def ask(transport: httpx.AsyncBaseTransport, asked: httpx.Request) -> tuple[int, bytes]:
    """Return the status and the body of the answer."""
    response = await transport.handle_async_request(asked)
    try:
        return response.status_code, b"".join([part async for part in response.stream])
    finally:
        await response.aclose()


@asynccontextmanager
async def server(handle: Callable[[trio.SocketStream], Awaitable[None]]) -> AsyncIterator[str]:
    """Run a server that does with each connection what the test says."""
    async with trio.open_nursery() as serving:
        listeners = await serving.start(trio.serve_tcp, handle, 0)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        serving.cancel_scope.cancel()

"""Reads every request's body to its end and refuses the ones that are too large.

To the end, because the server queues what nobody reads, and a connection with a full queue
would stay blocked for good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES: Final = 256 * 1024
"""bytes. The longest text, every character escaped, and a hundred attachments take 50 KiB."""


class WholeBodies:
    """ASGI middleware: the application finds the body complete, or is not asked at all."""

    def __init__(self, app: ASGIApp, *, too_large: Callable[[Scope], Response]) -> None:
        """Take the application and what answers for it when a body is too large."""
        self._app = app
        self._too_large = too_large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        if len(body) > BODY_BYTES:
            await self._too_large(scope)(scope, receive, send)
            return
        whole: Message = {"type": "http.request", "body": body, "more_body": False}

        async def receive_whole() -> Message:
            nonlocal whole
            if not whole:
                return await receive()
            message, whole = whole, {}
            return message

        await self._app(scope, receive_whole, send)


async def _read(receive: Receive) -> bytes | None:
    """The body, cut just past the limit; None when the client has gone."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        if len(body) <= BODY_BYTES:
            body += message.get("body", b"")
        more = message.get("more_body", False)
    return bytes(body)

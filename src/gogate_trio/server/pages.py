"""What the HTTP pages say: pure request to response."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeVar

import attrs

from gogate_trio.protocol.handshake import NOT_ALLOWED, NOT_FOUND, Head, Status


@attrs.frozen
class Page:
    """A page under a fixed path."""

    content_type: str
    body: bytes = attrs.field(repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    code: int = 200
    phrase: str = "OK"


HEALTH: Final = Page("application/json", b'{"status":"ok","service":"gogate"}')
"""Monitoring matches on these bytes."""

INDEX: Final = Page(
    "text/plain; charset=utf-8",
    b"GoGate, a WebSocket gateway.\n\nWebSocket: /ws\nHealth:    /health\n",
)

Found = TypeVar("Found")

PAGES: Final[Mapping[str, Page]] = {"/": INDEX, "/health": HEALTH}


def find(head: Head, pages: Mapping[str, Found]) -> Found | Status:
    """Return what stands under the path a request asks for, or why there is nothing."""
    page = pages.get(head.path.decode("latin-1"))
    if page is None:
        return NOT_FOUND
    if head.method not in {b"GET", b"HEAD"}:
        return NOT_ALLOWED
    return page


def render(answer: Page | Status, *, with_body: bool) -> bytes:
    """Return the bytes of a response after which the connection closes."""
    if isinstance(answer, Status):
        code, phrase, body = answer.code, answer.phrase, f"{answer.text}\n".encode()
        content_type = "text/plain; charset=utf-8"
    else:
        code, phrase, body = answer.code, answer.phrase, answer.body
        content_type = answer.content_type
    lines = [
        f"HTTP/1.1 {code} {phrase}",
        f"Content-Type: {content_type}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in answer.headers),
        "X-Content-Type-Options: nosniff",
        "Connection: close",
    ]
    head = "\r\n".join(lines).encode() + b"\r\n\r\n"
    return head + body if with_body else head

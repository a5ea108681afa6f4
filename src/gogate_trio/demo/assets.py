"""The chat page, as pages for the gateway to serve beside its own."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Final

from gogate_trio.server.pages import Page

if TYPE_CHECKING:
    from collections.abc import Mapping

INDEX_PATH: Final = "/demo"

CONTENT_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


def pages(backend_url: str, *, epoch: str) -> Mapping[str, Page]:
    """The page, its parts and what it must know, by path.

    An open page that finds another ``epoch`` than its own after a break starts anew.
    """
    headers = _headers(backend_url)
    found: dict[str, Page] = {}
    for file in (files("gogate_trio.demo") / "page").iterdir():
        suffix = f".{file.name.rpartition('.')[2]}"
        if suffix in CONTENT_TYPES:
            page = Page(CONTENT_TYPES[suffix], file.read_bytes(), headers)
            found[f"{INDEX_PATH}/{file.name}"] = page
    found[INDEX_PATH] = found[f"{INDEX_PATH}/"] = found.pop(f"{INDEX_PATH}/index.html")
    config = json.dumps({"backend": backend_url, "websocket": "/ws", "epoch": epoch}).encode()
    found[f"{INDEX_PATH}/config.json"] = Page("application/json", config, headers)
    return found


def _headers(backend_url: str) -> tuple[tuple[str, str], ...]:
    """A policy that allows what the page does and nothing else."""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": f"'self' {backend_url}",
        # Older browsers do not count a WebSocket to the page's own host as 'self'.
        "connect-src": f"'self' ws://127.0.0.1:* ws://localhost:* {backend_url}",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return (
        ("Content-Security-Policy", "; ".join(f"{name} {what}" for name, what in policy.items())),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
        # The address stays the same when the next start has another backend port or page.
        ("Cache-Control", "no-store"),
    )

"""Requests to the internal API, by hand.

Usage::

    async with open_watched(fake) as node:
        answer = await call(node.internal_port, "POST", "publish", body={...})
        assert (answer.status, answer.json) == (200, {...})
"""

from __future__ import annotations

from typing import Any

import attrs
import msgspec

from fakes.clients import open_raw
from fakes.node import within
from fakes.secrets import KEY

PREFIX = "/api/internal/v1/"


@attrs.frozen
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


async def call(
    port: int,
    method: str,
    path: str,
    *,
    body: Any = None,
    key: str | None = KEY,
    **headers: str,
) -> Answer:
    """Send one request; the body is bytes, or is written as JSON. ``_`` in headers stands for -."""
    data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
    given = {"host": "a", "content-length": str(len(data))}
    if body is not None:
        given["content-type"] = "application/json"
    if key is not None:
        given["x-internal-api-key"] = key
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in given.items() if value)
    return await send(port, f"{method} {PREFIX}{path} HTTP/1.1\r\n{lines}\r\n".encode() + data)


async def send(port: int, request: bytes) -> Answer:
    """Send these bytes and return the answer, which must end cleanly."""
    with within():
        async with open_raw(port) as client:
            await client.send(request)
            whole = await client.rest()
    head, _, rest = whole.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = [line.split(": ", 1) for line in lines]
    return Answer(int(first.split(" ")[1]), {k.lower(): v for k, v in pairs}, rest)

"""Tokens that end, the settings that make it soon, and clients that bring them in a cookie.

Usage::

    async with open_node(fake, auth=auth(grace=0.3)) as node:
        async with open_client(node.port, mint(fake, 3, lives=0.2)) as client:
            assert await goodbye(client) == (["TOKEN_EXPIRED"], 4503)
"""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import jwt

from fakes.clients import UPGRADE, Client, open_raw
from gogate_trio.config import AuthSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.backend import FakeBackend

SECRET = "a secret that only the backend knows."

ORIGIN = b"Origin: http://gateway.example:3000\r\n"
"""A page on the host of ``fakes.clients.UPGRADE``, on another port."""


def mint(fake: FakeBackend, user_id: int, *, lives: float = 3600.0) -> str:
    """A JWT of a user that the backend knows, and that says when it ends."""
    claims = {"user_id": user_id, "exp": time.time() + lives, "n": len(fake.tokens)}
    token = jwt.encode(claims, SECRET, algorithm="HS256")
    fake.tokens[token] = user_id
    return token


def auth(**settings: Any) -> AuthSettings:
    """Settings in which nothing but the end of a token ends it, unless told."""
    return AuthSettings(**{"recheck": 0.0, "grace": 0.0} | settings)


async def goodbye(client: Client) -> tuple[list[str], int]:
    """What is left to read: the codes of all errors, then the close code."""
    codes = []
    while True:
        try:
            codes.append((await client.event("error"))["code"])
        except AssertionError as closed:
            assert await client.rest() == b""
            return codes, int(str(closed).split()[2])


@asynccontextmanager
async def open_with_cookie(port: int, headers: bytes, query: bytes = b"") -> AsyncIterator[Client]:
    """A client whose upgrade request has these headers too, and asks for ``query``."""
    async with open_raw(port) as client:
        await client.send(UPGRADE.replace(b"/ws", b"/ws" + query, 1) + headers + b"\r\n")
        head = await client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        yield client

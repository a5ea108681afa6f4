"""Clients who come from somewhere: another address, another page, through a proxy.

Usage::

    async with visit(node.port, source="127.0.0.2", origin="https://evil.example") as visitor:
        assert visitor.status == 403
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

from fakes.clients import UPGRADE, Client

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

HEALTH = b"GET /health HTTP/1.1\r\nHost: gateway.example\r\n\r\n"
OK = b'{"status":"ok","service":"gogate"}'


@attrs.define(eq=False)
class Visitor(Client):
    """A client and what it was answered."""

    head: bytes = b""
    """The head of the answer to its upgrade request; empty when there was none."""

    @property
    def status(self) -> int:
        """The status it was answered with; 0 when the connection ended without one."""
        return int(self.head.split(b" ")[1]) if self.head else 0

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer, names in lower case."""
        lines = self.head.decode().split("\r\n")[1:-2]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}


@asynccontextmanager
async def connect(port: int, *, source: str = "127.0.0.1") -> AsyncIterator[Visitor]:
    """Connect from an address of this machine and say nothing yet."""
    sock = trio.socket.socket()
    try:
        await sock.bind((source, 0))
        await sock.connect(("127.0.0.1", port))
        yield Visitor(trio.SocketStream(sock))
    finally:
        sock.close()


@asynccontextmanager
async def visit(
    port: int, *, source: str = "127.0.0.1", origin: str | None = None, forwarded: str | None = None
) -> AsyncIterator[Visitor]:
    """Ask for the upgrade and wait for the answer, whatever it is."""
    lines = [UPGRADE]
    if origin is not None:
        lines.append(f"Origin: {origin}\r\n".encode())
    if forwarded is not None:
        lines.append(f"X-Forwarded-For: {forwarded}\r\n".encode())
    async with connect(port, source=source) as visitor:
        try:
            await visitor.send(b"".join([*lines, b"\r\n"]))
            visitor.head = await visitor.read_until(b"\r\n\r\n")
        except (EOFError, trio.BrokenResourceError):
            visitor.head = b""
        yield visitor


async def status_of(port: int, **visitor: str) -> int:
    """Come, be answered, and go."""
    async with visit(port, **visitor) as one:
        return one.status


async def is_healthy(port: int) -> bool:
    """Whether ``/health`` is answered as monitoring expects it."""
    async with connect(port) as probe:
        await probe.send(HEALTH)
        return (await probe.rest()).endswith(OK)

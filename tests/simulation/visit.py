"""One connection as its client sees it: a WebSocket of the smallest kind, over any line."""

from __future__ import annotations

import json
import re
from typing import Any, Protocol

import attrs
import trio

from fakes.clients import CLOSE, PING, PONG, TEXT, UPGRADE, frame

SILENCE = 15.0
"""seconds without a byte after which a client takes its connection for dead"""


class Line(Protocol):
    """A connection to the gateway, as a client uses it."""

    async def send_all(self, data: bytes) -> None:
        """Send everything. Raises ``trio.BrokenResourceError``."""

    async def receive_some(self) -> bytes:
        """Receive something; nothing at the end. Raises ``trio.BrokenResourceError``."""

    def close(self) -> None:
        """Hang up."""


class Over(Exception):
    """The connection is: why, and what the close frame said."""

    @property
    def retry(self) -> float | None:
        """After how many seconds to come back, where the gateway has said so."""
        told = _RETRY.search(self.args[1]) if len(self.args) > 1 else None
        return int(told[1]) / 1000 if told else None


class TurnedAway(Over):
    """There never was a connection."""


@attrs.define(eq=False)
class Visit:
    """One connection, as its client sees it."""

    number: int
    wire: Line
    pace: float
    """Seconds the client takes over each frame."""
    is_stalled: bool = False
    """Whether the client reads nothing for now, and does not wonder at the silence."""
    _buffer: bytearray = attrs.field(factory=bytearray)
    _writing: trio.Lock = attrs.field(factory=trio.Lock)

    async def send(self, data: bytes) -> None:
        """Send bytes, whole or, when cancelled, in part."""
        async with self._writing:
            try:
                await self.wire.send_all(data)
            except trio.BrokenResourceError:
                raise Over("write") from None

    async def say(self, event: str, command_id: str | None = None, **data: Any) -> None:
        """Send one event of the protocol."""
        said = {"event": event, "data": data}
        if command_id is not None:
            said["id"] = command_id
        await self.send(frame(TEXT, json.dumps(said).encode()))

    async def upgrade(self) -> None:
        """Become a WebSocket. Raises ``TurnedAway``."""
        try:
            await self.send(UPGRADE + b"\r\n")
            while b"\r\n\r\n" not in self._buffer:
                await self._fill()
        except Over as over:
            raise TurnedAway(*over.args) from None
        head, _, rest = bytes(self._buffer).partition(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 101"):
            raise TurnedAway(head)
        self._buffer[:] = rest

    async def next(self) -> dict[str, Any]:
        """Return the next event; pings are answered. ``Over`` says which close code came."""
        while True:
            while self.is_stalled:  # noqa: ASYNC110 - a test says when it goes on
                await trio.sleep(0.05)
            if self.pace:
                await trio.sleep(self.pace)
            opcode, payload = await self._frame()
            if opcode == TEXT:
                return json.loads(payload)
            if opcode == CLOSE:
                raise Over(int.from_bytes(payload[:2]), payload[2:].decode())
            if opcode == PING:
                await self.send(frame(PONG, payload))

    async def _frame(self) -> tuple[int, bytes]:
        head = 2
        await self._need(head)
        size = self._buffer[1]
        if size >= 126:
            head += 2 if size == 126 else 8
            await self._need(head)
            size = int.from_bytes(self._buffer[2:head])
        await self._need(head + size)
        opcode, payload = self._buffer[0] & 0x0F, bytes(self._buffer[head : head + size])
        del self._buffer[: head + size]
        return opcode, payload

    async def _need(self, size: int) -> None:
        while len(self._buffer) < size:
            await self._fill()

    async def _fill(self) -> None:
        with trio.move_on_after(SILENCE) as waiting:
            try:
                data = await self.wire.receive_some()
            except trio.BrokenResourceError:
                raise Over("reset") from None
        if waiting.cancelled_caught:
            raise Over("silence")
        if not data:
            raise Over("end")
        self._buffer += data


_RETRY = re.compile(r"\bretry=(\d+)")

"""Connections in memory, as the gateway's rooms see TCP: bounded, and nothing to rely on."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import attrs
import trio

from gogate_trio.server.wire import Take, Wire

if TYPE_CHECKING:
    from random import Random


class Break(Enum):
    """How a connection ends that nobody has closed."""

    RESET = "reset"
    END = "end of stream"


class Stall(Enum):
    """How a connection goes quiet."""

    HICCUP = "hiccup"
    """It goes on before anybody gives it up."""
    DEAD = "silence"
    DEAF = "silence for the client"
    MUTE = "silence for the gateway"


@attrs.define(eq=False)
class Pipe:
    """Bytes one way. Whoever reads gets them in pieces of no particular size."""

    random: Random
    room: int
    """Bytes that may be under way."""
    is_stalled: bool = False
    """Nothing arrives; what is sent piles up, as with a phone in a tunnel."""
    is_closed: bool = False
    """Nothing more can be sent."""
    broken: Break | None = None
    _bytes: bytearray = attrs.field(factory=bytearray)
    _news: trio.lowlevel.ParkingLot = attrs.field(factory=trio.lowlevel.ParkingLot)

    def put(self, data: bytes) -> int:
        """Take what there is room for, as a non-blocking socket does."""
        if self.broken is not None or self.is_closed:
            raise BrokenPipeError
        taken = min(self.room - len(self._bytes), len(data))
        if not taken:
            raise BlockingIOError
        self._bytes += data[:taken]
        self.changed()
        return taken

    async def take(self, most: int) -> bytes:
        """Return some bytes, or none at the end."""
        await trio.lowlevel.checkpoint()
        while self.is_stalled or not self._bytes:
            if self.broken is Break.RESET and not self._bytes:
                raise trio.BrokenResourceError
            if (self.broken or self.is_closed) and not self._bytes:
                return b""
            await self._news.park()
        if self.random.random() < _PIECEMEAL:
            most = min(most, self.random.randint(1, 40))
        data = bytes(self._bytes[:most])
        del self._bytes[:most]
        self.changed()
        return data

    async def wait_room(self) -> None:
        """Wait until something can be put, or never again."""
        await trio.lowlevel.checkpoint()
        while len(self._bytes) >= self.room and not self.broken and not self.is_closed:
            await self._news.park()

    def break_(self, how: Break) -> None:
        """Lose what is under way from some byte on, and the connection with it."""
        if self.broken is None:
            self.broken = how
            self.is_stalled = False
            del self._bytes[self.random.randint(0, len(self._bytes)) :]
            self.changed()

    def changed(self) -> None:
        """Let everybody look again."""
        self._news.unpark_all()


class MemoryWire(Wire):
    """One end of a connection in memory: a ``Wire`` but for the socket."""

    def __init__(self, incoming: Pipe, outgoing: Pipe, peer: str) -> None:
        self._incoming, self._outgoing = incoming, outgoing
        self.peer = peer
        self.send_nowait = outgoing.put

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        """Receive at least one byte, or none at the end of the stream."""
        return await self._incoming.take(max_bytes or 65536)

    def receive_at_once(self, max_bytes: int) -> bytes:  # noqa: ARG002 - the wire's
        """Receive nothing: whoever connects has yet to say something."""
        return b""

    async def feed(self, take: Take, max_bytes: int) -> None:
        """Hand over all that is received, until there is enough."""
        while take(await self.receive_some(max_bytes)):
            pass

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send everything. Cancelled, some of it went."""
        left = bytes(data)
        await trio.lowlevel.checkpoint()
        while left:
            try:
                left = left[self._outgoing.put(left) :]
            except BlockingIOError:
                await self._outgoing.wait_room()
            except OSError as error:
                raise trio.BrokenResourceError from error

    async def wait_send_all_might_not_block(self) -> None:
        """Wait for room."""
        await self._outgoing.wait_room()

    async def send_eof(self) -> None:
        """Say that nothing more will be sent."""
        self._outgoing.is_closed = True
        self._outgoing.changed()
        await trio.lowlevel.checkpoint()

    def close(self) -> None:
        """Close both ways; the other side reads what is under way, and then the end."""
        for pipe in (self._outgoing, self._incoming):
            pipe.is_closed = True
            pipe.changed()

    def abort(self) -> None:
        """Close with a reset."""
        self._outgoing.break_(Break.RESET)
        self.close()


@attrs.define(eq=False)
class Link:
    """A connection: both ends, and what may happen between them."""

    number: int
    up: Pipe
    down: Pipe

    @classmethod
    def between(cls, number: int, random: Random, room: int) -> Link:
        """Return a connection on which nothing has been said."""
        return cls(number, Pipe(random, room), Pipe(random, room))

    @property
    def client(self) -> MemoryWire:
        """The client's end."""
        return MemoryWire(self.down, self.up, "gateway")

    @property
    def server(self) -> MemoryWire:
        """The gateway's end."""
        return MemoryWire(self.up, self.down, f"10.0.0.{self.number % 250}")

    @property
    def is_over(self) -> bool:
        """Whether nothing can happen to it any more."""
        return self.up.is_closed and self.down.is_closed

    def cut(self, how: Break) -> None:
        """Break it for both sides."""
        for pipe in (self.up, self.down):
            pipe.break_(how)

    def stall(self, how: Stall) -> None:
        """Let nothing arrive any more."""
        for pipe, spared_by in ((self.up, Stall.DEAF), (self.down, Stall.MUTE)):
            if how is not spared_by:
                pipe.is_stalled = pipe.broken is None

    def go_on(self) -> None:
        """Let everything arrive again."""
        for pipe in (self.up, self.down):
            pipe.is_stalled = False
            pipe.changed()


_PIECEMEAL = 0.15
"""the share of reads that bring less than there is"""

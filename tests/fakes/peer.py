"""The other end of an outbox: what a client's socket takes, and when."""

from __future__ import annotations

import attrs
import trio
import trio.testing

from gogate_trio.outbox import Outbox
from gogate_trio.pending_writes import pending_writes
from gogate_trio.protocol.close import Hangup


@attrs.define(eq=False)
class Peer:
    """A client that reads as much as the test says."""

    room: int = 1 << 30
    """Bytes that direct sends still get away."""
    is_gone: bool = False
    got: bytearray = attrs.field(factory=bytearray)
    """What has been written to it, directly or by the writer."""
    hangups: list[Hangup] = attrs.field(factory=list)
    """Every hang-up the outbox called for."""
    busy: set[Outbox] = attrs.field(factory=set)
    """Who may not be written past."""
    sends: int = 0
    """Calls of ``send_nowait``."""

    def send_nowait(self, data: bytes) -> int:
        """Take what there is room for, as a non-blocking socket does."""
        self.sends += 1
        if self.is_gone:
            raise ConnectionResetError
        taken = min(self.room, len(data))
        if not taken:
            raise BlockingIOError
        self.room -= taken
        self.got += data[:taken]
        return taken

    def outbox(self, *, direct: bool = True) -> Outbox:
        """Return a mailbox for it."""
        send_nowait = self.send_nowait if direct else None
        return Outbox(self.hangups.append, self.busy, send_nowait, pending_writes())


@attrs.define(eq=False)
class Writer:
    """The writer task of an outbox, one chunk at a time."""

    outbox: Outbox
    peer: Peer
    gather: int = 1
    chunks: list[bytes] = attrs.field(factory=list)
    is_done: bool = False
    _turns: trio.Semaphore = attrs.field(factory=lambda: trio.Semaphore(0))

    async def run(self) -> None:
        """Take chunks as they come; each is written when it is let."""
        async for chunk in self.outbox.chunks(self.gather):
            await self._turns.acquire()
            if self.peer.is_gone:
                continue
            self.chunks.append(chunk)
            self.peer.got += chunk
        self.is_done = True

    async def write(self, chunks: int = 1) -> None:
        """Let it write so many chunks, and let everything settle."""
        for _ in range(chunks):
            self._turns.release()
        await trio.testing.wait_all_tasks_blocked()

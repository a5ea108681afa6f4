"""The bounded mailbox of one connection: offering never blocks.

All bytes for a client take this one road, so they keep their order and frames never mix.
When nothing waits, they go straight to the socket (5 µs); what the kernel does not take at
once waits in a bounded trio channel for the connection's writer task. This is safe because
trio runs one task at a time: between seeing that nothing waits and writing there is no
checkpoint.

A client that reads too slowly fills its outbox. Ephemeral events are shed past half;
anything else that does not fit ends the connection, never silently.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import NamedTuple

import trio

from gogate_trio.limits import OUTBOX_BYTES, OUTBOX_FRAMES
from gogate_trio.pending_writes import PendingWrites
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup

_RESERVE = 2
"""channel slots beyond the limit, for last words: an error event and the close frame"""


class _Queue(NamedTuple):
    """Both ends of the bounded channel."""

    entry: trio.MemorySendChannel[tuple[bytes, int]]
    exit: trio.MemoryReceiveChannel[tuple[bytes, int]]


class Outbox:
    """What waits for one client. ``hang_up`` is called when it cannot go on; the first counts."""

    __slots__ = (
        "_busy",
        "_bytes",
        "_direct",
        "_finished",
        "_frames",
        "_held",
        "_idle",
        "_is_untaken",
        "_open",
        "_pending",
        "_queue",
        "_room",
        "hang_up",
        "progress_at",
        "send_nowait",
        "shed",
        "start_writer",
        "told_to",
        "wants_positions",
    )

    def __init__(
        self,
        hang_up: Callable[[Hangup], None],
        busy: set[Outbox],
        send_nowait: Callable[[bytes], int] | None = None,
        pending: PendingWrites | None = None,
    ) -> None:
        """Without ``send_nowait`` (a TLS stream has none) everything goes through the writer.

        ``pending`` is what is written at the end of the turn; None: nothing is put off.

        ``busy`` is the node's set of outboxes that nobody may write past: something waits in
        them, or they take nothing more. For all others the hub calls ``send_nowait`` itself.
        """
        self.hang_up = hang_up
        """End the connection this mailbox belongs to; whoever holds the mailbox may."""
        self.send_nowait = send_nowait or _no_bytes
        """Send to the client at once. Only while the outbox is not among the busy ones."""
        self._busy = busy
        self._direct = send_nowait is not None
        self._pending = pending
        self._held = b""
        """The frame that goes at the end of the turn, before anything else."""
        self._idle = self._direct
        if not self._direct:
            busy.add(self)
        self._open = True
        self._finished = False
        self._is_untaken = False
        """Whether something waited before the writer was there, and it has taken nothing yet."""
        self._queue: _Queue | None = None
        """Opened with the first bytes that have to wait, or by the writer."""
        self.start_writer: Callable[[], None] | None = None
        """Called when bytes wait for the first time. Most clients never fall behind; they cost
        neither a channel nor a writer's task."""
        self._frames = 0
        self._bytes = 0
        self._room: trio.Event | None = None
        self.progress_at = 0.0
        """When the writer last got bytes away, or was given the first: trio's clock, seconds."""
        self.wants_positions = False
        """Whether this client is told each durable event's position. Set before it joins."""
        self.told_to = 0
        """The offset of the newest durable event that was offered, or of a ``resync``."""
        self.shed = 0
        """ephemeral events not queued"""

    @property
    def waiting_frames(self) -> int:
        """How many frames wait for the writer."""
        return self._frames

    @property
    def waiting_bytes(self) -> int:
        """How many bytes wait for the writer."""
        return self._bytes

    @property
    def is_waiting(self) -> bool:
        """Whether bytes wait for the writer."""
        return self._frames > 0

    def offer(self, data: bytes, frames: int = 1) -> None:
        """Send or queue ``frames`` whole frames; hang up on the client when there is no room."""
        if self._held:
            self.settle()
        if self._idle:
            try:
                sent = self.send_nowait(data)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._give_up(close.LOST)
                return
            if sent == len(data):
                return
            data = data[sent:]
        elif not self._open:
            return
        elif self._is_full(data, frames):
            self._give_up(close.SLOW_CONSUMER)
            return
        self._enqueue(data, frames)

    def offer_later(self, data: bytes) -> None:
        """Offer one frame at the end of the turn: what need not be there before it.

        It costs less then, and keeps its place: what is offered meanwhile takes it along.
        """
        if self._pending is None or not self._idle or self._held:
            self.offer(data)
            return
        self._held = data
        self._busy.add(self)
        self._pending.add(self)

    def write(self) -> bool:
        """Write the frame that was put off, if it still is; whether all of it is gone."""
        if not self._held:
            return True
        try:
            sent = self.send_nowait(self._held)
        except OSError:
            return False
        self._held = self._held[sent:]
        if self._held:
            return False
        self._busy.discard(self)
        return True

    def settle(self) -> None:
        """Offer what is left of the frame that was put off."""
        data, self._held = self._held, b""
        if data:
            self._busy.discard(self)
            self.offer(data)

    def offer_rest(self, data: bytes, sent: int, frames: int) -> None:
        """Queue what is left of an offer of which ``send_nowait`` has just taken a part."""
        self._enqueue(data[sent:], frames)

    def offer_ephemeral(self, data: bytes, frames: int = 1) -> bool:
        """Offer what may be missed; False: shed, as the client has fallen behind by half."""
        if self._is_half_full():
            self.shed += frames
            return False
        self.offer(data, frames)
        return True

    async def send(self, data: bytes) -> None:
        """Offer one frame, waiting for room. Raises ``trio.BrokenResourceError`` once closed.

        Who can wait leaves half of the room to events, which cannot: a client that is being
        told much of what it missed has room for what is new. A checkpoint only when it waits;
        cancelled, nothing was queued.
        """
        while self._open and (self._is_half_full() or self._is_full(data, 1)):
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()
        if not self._open:
            raise trio.BrokenResourceError
        self.offer(data)

    def fail(self) -> None:
        """The peer is gone: hang up, and take nothing more."""
        self._give_up(close.LOST)

    def shut(self) -> None:
        """Drop every later offer. What waits is still written."""
        self.settle()
        self._open = False
        self._idle = False
        self._busy.add(self)
        self._wake()

    def retire(self) -> None:
        """Be forgotten: the client is gone, and nobody has this outbox in a list any more."""
        self.shut()
        self._busy.discard(self)

    def finish(self, last_words: tuple[bytes, ...], *, drop_waiting: bool = False) -> None:
        """Take nothing more. What waits goes first, unless dropped, and then the last words.

        The writer's ``chunks`` end when all is written. Only the first call counts.
        """
        if self._finished:
            return
        self._finished = True
        self.settle()
        if drop_waiting:
            self._drop_waiting()
        for frame in last_words:
            if self._idle:
                self.offer(frame)
            elif self._has_slot():
                self._enqueue(frame, 1)
        self.shut()
        if self._queue is not None:
            self._queue.entry.close()

    async def chunks(self, gather: int) -> AsyncGenerator[bytes, None]:
        """Yield what waits, joined until it has ``gather`` bytes. Only the writer calls this.

        Asking for the next chunk means that the last one is written.
        """
        if self._finished and self._queue is None:
            return
        queue = self._opened().exit
        async for chunk, frames in queue:
            self._is_untaken = False
            parts, size, count = [chunk], len(chunk), frames
            while size < gather:
                try:
                    chunk, frames = queue.receive_nowait()  # noqa: PLW2901 - more of the same
                except (trio.WouldBlock, trio.EndOfChannel):
                    break
                parts.append(chunk)
                size += len(chunk)
                count += frames
            yield b"".join(parts) if len(parts) > 1 else chunk
            self._written(size, count)

    def _is_full(self, data: bytes, frames: int) -> bool:
        # An empty outbox takes any one event, however long.
        return self._frames > 0 and (
            self._frames + frames > OUTBOX_FRAMES or self._bytes + len(data) > OUTBOX_BYTES
        )

    def _is_half_full(self) -> bool:
        return self._frames > OUTBOX_FRAMES // 2 or self._bytes > OUTBOX_BYTES // 2

    def _enqueue(self, data: bytes, frames: int) -> None:
        if not self._frames:
            self.progress_at = trio.current_time()
        is_first = self._queue is None
        self._is_untaken |= is_first
        self._opened().entry.send_nowait((data, frames))
        self._frames += frames
        self._bytes += len(data)
        self._idle = False
        self._busy.add(self)
        if is_first and self.start_writer is not None:
            self.start_writer()

    def _opened(self) -> _Queue:
        if self._queue is None:
            capacity = OUTBOX_FRAMES + _RESERVE
            self._queue = _Queue(*trio.open_memory_channel[tuple[bytes, int]](capacity))
        return self._queue

    def _has_slot(self) -> bool:
        if self._queue is None:
            return True
        return self._queue.entry.statistics().current_buffer_used < OUTBOX_FRAMES + _RESERVE

    def _written(self, size: int, frames: int) -> None:
        self._frames -= frames
        self._bytes -= size
        if self._open and not self._frames:
            self._idle = self._direct
            if self._idle:
                self._busy.discard(self)
        self._wake()

    def _give_up(self, hangup: Hangup) -> None:
        self.shut()
        self.hang_up(hangup)

    def _wake(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def _drop_waiting(self) -> None:
        queue, kept = self._queue, None
        while queue is not None:
            try:
                data, frames = queue.exit.receive_nowait()
            except (trio.WouldBlock, trio.EndOfChannel):
                break
            if kept is None and self._is_untaken:
                # Half of it may have gone.
                kept = data, frames
                continue
            self._frames -= frames
            self._bytes -= len(data)
        if queue is not None and kept is not None:
            queue.entry.send_nowait(kept)


def _no_bytes(_data: bytes) -> int:
    raise BlockingIOError

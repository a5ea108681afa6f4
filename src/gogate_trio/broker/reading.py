"""Follows the stream: one entry after the other, or finds that some are missing.

Where the way to Redis was lost, what was read last says whether this still is the same
stream; then it is read on from there, and nobody notices. Else what is still there becomes
the window, what of it is news is told, and every client with a position fetches anew.

Where it is the same stream and what was read is not in it, a failover has lost that, and its
offsets have been, or will be, given to others. So this node, as the first that notices, begins
another epoch for all; nobody who knows a newer offset writes before.
"""

from __future__ import annotations

import attrs
import trio
from coredis.exceptions import RedisError, WrongTypeError

from gogate_trio.broker.intake import Intake
from gogate_trio.broker.outgoing import Outgoing
from gogate_trio.broker.packing import Header
from gogate_trio.broker.standing import (
    Standing,
    ask_had,
    attach,
    begin_another_epoch,
    clear,
    load,
    look,
)
from gogate_trio.broker.stream import Found, entries, of_stream
from gogate_trio.broker.telling import Teller
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.wire import Wire, Word
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.limits import (
    READ_ENTRIES,
    REDIS_BLOCK_SECONDS,
    REDIS_LONGEST_PAUSE_SECONDS,
    REDIS_PAUSE_SECONDS,
)
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics

_log = get_logger(__name__)


class _Gap(Exception):
    """The stream is not the one that was read, or has been trimmed past what was."""


class _Rewound(Exception):
    """Something has a place that is taken: perhaps the stream is not what it was."""


@attrs.define(eq=False)
class Reader:
    """Reads the stream for one node."""

    link: Link
    teller: Teller
    outgoing: Outgoing
    intake: Intake
    metrics: Metrics
    joined: trio.Event = attrs.field(factory=trio.Event)
    """Set when the window has been read for the first time."""
    heard_at: float = 0.0
    """When Redis last had something to say to us: trio's clock."""
    is_busy: bool = False
    """Whether Redis is not waited for just now, but the hub; or a window is read."""
    abreast_at: float = 0.0
    """When there last was nothing more to read."""
    head: int = 0
    """The newest offset there is, as far as we know."""
    _cursor: bytes = b""
    """The id of what was read last, a stranger's too."""
    _count: int = READ_ENTRIES
    _session: trio.CancelScope | None = None
    _due: int = 0
    """The newest offset at the last look: what is read next goes up to there, or is lost."""
    _is_whole: bool = True
    """Whether nothing is missing behind what was told last. Interrupted, a window is not whole."""
    _is_following: bool = False
    """Whether it was seen in this session that it is the stream."""

    async def run(self) -> None:
        """Read for ever, over one connection after the other."""
        pause = REDIS_PAUSE_SECONDS
        while True:
            began = trio.current_time()
            try:
                with trio.CancelScope() as session:
                    self._session = session
                    async with self.link.wire() as wire:
                        await self._read(wire)
            except (ClusterUnavailable, RedisError) as error:
                await self._see_to(error)
            finally:
                self.is_busy = self._is_following = False
            if session.cancelled_caught:
                continue
            if trio.current_time() - began > REDIS_LONGEST_PAUSE_SECONDS:
                pause = REDIS_PAUSE_SECONDS
            await trio.sleep(pause)
            pause = min(pause * 2, REDIS_LONGEST_PAUSE_SECONDS)

    @property
    def is_followed(self) -> bool:
        """Whether the stream was heard of lately, or is being told just now."""
        silence = trio.current_time() - self.heard_at
        return self.is_busy or silence < REDIS_BLOCK_SECONDS + self.link.timeout

    @property
    def known(self) -> int:
        """The newest offset that this node has heard of in this epoch."""
        return max(self.head, self.teller.last, self.intake.at)

    def begin_anew(self) -> None:
        """Read all of the stream when it is next looked at, though it still is the same."""
        self._is_whole = False

    def doubt(self) -> None:
        """Look anew whether this still is the stream, unless that is being done."""
        if self._is_following and self._session is not None:
            self._is_following = False
            self._session.cancel()

    async def _read(self, wire: Wire) -> None:
        while True:
            await self._verify(wire)
            # What was sent may have been lost with what was there.
            self.outgoing.send_again()
            self._is_following = True
            try:
                while True:
                    await self._follow(wire)
            except _Gap:
                self._is_following = self._is_whole = False
            except _Rewound:
                self._is_following = self.is_busy = False

    async def _see_to(self, error: Exception) -> None:
        """Ask for less where a reply was too big; clear what nobody can read."""
        if isinstance(error, ClusterUnavailable) and error.reason == "reply too big":
            if self._count > 1:
                self._count = max(self._count // 8, 1)
                return
        elif not isinstance(error, WrongTypeError):
            return
        try:
            await clear(self.link, self.teller.epoch)
        except ClusterUnavailable:
            _log.warning("stream_unreadable")

    # ── is it the same stream? ───────────────────────────────────────────────

    async def _verify(self, wire: Wire) -> None:
        """See whether the stream goes on where we are; else begin anew with what it has."""
        standing = await self._ask_standing(wire)
        self._due = 0
        while self._is_rewound(standing):
            _log.warning("stream_rewound", last=self.teller.last, head=self.head)
            await begin_another_epoch(self.link, wire, standing.epoch)
            standing = await self._ask_standing(wire)
        if not self._goes_on(standing):
            await self._load(wire, standing.epoch)

    def _is_same(self, standing: Standing) -> bool:
        return self.teller.epoch == standing.epoch and self.joined.is_set()

    def _is_rewound(self, standing: Standing) -> bool:
        """Whether a failover has lost what was read, or all of an epoch that had begun."""
        if not self._is_same(standing):
            return self.teller.is_over(standing.epoch)
        return standing.lacks(max(self.teller.last, self.intake.at), self.intake.name)

    def _goes_on(self, standing: Standing) -> bool:
        """Whether the stream can be read on from where we are."""
        header = standing.header
        is_there = not self.intake.name or (header is not None and header.offset == self.intake.at)
        return self._is_same(standing) and is_there and self._is_whole

    async def _ask_standing(self, wire: Wire) -> Standing:
        standing = await attach(self.link, wire, self.intake.name)
        self._note_head(standing.head)
        self.teller.clock = self.heard_at - standing.now
        return standing

    async def _load(self, wire: Wire, epoch: str) -> None:
        """Make what is in the stream the window; tell what of it is news, but nothing old."""
        teller, is_first = self.teller, not self.joined.is_set()
        if not is_first:
            self.metrics.gaps += 1
            _log.warning("stream_gap", last=teller.last, head=self.head)
        self.is_busy, self._is_whole = True, False
        async with teller.lock:
            await teller.branch_off()
            if teller.epoch != epoch:
                self.intake.forget()
            teller.begin(epoch, self.head)
        self._cursor, head = b"", self.head
        had = await ask_had(self.link, wire)
        # What is sent from now on will be read behind what is there.
        self.outgoing.ring()
        while found := await load(self.link, wire, self._cursor, self._count, self._note_heard):
            async with teller.lock:
                for entry in found:
                    self._cursor = entry.name
                    if entry.header is None:
                        self.metrics.redis.junk += 1
                    else:
                        await self.intake.take_old(entry, entry.header, epoch, is_first=is_first)
        if teller.last < head:
            # The newest are lost: nobody may go on from before them.
            self.intake.forget()
            teller.begin_window(head)
            teller.last = head
        self.is_busy = False
        async with teller.lock:
            await self.intake.let_go(had)
            await self.intake.rejoin()
        self._is_whole = True
        self.joined.set()

    async def _follow(self, wire: Wire) -> None:
        """Wait for what comes next, and tell it."""
        stream, block = self.link.key("stream"), round(REDIS_BLOCK_SECONDS * 1000)
        words: tuple[Word, ...] = (b"COUNT", self._count, b"BLOCK", block, b"STREAMS", stream)
        words = (b"XREAD", *words, self._cursor or b"0-0")
        reply = await self.link.ask_at_length(
            wire, self._note_heard, *words, more=REDIS_BLOCK_SECONDS
        )
        if reply is None:
            if self.teller.last < self._due:
                raise _Gap
            self.abreast_at, self._count = self.heard_at, READ_ENTRIES
            await self._look(wire)
            async with self.teller.lock:
                await self.intake.rejoin()
            return
        self.is_busy = True
        async with self.teller.lock:
            for entry in entries(of_stream(reply, stream)):
                await self._take(wire, entry)
                self._cursor = entry.name
        self.is_busy = False
        self.heard_at = trio.current_time()
        if self.teller.last >= self.head:
            self.abreast_at = self.heard_at

    async def _take(self, wire: Wire, entry: Found) -> None:
        """Tell an entry in its turn."""
        header, teller = entry.header, self.teller
        if header is None:
            self.metrics.redis.junk += 1
            return
        if header.epoch != teller.epoch and not self._is_next_epoch(header):
            # Another epoch's, or a stranger's fancy: Redis knows.
            await self._look(wire)
            self.metrics.redis.junk += 1
            return
        if header.offset <= teller.last:
            # Where it was a stranger's fancy, it is not met again.
            self._cursor = entry.name
            self.metrics.redis.junk += 1
            raise _Rewound
        if header.offset != teller.last + 1:
            raise _Gap
        self._note_head(max(self.head, header.offset))
        await self.intake.take(entry, header)

    def _is_next_epoch(self, header: Header) -> bool:
        return not header.number and header.offset == self.teller.last + 1

    async def _look(self, wire: Wire) -> None:
        """See whether the stream still is this one: after it was emptied nothing would come."""
        found = await look(self.link, wire)
        if found is None:
            raise _Gap
        epoch, head = found
        self._note_head(head)
        self._due = head
        if epoch != self.teller.epoch or head < self.teller.last:
            raise _Gap

    def _note_head(self, head: int) -> None:
        self._note_heard()
        self.head = head

    def _note_heard(self) -> None:
        self.heard_at = trio.current_time()

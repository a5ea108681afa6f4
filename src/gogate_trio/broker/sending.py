"""Puts what a node publishes into the stream, joined into few calls, until Redis is too slow.

What waits is sent again and again: the script knows by its number what it has had already.
When something has waited for REDIS_TIMEOUT, to be taken or to be seen again, the sender gives
up, and its caller has the node go on alone. A node that catches up is alone already: what
has waited too long is told, and Redis, as long as it answers, goes on.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final

import attrs
import trio

from gogate_trio.broker.outgoing import Outgoing, Pending
from gogate_trio.broker.packing import VERSION
from gogate_trio.broker.reading import Reader
from gogate_trio.broker.scripts import DECLARE, PUBLISH
from gogate_trio.broker.telling import Teller
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.wire import Reply, Word
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.limits import (
    BATCH_BYTES,
    ONCE_SECONDS,
    REDIS_LONGEST_PAUSE_SECONDS,
    REDIS_PAUSE_SECONDS,
    STREAM_BYTES,
)
from gogate_trio.metrics import Metrics
from gogate_trio.state.history import new_epoch

_LEAST_BYTES: Final = BATCH_BYTES // 64
"""of a batch where more does not come through: 16 KiB/s do where REDIS_TIMEOUT is a second"""


@attrs.define(eq=False)
class Sender:
    """Sends for one node."""

    link: Link
    teller: Teller
    outgoing: Outgoing
    reader: Reader
    events: int
    """How many the stream keeps."""
    metrics: Metrics
    tell_alone: Callable[[float], Awaitable[None]]
    """Tells what was published until then, without the stream."""
    gaps: int = 0
    """How often everybody was to be told that something was lost, besides the backlog's losses."""
    _asked: int = 0
    """How many losses there were when it was asked which epoch it is."""
    _before: bytes = b""
    """Which it was."""
    _said: int = 0
    """How many of the losses everybody is told of."""
    _said_in: int = 0
    """In which round of the outgoing that was."""
    _is_said: trio.Event = attrs.field(factory=trio.Event)
    """Set when that has been said; who waits for the next time puts another."""
    _most: int = BATCH_BYTES
    """Bytes of payload that are sent in one go."""
    _is_failing: bool = False
    """Whether the last call came to nothing."""

    async def run(self) -> None:
        """Send what there is; return when Redis has been too slow."""
        self._is_failing = False
        async with trio.open_nursery() as sending:
            sending.start_soon(self._send_for_ever)
            await self._wait_until_too_slow()
            sending.cancel_scope.cancel()

    async def _send_for_ever(self) -> None:
        pause = REDIS_PAUSE_SECONDS
        while True:
            # Before anything is looked at: what comes from here on rings.
            self.outgoing.news = trio.Event()
            try:
                await self._do_next()
            except ClusterUnavailable:
                self._is_failing = True
                # Perhaps it was more than comes through in time.
                self._most = max(self._most // 2, _LEAST_BYTES)
                await trio.sleep(pause)
                pause = min(pause * 2, REDIS_LONGEST_PAUSE_SECONDS)
            else:
                self._is_failing = False
                pause = REDIS_PAUSE_SECONDS

    async def _wait_until_too_slow(self) -> None:
        """Return when something has waited too long, and telling it is not enough."""
        timeout = self.link.timeout
        while True:
            # What comes while nothing waits is due after the next look at the earliest.
            await trio.sleep_until(min(self._due_at(), trio.current_time() + timeout / 2))
            now = trio.current_time()
            if now < self._due_at():
                continue
            is_lost = self._is_failing or not self.reader.is_followed
            if is_lost or not self.teller.is_alone:
                return
            await self.tell_alone(now - timeout)

    async def _do_next(self) -> None:
        batch = self.outgoing.batch(self._most)
        if not self.teller.epoch:
            await self.outgoing.news.wait()
        elif self.owes_gap and not (batch and batch[0].is_told):
            # The backlog goes first; behind what is new this might wait for ever.
            await self._declare_gap()
        elif batch:
            await self._send(batch)
        else:
            self._most = BATCH_BYTES
            await self.outgoing.news.wait()

    def _due_at(self) -> float:
        """Return when somebody will have waited too long."""
        due = math.inf
        unsettled, unseen = self.outgoing.unsettled(), self.outgoing.untold()
        if unsettled is not None:
            due = unsettled.at + self.link.timeout
        if unseen is not None and unseen.is_sent and not self.reader.is_busy:
            # Redis has it; so the reader's next word from Redis should be this.
            due = min(due, max(unseen.sent_at, self.reader.heard_at) + self.link.timeout)
        return due

    async def _send(self, batch: list[Pending]) -> None:
        rounds, epoch = self.outgoing.rounds, self.teller.epoch
        key = self.link.key
        keys = [key("meta"), key("stream"), key(f"last:{self.link.node}")]
        words: list[Word] = [VERSION, epoch, self.link.node, self.events, STREAM_BYTES]
        words += [key("once:"), round(ONCE_SECONDS), new_epoch(), self.reader.known]
        for pending in batch:
            words += (pending.number, pending.key, pending.payload)
        began = trio.current_time()
        reply = await self.link.run(PUBLISH, keys, *words)
        self.metrics.redis.publish_seconds.observe(trio.current_time() - began)
        match reply:
            case [b"ok", int() as head, bytes(), *outcomes]:
                if epoch == self.teller.epoch:
                    self.reader.head = max(self.reader.head, head)
                self._note(batch, outcomes, is_current=rounds == self.outgoing.rounds)
            case [b"epoch"]:
                if epoch == self.teller.epoch:
                    self.reader.doubt()
                    # It rings when it knows.
                    await self.outgoing.news.wait()
            case _:
                raise ClusterUnavailable("protocol error")

    def _note(self, batch: list[Pending], outcomes: list[Reply], *, is_current: bool) -> None:
        """Take note of what became of a batch; of what its end became, nothing may be known."""
        for pending, outcome in zip(batch, outcomes, strict=False):
            if outcome == b"known":
                self.outgoing.note_known(pending)
            elif is_current:
                # Otherwise Redis may have lost it in the meantime: it is sent again.
                self.outgoing.note_sent(pending, trio.current_time())
                self.metrics.redis.written += 1

    @property
    def owes_gap(self) -> bool:
        """Whether everybody is to be told of a loss still, or once more.

        Once more, where it was said and what was said may be lost: as long as the epoch that was
        to end is the one that is read.
        """
        is_in_doubt = self._said_in != self.outgoing.rounds
        is_undone = is_in_doubt and self._before.decode() == self.teller.epoch
        return self._said < self._losses or is_undone

    async def wait_said(self) -> None:
        """Wait until Redis has taken that of all losses. For one task at a time."""
        while self._said < self._losses:
            self._is_said = trio.Event()
            await self._is_said.wait()

    @property
    def _losses(self) -> int:
        return self.gaps + self.outgoing.dropped

    async def _declare_gap(self) -> None:
        """Begin another epoch, unless somebody has done so since the loss.

        It is asked first which one it is: a node that was away may not have heard yet of one
        that had begun before. An answer that was lost is no reason to begin two.
        """
        losses, rounds = self._losses, self.outgoing.rounds
        if self._asked < losses:
            self._before, self._asked = await self._begin_after(b""), losses
        await self._begin_after(self._before)
        self._said, self._said_in = losses, rounds
        self._is_said.set()

    async def _begin_after(self, epoch: bytes) -> bytes:
        """Begin another epoch if it still is that one; return which it was."""
        keys = [self.link.key("meta"), self.link.key("stream")]
        reply = await self.link.run(DECLARE, keys, VERSION, epoch, new_epoch(), self.link.node, "")
        match reply:
            case [b"ok"]:
                return epoch
            case [b"epoch", bytes() as current]:
                return current
            case _:
                raise ClusterUnavailable("protocol error")

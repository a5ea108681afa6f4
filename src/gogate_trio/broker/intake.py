"""Takes what was read from the stream, entry by entry, and knows which was the last.

It finds out what an entry holds, hands that to the teller, and has what this node waited to see
on the stream wait no more. Whether an entry follows on the last one is the reader's business.
"""

from __future__ import annotations

import attrs
import trio

from gogate_trio.broker.base import Instruction, Learn, Publication
from gogate_trio.broker.outgoing import Outgoing
from gogate_trio.broker.packing import Header, Packing
from gogate_trio.broker.stream import Found
from gogate_trio.broker.telling import Teller
from gogate_trio.ids import NodeId
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics

_log = get_logger(__name__)


@attrs.define(eq=False)
class Intake:
    """Takes entries for one node. Whoever has it do so holds the teller's lock."""

    node: NodeId
    teller: Teller
    outgoing: Outgoing
    packing: Packing
    metrics: Metrics
    learn: Learn
    name: bytes = b""
    """The id of the entry of ours that was read last; empty where there is none in this epoch."""
    at: int = 0
    """Its offset. A window that is read anew does not take either back before it is beyond."""
    _began: float = attrs.field(factory=trio.current_time)
    """Since when there may be clients to tell."""

    def forget(self) -> None:
        """Know of no entry that was the last: nobody may go on from there."""
        self.name, self.at = b"", 0

    async def take(self, entry: Found, header: Header) -> None:
        """Tell the next entry of the stream, or begin the epoch that it begins."""
        if not header.number:
            await self.teller.begin_epoch(header)
        else:
            await self.teller.tell(header, self._what(header, entry.payload))
        self._note_read(entry.name, header)
        await self.rejoin()

    async def take_old(self, entry: Found, header: Header, epoch: str, *, is_first: bool) -> None:
        """Take an entry of a window; in the first one it may be from before this node's time.

        ``epoch`` is the stream's by now.
        """
        what = self._what(header, entry.payload)
        is_old = is_first and header.at / 1000 + self.teller.clock < self._began
        if header.epoch != epoch:
            if is_old:
                self.teller.learn_off_stream(header, what)
            elif header.number:
                await self.teller.tell_off_stream(header, what)
            if header.node == self.node:
                self.outgoing.seen(header.number)
            return
        if not self.teller.last or not header.number or header.offset != self.teller.last + 1:
            # The first of the epoch that is there, or the first there was; or some are missing.
            self.teller.begin_window(header.offset - bool(header.number))
        if is_old:
            self.teller.learn(header, what)
        else:
            await self.teller.tell(header, what)
        self._note_read(entry.name, header)

    async def let_go(self, had: int) -> None:
        """Wait no more for what the stream has had of ours, and has no more: it was trimmed.

        ``had`` is the number of the last that it has had.
        """
        while (pending := self.outgoing.untold()) is not None and pending.number <= had:
            await self.teller.tell_alone(pending.what, pending.number)
            self.outgoing.note_told(pending)
        self.outgoing.seen(had)

    async def rejoin(self) -> None:
        """Be one with the stream again when all that was told without it is in it."""
        if self.teller.is_alone and not self.outgoing.told:
            await self.teller.rejoin()
            _log.info("stream_joined", head=self.teller.last)

    def _what(self, header: Header, payload: bytes) -> Publication | Instruction | None:
        """Return what an entry holds; for our own what we sent, so that nothing need be read."""
        if not header.number:
            return None
        if header.node == self.node:
            pending = self.outgoing.find(header.number)
            if pending is not None and pending.number == header.number:
                return pending.what
        what = self.packing.unpack(payload)
        if what is None:
            self.metrics.redis.junk += 1
        if isinstance(what, Publication) and what.message_id and what.chat_id:
            self.learn(what.message_id, what.chat_id)
        return what

    def _note_read(self, name: bytes, header: Header) -> None:
        self.metrics.redis.read += 1
        if header.offset >= self.at:
            self.name, self.at = name, header.offset
        if header.node == self.node:
            self.outgoing.seen(header.number)

"""What a node has published, until it has seen it come back on the stream.

Everything here is in the order of its numbers. What waits is first sent, then seen again;
what Redis did not take in time is told here without it and waits on, to be sent to the
others when Redis is back. That part, the backlog, is bounded: beyond it the oldest goes, and
a gap is owed to everybody.
"""

from __future__ import annotations

from collections import deque

import attrs
import trio

from gogate_trio.broker.base import Instruction, Publication
from gogate_trio.limits import BACKLOG_BYTES, BACKLOG_PUBLICATIONS, BATCH_BYTES, BATCH_PUBLICATIONS


@attrs.define(eq=False)
class Pending:
    """One publication or instruction of this node."""

    number: int
    what: Publication | Instruction
    payload: bytes = attrs.field(repr=False)
    at: float
    """When it was published: trio's clock."""
    is_sent: bool = False
    """Whether Redis has it, as far as we know."""
    sent_at: float = 0.0
    """When that was."""
    is_told: bool = False
    """Whether this node has told it without Redis."""
    is_known: bool = False
    """Whether its key had been published before."""
    settled: trio.Event = attrs.field(factory=trio.Event)
    """Set when its place is certain: in the stream, or here alone."""
    done: trio.Event = attrs.field(factory=trio.Event)
    """Set when this node's hub has it, or never will."""

    @property
    def key(self) -> str:
        """What names it; empty for most."""
        return (self.what.key or "") if isinstance(self.what, Publication) else ""


class Outgoing:
    """The publications of one node that are under way."""

    def __init__(self) -> None:
        self._waiting: deque[Pending] = deque()
        self._untold: deque[Pending] = deque()
        """Those of them that nobody here was told of."""
        self._gone = trio.Event()
        """Set when one of them waits no more; who waits for that puts another."""
        self._last = 0
        self.news = trio.Event()
        """Set when there may be something to send; who waits for the next time puts another."""
        self.rounds = 0
        """how often all was to be sent again"""
        self.size = 0
        """bytes of payload that wait"""
        self.dropped = 0
        """publications that found no room any more: other nodes never hear of them"""

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._waiting)

    @property
    def told(self) -> int:
        """How many have been told here already, without Redis: the backlog."""
        return len(self._waiting) - len(self._untold)

    def add(self, what: Publication | Instruction, payload: bytes, now: float) -> Pending:
        """Take a publication."""
        self._last += 1
        pending = Pending(self._last, what, payload, now)
        self._waiting.append(pending)
        self._untold.append(pending)
        self.size += len(payload)
        self.ring()
        return pending

    def ring(self) -> None:
        """Have whoever sends look."""
        self.news.set()

    def untold(self) -> Pending | None:
        """Return the first that nobody here was told of."""
        return self._untold[0] if self._untold else None

    def unsettled(self) -> Pending | None:
        """Return the first whose place is not certain."""
        return next((each for each in self._untold if not each.settled.is_set()), None)

    def batch(self, most: int = BATCH_BYTES) -> list[Pending]:
        """Return what is to be sent next, in one go: ``most`` bytes, or one if there is any."""
        batch: list[Pending] = []
        size = 0
        for pending in self._waiting:
            if pending.is_sent:
                continue
            size += len(pending.payload)
            if batch and (len(batch) >= BATCH_PUBLICATIONS or size > most):
                break
            batch.append(pending)
        return batch

    def note_told(self, pending: Pending) -> None:
        """Note that the first was told here without Redis; who finds no room goes, oldest first.

        Nothing to note where it has turned out to be known meanwhile, and waits no more.
        """
        if self.untold() is not pending:
            return
        self._untold.popleft()
        pending.is_told = True
        pending.settled.set()
        pending.done.set()
        while len(self._waiting) > BACKLOG_PUBLICATIONS or self.size > BACKLOG_BYTES:
            if not self._waiting[0].is_told:
                break
            self.size -= len(self._waiting.popleft().payload)
            self.dropped += 1

    def note_sent(self, pending: Pending, now: float) -> None:
        """Note that Redis has it."""
        pending.is_sent = True
        pending.sent_at = now
        pending.settled.set()

    def note_known(self, pending: Pending) -> None:
        """Forget one whose key had been published before."""
        pending.is_known = True
        pending.settled.set()
        pending.done.set()
        if pending in self._waiting:
            self._waiting.remove(pending)
            self.size -= len(pending.payload)
            self._gone.set()
        if pending in self._untold:
            self._untold.remove(pending)

    async def wait_empty(self) -> None:
        """Wait until nothing waits any more. For one task at a time."""
        while self._waiting:
            self._gone = trio.Event()
            await self._gone.wait()

    def find(self, number: int) -> Pending | None:
        """Return the one with this number; it is among the first."""
        return next((each for each in self._waiting if each.number >= number), None)

    def seen(self, number: int) -> None:
        """Forget what has come back, and all before it."""
        while self._waiting and self._waiting[0].number <= number:
            pending = self._waiting.popleft()
            pending.settled.set()
            pending.done.set()
            self.size -= len(pending.payload)
            self._gone.set()
        while self._untold and self._untold[0].number <= number:
            self._untold.popleft()

    def send_again(self) -> None:
        """Note that Redis may have lost what it took: all is to be sent once more."""
        self.rounds += 1
        for pending in self._waiting:
            pending.is_sent = False
        self.ring()

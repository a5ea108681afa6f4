"""The tokens in use, and what is due for each of them.

Connections that hold the same token share one entry, so that the backend is asked once
for all of them. The token itself is not in here: an entry is known by a digest.

::

    hold ── asked again every RECHECK ± 10 % ──┬─ notice ─┬─ end ── grace ──┬─ out
                                               60 s       exp               asked once more
"""

from __future__ import annotations

import heapq
import itertools
import math
from collections.abc import Callable
from enum import Enum
from typing import Final, Generic, TypeVar

import attrs

from gogate_trio.limits import (
    FORCED_RECHECK_SECONDS,
    OUTAGE_RECHECK_SECONDS,
    RECHECK_JITTER,
    TOKEN_NOTICE_SECONDS,
)

H = TypeVar("H")

NEVER: Final = math.inf
"""The time of what will not happen."""


class Step(Enum):
    """What is due for a token."""

    NOTICE = "its holders may want to know that it ends soon"
    ASK = "the backend is to be asked whether it is still good"


class Answer(Enum):
    """What the backend made of a token."""

    GOOD = "good"
    BAD = "bad"
    """It is no longer a good token: it has ended, or was revoked."""
    BARRED = "barred"
    """Its user may no longer come in."""
    AWAY = "away"
    """No answer: nothing is known."""


class Verdict(Enum):
    """What that means for the connections that hold it."""

    KEEP = "keep"
    EXPIRED = "expired"
    REVOKED = "revoked"


@attrs.define(eq=False)
class Entry(Generic[H]):
    """A token in use. Times are those of the caller's clock, in seconds."""

    digest: bytes = attrs.field(repr=False)
    ends_at: float
    """``NEVER`` when the token does not say."""
    out_at: float
    """When its grace is over."""
    notice_at: float
    ask_at: float = NEVER
    asked_at: float = -NEVER
    """When the last ``ASK`` came out."""
    is_asking: bool = False
    """Whether an ``ASK`` came out and has not been settled: until then nothing else does."""
    holders: dict[H, None] = attrs.field(factory=dict, repr=False)
    """In the order in which they came."""

    @property
    def next_at(self) -> float:
        """When something is due."""
        asks_at = NEVER if self.is_asking else min(self.ask_at, self.out_at)
        return min(self.notice_at, asks_at)


class TokenBook(Generic[H]):
    """All tokens of a node. ``H`` is what holds one: a connection."""

    def __init__(
        self, *, grace: float, recheck: float, spread: Callable[[float, float], float]
    ) -> None:
        """``recheck`` 0: never by itself. ``spread`` returns a number between its arguments."""
        self._grace = grace
        self._recheck = recheck
        self._spread = spread
        self._entries: dict[bytes, Entry[H]] = {}
        self._held: dict[H, Entry[H]] = {}
        self._queue: list[tuple[float, int, Entry[H]]] = []
        self._turns = itertools.count()

    def adjust(self, *, grace: float, recheck: float) -> None:
        """Reckon with these from now on; what is planned already stays so."""
        self._grace = grace
        self._recheck = recheck

    def __len__(self) -> int:
        """Return how many tokens are in use."""
        return len(self._entries)

    @property
    def next_at(self) -> float:
        """When ``due`` next has something; it may then turn out to be nothing."""
        return self._queue[0][0] if self._queue else NEVER

    def hold(
        self, holder: H, digest: bytes, *, ends_at: float, accepted_at: float, now: float
    ) -> Entry[H] | None:
        """Note that a holder has a token, in place of its last, and when the backend accepted it.

        Return the token's entry if its end is so near that the holder has missed the notice.
        """
        entry = self._entries.get(digest)
        is_new = self._held.get(holder) is not entry or entry is None
        if is_new:
            self.release(holder)
        if entry is None:
            notice_at = ends_at - TOKEN_NOTICE_SECONDS
            entry = Entry(
                digest,
                ends_at,
                out_at=ends_at + self._grace,
                notice_at=notice_at if notice_at > now else NEVER,
            )
            self._entries[digest] = entry
        entry.holders[holder] = None
        self._held[holder] = entry
        self._plan(entry, accepted_at)
        is_noticed = entry.notice_at == NEVER and entry.ends_at < NEVER
        return entry if is_new and is_noticed else None

    def release(self, holder: H) -> None:
        """Forget a holder, and its token if nobody else holds it. Unknown holders are fine."""
        entry = self._held.pop(holder, None)
        if entry is None:
            return
        del entry.holders[holder]
        if not entry.holders:
            del self._entries[entry.digest]
            self._tidy()

    def suspect(self, digest: bytes, now: float) -> None:
        """Have the backend asked about a token at once; soon, if it was only just asked.

        Nothing comes of it while it is being asked.
        """
        entry = self._entries.get(digest)
        if entry is not None:
            soon = max(now, entry.asked_at + FORCED_RECHECK_SECONDS)
            entry.ask_at = min(entry.ask_at, soon)
            self._queue_up(entry)

    def due(self, now: float) -> tuple[Entry[H], Step] | None:
        """Take the next thing that is due; None when nothing is. An ``ASK`` must be settled."""
        while self._queue and self._queue[0][0] <= now:
            at, _, entry = heapq.heappop(self._queue)
            if not entry.holders or at != entry.next_at:
                continue
            if at == entry.notice_at:
                entry.notice_at = NEVER
                self._queue_up(entry)
                return entry, Step.NOTICE
            entry.is_asking = True
            entry.asked_at = now
            self._queue_up(entry)
            return entry, Step.ASK
        return None

    def settle(self, entry: Entry[H], answer: Answer, *, now: float) -> Verdict:
        """Take the answer to an ``ASK``. Unless the verdict is ``KEEP`` the token is forgotten."""
        verdict = judge(entry, answer, now=now)
        entry.is_asking = False
        if verdict is not Verdict.KEEP:
            for holder in tuple(entry.holders):
                self.release(holder)
            return verdict
        if answer is Answer.AWAY and now >= entry.out_at:
            entry.out_at = now + OUTAGE_RECHECK_SECONDS
        self._plan(entry, now)
        return verdict

    def _plan(self, entry: Entry[H], since: float) -> None:
        """Set the time of the next recheck."""
        low, high = 1 - RECHECK_JITTER, 1 + RECHECK_JITTER
        entry.ask_at = since + self._recheck * self._spread(low, high) if self._recheck else NEVER
        self._queue_up(entry)

    def _queue_up(self, entry: Entry[H]) -> None:
        if entry.holders and entry.next_at < NEVER:
            heapq.heappush(self._queue, (entry.next_at, next(self._turns), entry))
            self._tidy()

    def _tidy(self) -> None:
        """Drop what is out of date once it is most of the queue."""
        if len(self._queue) <= _SMALL_QUEUE + 2 * len(self._entries):
            return
        self._queue = [
            (entry.next_at, next(self._turns), entry)
            for entry in self._entries.values()
            if entry.next_at < NEVER
        ]
        heapq.heapify(self._queue)


def judge(entry: Entry[H], answer: Answer, *, now: float) -> Verdict:
    """What an answer means.

    An outage ends nobody: not even whose token has ended, for a fresh one comes from the
    backend too. Within its grace a token that has ended is expected to be bad.
    """
    if answer is Answer.AWAY:
        return Verdict.KEEP
    if now >= entry.out_at:
        return Verdict.EXPIRED
    if answer is Answer.BARRED or (answer is Answer.BAD and now < entry.ends_at):
        return Verdict.REVOKED
    return Verdict.KEEP


_SMALL_QUEUE: Final = 64
"""queue entries that are not worth tidying up"""

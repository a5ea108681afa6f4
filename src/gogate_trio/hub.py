"""Who hears of a publication: the fan-out.

The hub takes publications in order from a bounded inbox and offers each to the outboxes of
its audience. It never waits for a client. An event is framed once for all receivers;
consecutive events of one audience are joined, so that a burst costs one write a connection.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet

import attrs
import trio

from gogate_trio.broker.base import Branch, Publication, Rejoin, Step, Turn
from gogate_trio.ids import UserId
from gogate_trio.limits import HUB_INBOX, SENDS_PER_TURN
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.protocol.codec import encode_event, with_position
from gogate_trio.protocol.events import resync_of_all
from gogate_trio.protocol.frames import text_frame
from gogate_trio.runs import runs, trace
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import Entry, History, Position
from gogate_trio.tracing.spans import Tracer

_KEPT_AUDIENCES = 4096
"""audiences whose outboxes are kept ready between publications; all are dropped beyond it"""

_KEPT_USERS = 2_000_000
"""users in these audiences: 140 MB where no member list shares them. As above."""


@attrs.frozen
class _Reached:
    """The outboxes of an audience, as of one version of the directory."""

    audience: Mapping[UserId, str]
    plain: tuple[Outbox, ...]
    sends: list[Callable[[bytes], int]]
    """How to reach each of the plain ones at once."""
    plain_set: frozenset[Outbox]
    placed: tuple[Outbox, ...]
    """Those of clients that want to know each event's position."""


class Hub:
    """One node's fan-out. ``run`` must be running for anything to arrive."""

    def __init__(
        self,
        directory: Directory[Outbox],
        history: History,
        metrics: Metrics,
        busy: AbstractSet[Outbox],
        tracer: Tracer | None = None,
    ) -> None:
        """``busy``: the outboxes of the node that may not be written past."""
        self._tracer = tracer
        self._directory = directory
        self._busy = busy
        self._history = history
        self._metrics = metrics
        self._inbox, self._queue = trio.open_memory_channel[Publication | Turn](HUB_INBOX)
        self._reached: dict[tuple[int, UserId | None], _Reached] = {}
        self._reached_version = directory.version
        self._reached_users = 0
        """users in the audiences that are kept"""
        self._left = SENDS_PER_TURN
        """sends until the next checkpoint"""
        self._unsettled = 0
        """publications accepted and not yet offered"""
        self._settled = trio.lowlevel.ParkingLot()

    async def accept(self, publication: Publication) -> None:
        """Take a publication, in order, waiting for room. Cancelled, it was not taken.

        A checkpoint only when it waits.
        """
        if not self.accept_nowait(publication):
            await self._accept(publication)

    async def accept_turn(self, turn: Turn) -> None:
        """Take a turn of the stream, in order, waiting for room. Cancelled, it was not taken."""
        await self._accept(turn)

    async def _accept(self, what: Publication | Turn) -> None:
        self._unsettled += 1
        try:
            await self._inbox.send(what)
        except BaseException:
            self._offered(1)
            raise

    def accept_nowait(self, publication: Publication) -> bool:
        """Take a publication if there is room; say whether."""
        try:
            self._inbox.send_nowait(publication)
        except trio.WouldBlock:
            return False
        self._unsettled += 1
        return True

    def begin_epoch(self, epoch: str, head: int | None = None) -> None:
        """Forget the history, and tell everybody who can resume to fetch anew."""
        self._history.begin(epoch, self._history.head if head is None else head)
        self._have_all_fetch()

    def _have_all_fetch(self) -> None:
        """Tell everybody who can resume that only fetching anew will do."""
        position = self._history.position
        resync = text_frame(encode_event(resync_of_all(str(position))))
        # A copy: who is hung up on by the offer leaves the directory.
        for outbox in tuple(self._directory.everybody()):
            if outbox.wants_positions:
                # Before the offer, which may be the end: who never gets it has missed something.
                outbox.told_to = position.offset
                outbox.offer(resync)

    @property
    def waiting(self) -> int:
        """How many publications are accepted and not yet offered to everybody."""
        return self._unsettled

    async def wait_settled(self) -> None:
        """Wait until everything that was accepted has been offered."""
        while self._unsettled:
            await self._settled.park()

    async def run(self) -> None:
        """Deliver what comes in, for ever."""
        async for first in self._queue:
            # Receiving is a checkpoint.
            self._left = SENDS_PER_TURN
            for run in runs(self._drain(first)):
                if not isinstance(run, list):
                    self._turn_over(run)
                    self._offered(1)
                    continue
                began = time.perf_counter()
                await self._deliver(run)
                self._note(run, time.perf_counter() - began)
                if run[0].is_durable:
                    self._history.offered = run[-1].offset
                self._offered(len(run))

    def _turn_over(self, turn: Turn) -> None:
        match turn:
            case Branch(epoch):
                self._history.branch(epoch)
            case Step(offset):
                self._history.step(offset)
            case Rejoin():
                history = self._history
                history.load(turn.epoch, turn.window, floor=turn.floor, head=turn.head)
                self._have_all_fetch()

    def _note(self, run: list[Publication], seconds: float) -> None:
        now = trio.current_time()
        self._metrics.fan_out.observe(seconds)
        for publication in run:
            if publication.since is not None:
                self._metrics.told.observe(now - publication.since)
        if self._tracer is not None:
            trace(self._tracer, run, seconds)

    def _offered(self, publications: int) -> None:
        self._unsettled -= publications
        if not self._unsettled:
            self._settled.unpark_all()

    def _drain(self, first: Publication | Turn) -> Iterator[Publication | Turn]:
        yield first
        while True:
            try:
                yield self._queue.receive_nowait()
            except trio.WouldBlock:
                return

    async def _deliver(self, run: list[Publication]) -> None:
        """Offer consecutive publications of one audience to all of its outboxes.

        What is in the history when a client joins, it gets out of the history; what is
        offered later, from here. So remembering a publication and finding its outboxes must
        not be torn apart by a checkpoint.
        """
        first = run[0]
        if first.is_durable:
            self._remember(run)
        reached = self._reach(first.audience, first.except_user)
        data = b"".join([text_frame(publication.text) for publication in run])
        await self._send(reached, data, run)
        if reached.placed:
            data = b"".join([text_frame(self._placed(publication)) for publication in run])
            await self._offer(reached.placed, data, run)

    async def _send(self, reached: _Reached, data: bytes, run: list[Publication]) -> None:
        """Send to the plain outboxes of an audience, past those that are idle.

        Not touching an outbox that has nothing to do saves 8 % of a delivery, 0.3 µs and more,
        to 10 as to 1,000 (bench/NOTES.md). Within a turn there is no checkpoint, so who is not
        busy at its beginning stays so.
        """
        frames, size = len(run), len(data)
        outboxes, sends = reached.plain, reached.sends
        begin = 0
        while begin < len(outboxes):
            end = begin + await self._turn(len(outboxes) - begin)
            if not self._busy.isdisjoint(reached.plain_set):
                self._offer_turn(outboxes[begin:end], data, run)
                begin = end
                continue
            self._metrics.deliveries += frames * (end - begin)
            for index in range(begin, end):
                try:
                    sent = sends[index](data)
                except OSError:
                    outboxes[index].offer(data, frames)
                else:
                    if sent != size:
                        outboxes[index].offer_rest(data, sent, frames)
            begin = end

    async def _turn(self, wanted: int) -> int:
        """Return how many sends may follow without a checkpoint: one at least."""
        if not self._left:
            # Twice: what comes over a socket takes a turn of the poller's and one of its own.
            await trio.lowlevel.checkpoint()
            await trio.lowlevel.checkpoint()
            self._left = SENDS_PER_TURN
        taken = min(wanted, self._left)
        self._left -= taken
        return taken

    async def _offer(
        self, outboxes: tuple[Outbox, ...], data: bytes, run: list[Publication]
    ) -> None:
        begin = 0
        while begin < len(outboxes):
            end = begin + await self._turn(len(outboxes) - begin)
            self._offer_turn(outboxes[begin:end], data, run)
            begin = end

    def _offer_turn(self, turn: tuple[Outbox, ...], data: bytes, run: list[Publication]) -> None:
        frames, offset = len(run), run[-1].offset
        self._metrics.deliveries += len(turn) * frames
        if run[0].is_durable:
            for outbox in turn:
                outbox.offer(data, frames)
                outbox.told_to = offset
        else:
            for outbox in turn:
                outbox.offer_ephemeral(data, frames)

    def _remember(self, run: list[Publication]) -> None:
        now = trio.current_time()
        for publication in run:
            self._history.append(
                Entry(
                    publication.offset,
                    publication.text,
                    publication.audience,
                    publication.chat_id,
                    now,
                    publication.except_user,
                )
            )

    def _placed(self, publication: Publication) -> bytes:
        if not publication.is_durable:
            return publication.text
        position = Position(self._history.epoch, publication.offset)
        return with_position(publication.text, str(position))

    def _reach(self, audience: Mapping[UserId, str], except_user: UserId | None) -> _Reached:
        if self._reached_version != self._directory.version:
            # Nothing older will serve again, and it would keep those who have left in memory.
            self._forget_reached()
            self._reached_version = self._directory.version
        key = (id(audience), except_user)
        reached = self._reached.get(key)
        if reached is None:
            if len(self._reached) >= _KEPT_AUDIENCES or self._reached_users >= _KEPT_USERS:
                self._forget_reached()
            self._reached_users += len(audience)
            users = audience.keys() if except_user is None else audience.keys() - {except_user}
            outboxes = self._directory.reach(users)
            plain = tuple(outbox for outbox in outboxes if not outbox.wants_positions)
            # The audience is kept with it, so that its id cannot be another's.
            reached = _Reached(
                audience,
                plain=plain,
                sends=[outbox.send_nowait for outbox in plain],
                plain_set=frozenset(plain),
                placed=tuple(outbox for outbox in outboxes if outbox.wants_positions),
            )
            self._reached[key] = reached
        return reached

    def _forget_reached(self) -> None:
        self._reached.clear()
        self._reached_users = 0

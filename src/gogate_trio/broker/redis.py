"""The broker of several nodes: one stream in Redis, the same order on all of them.

A node is attached while Redis does what it is asked in time: what is published goes into
the stream, and everybody, its own node too, tells it as it comes out. When something has
waited for REDIS_TIMEOUT the node detaches: it tells its own clients by itself, at once, and
keeps what the others have not heard. Attached again, it sends that, hears what it has
missed, and rejoins the order of all (see ``telling``).

Promises beyond the port's: with Redis away nobody waits for it longer than REDIS_TIMEOUT,
once; what a node tells by itself reaches the others when Redis is back, or everybody is told
that there is a gap; nothing here is unbounded.
"""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import trio

from gogate_trio.broker.base import (
    BrokerStatistics,
    Instruction,
    Learn,
    Obey,
    Publication,
    Receiver,
)
from gogate_trio.broker.ephemeral import Ephemeral
from gogate_trio.broker.intake import Intake
from gogate_trio.broker.once import Once
from gogate_trio.broker.outgoing import Outgoing
from gogate_trio.broker.packing import Packing
from gogate_trio.broker.reading import Reader
from gogate_trio.broker.scripts import ATTACH
from gogate_trio.broker.sending import Sender
from gogate_trio.broker.telling import Teller
from gogate_trio.cluster.link import Link
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.limits import (
    REDIS_LONGEST_PAUSE_SECONDS,
    REDIS_PAUSE_SECONDS,
    REDIS_START_SECONDS,
    STREAM_LEAST,
)
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.state.history import new_epoch

_log = get_logger(__name__)

_AFTER_A_BUG_SECONDS: Final = 1.0


class RedisBroker:
    """A ``Broker`` for one node of several. ``run`` must be running."""

    def __init__(  # noqa: PLR0913  # what was made before it
        self,
        link: Link,
        receiver: Receiver,
        obey: Obey,
        events: int,
        metrics: Metrics,
        *,
        learn: Learn,
    ) -> None:
        """``events``: how many publications are kept for clients that come back.

        ``learn`` is told of each message of another node.
        """
        self._link = link
        self._receiver = receiver
        self._metrics = metrics
        packing, outgoing = Packing(), Outgoing()
        teller = Teller(link.node, receiver, obey, events, metrics)
        intake = Intake(link.node, teller, outgoing, packing, metrics, learn)
        reader = Reader(link, teller, outgoing, intake, metrics)
        self._packing, self._outgoing, self._teller, self._reader = (
            packing,
            outgoing,
            teller,
            reader,
        )
        kept = max(events, STREAM_LEAST)
        self._sender = Sender(link, teller, outgoing, reader, kept, metrics, self._tell_alone)
        self._ephemeral = Ephemeral(link, receiver, packing, metrics)
        self._once = Once()
        self._is_attached = False

    async def publish(self, publication: Publication) -> bool:
        """Put it into the stream, or tell it here when Redis is away.

        Cancelled, it is published nevertheless.
        """
        now = trio.current_time()
        if self._once.is_known(publication.key, now) or self._teller.knows(publication.key):
            return False
        self._once.note(publication.key, now)
        return await self._publish(publication)

    async def instruct(self, instruction: Instruction) -> None:
        """Have every node do it in its place in the stream; here at once when Redis is away."""
        await self._publish(instruction)

    async def _publish(self, what: Publication | Instruction) -> bool:
        pending = self._outgoing.add(what, self._packing.pack(what), trio.current_time())
        if not self._is_attached:
            await self._tell_alone()
        await pending.settled.wait()
        return not pending.is_known

    def declare_gap(self) -> None:
        """Begin another epoch on all nodes, when Redis can be asked; here at once when not."""
        if not self._is_attached:
            self._metrics.gaps += 1
            self._teller.declare_gap_alone()
        self._sender.gaps += 1
        self._outgoing.ring()

    def publish_ephemeral(self, publication: Publication) -> None:
        """Tell it here at once, and the others if Redis takes it."""
        self._metrics.publications += 1
        if not self._receiver.accept_nowait(publication):
            self._metrics.shed += 1
        self._ephemeral.pass_on(publication)

    async def wait_settled(self) -> None:
        """Wait until all that was published so far has been told here."""
        while (pending := self._outgoing.untold()) is not None:
            await pending.done.wait()

    async def wait_handed_over(self) -> None:
        """Wait until all that was published has been seen on the stream, and losses are said."""
        await self._outgoing.wait_empty()
        await self._sender.wait_said()

    def statistics(self) -> BrokerStatistics:
        """Return how it is."""
        behind = max(self._reader.head - self._teller.last, 0)
        attached = "healing" if self._teller.is_alone else "attached"
        return BrokerStatistics(
            state=attached if self._is_attached else "detached",
            is_up=self._link.is_up,
            is_heard=self._ephemeral.is_heard,
            is_followed=self._is_attached and self._reader.is_followed,
            behind=behind,
            behind_seconds=trio.current_time() - self._reader.abreast_at if behind else 0.0,
            backlog=self._outgoing.told,
            backlog_bytes=self._outgoing.size,
            owes_gap=self._sender.owes_gap,
        )

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Keep the node attached, for ever.

        ``started`` when the window of the others has been read; without Redis, after a while.
        """
        async with self._last_words(), trio.open_nursery() as working:
            working.start_soon(self._link.keep_to_master)
            working.start_soon(self._ephemeral.run)
            working.start_soon(self._attach_for_ever)
            with trio.move_on_after(REDIS_START_SECONDS):
                await self._reader.joined.wait()
                await self._receiver.wait_settled()
            task_status.started()

    @asynccontextmanager
    async def _last_words(self) -> AsyncIterator[None]:
        try:
            yield
        finally:
            if self._outgoing.told:
                _log.error("backlog_lost", publications=self._outgoing.told)

    async def _attach_for_ever(self) -> None:
        while True:
            pause = 0.0
            try:
                await self._be_attached()
            except Exception:  # noqa: BLE001 - the fence: a bug costs the place, not the node
                self._metrics.bugs += 1
                _log.exception("broker_failed")
                # What has been read may be half noted.
                self._reader.begin_anew()
                pause = _AFTER_A_BUG_SECONDS
            finally:
                self._is_attached = False
            await self._go_on_alone()
            await trio.sleep(pause)

    async def _be_attached(self) -> None:
        """Wait for Redis; follow the stream and write to it until it is too slow."""
        await self._wait_for_redis()
        self._reader.heard_at = trio.current_time()
        async with trio.open_nursery() as attached:
            async with self._teller.lock:
                self._is_attached = True
            _log.info("broker_attached", backlog=self._outgoing.told)
            attached.start_soon(self._reader.run)
            await self._sender.run()
            attached.cancel_scope.cancel()
        self._is_attached = False
        self._metrics.redis.detachments += 1
        _log.warning("broker_detached", waiting=len(self._outgoing))

    async def _wait_for_redis(self) -> None:
        pause = REDIS_PAUSE_SECONDS
        keys = [self._link.key("meta"), self._link.key("stream")]
        while True:
            try:
                await self._link.run(ATTACH, keys, new_epoch(), "", "write")
            except ClusterUnavailable:
                await trio.sleep(pause)
                # What somebody has left who was cancelled before it was told.
                await self._tell_alone()
                pause = min(pause * 2, REDIS_LONGEST_PAUSE_SECONDS)
            else:
                return

    async def _go_on_alone(self) -> None:
        try:
            await self._tell_alone()
        except Exception:  # noqa: BLE001 - the fence
            self._metrics.bugs += 1
            _log.exception("broker_failed")
            await trio.sleep(_AFTER_A_BUG_SECONDS)

    async def _tell_alone(self, until: float = math.inf) -> None:
        """Tell what waits since then or longer, without the stream, unless we are one with it."""
        async with self._teller.lock:
            while not self._is_attached or self._teller.is_alone:
                pending = self._outgoing.untold()
                if pending is None or pending.at > until:
                    return
                await self._teller.tell_alone(pending.what, pending.number)
                self._outgoing.note_told(pending)
                self._metrics.redis.backlog_dropped = self._outgoing.dropped

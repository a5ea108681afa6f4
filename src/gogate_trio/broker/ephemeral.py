"""What may be missed, between nodes: told on a channel of Redis, joined, or not at all.

Each node also says on the channel, every few seconds, that it is there. Hearing oneself is
the proof that the way there and back works. Who does not hear what it has just said, or
nothing at all for long, listens anew.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import attrs
import trio
from coredis.exceptions import RedisError

from gogate_trio.broker.base import Publication, Receiver
from gogate_trio.broker.packing import Packing
from gogate_trio.cluster.link import Link
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.limits import (
    BATCH_PUBLICATIONS,
    BEAT_SECONDS,
    EPHEMERAL_WAITING,
    REDIS_LONGEST_PAUSE_SECONDS,
    SILENCE_SECONDS,
)
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics

_log = get_logger(__name__)


@attrs.define(eq=False)
class Ephemeral:
    """The channel of one node."""

    link: Link
    receiver: Receiver
    packing: Packing
    metrics: Metrics
    _waiting: deque[Publication] = attrs.field(factory=deque)
    _news: trio.Event = attrs.field(factory=trio.Event)
    _heard_at: float = -SILENCE_SECONDS
    """When we last heard ourselves."""
    _patience: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    """Until when the next word is waited for; another one after each."""

    @property
    def is_heard(self) -> bool:
        """Whether what this node says comes back to it."""
        return trio.current_time() - self._heard_at < SILENCE_SECONDS

    def pass_on(self, publication: Publication) -> None:
        """Tell the other nodes, soon, or drop it where too much waits or Redis is away."""
        if len(self._waiting) >= EPHEMERAL_WAITING or not self.link.is_up:
            self.metrics.redis.ephemeral_dropped += 1
            return
        self._waiting.append(publication)
        self._news.set()

    async def run(self) -> None:
        """Speak and listen for ever."""
        async with trio.open_nursery() as speaking:
            speaking.start_soon(self._keep_up, self._speak)
            speaking.start_soon(self._keep_up, self._listen)

    async def _keep_up(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await work()
            except Exception:  # noqa: BLE001 - the fence: what may be missed is not worth the node
                self.metrics.bugs += 1
                _log.exception("channel_failed")
                await trio.sleep(REDIS_LONGEST_PAUSE_SECONDS)

    async def _speak(self) -> None:
        while True:
            with trio.move_on_after(BEAT_SECONDS):
                await self._news.wait()
            self._news = trio.Event()
            while True:
                count = min(len(self._waiting), BATCH_PUBLICATIONS)
                batch = [self._waiting.popleft() for _ in range(count)]
                message = self.packing.pack_ephemeral(self.link.node, batch)
                patience = self._patience
                try:
                    await self.link.call(b"PUBLISH", self.link.channel, message)
                except ClusterUnavailable:
                    self.metrics.redis.ephemeral_dropped += len(batch) + len(self._waiting)
                    self._waiting.clear()
                else:
                    # Nobody waits by this one any more if it is back already.
                    due = trio.current_time() + self.link.timeout
                    patience.deadline = min(patience.deadline, due)
                if not self._waiting:
                    break

    async def _listen(self) -> None:
        while True:
            try:
                async with self.link.wire() as wire:
                    with trio.fail_after(self.link.timeout):
                        await wire.subscribe(self.link.channel)
                    # Heard at once that all is well, not only with the next beat.
                    self._news.set()
                    while True:
                        with trio.fail_after(SILENCE_SECONDS) as self._patience:
                            messages = await wire.listen()
                        for message in messages:
                            self._hear(message)
            except (ClusterUnavailable, RedisError, trio.TooSlowError):
                await trio.sleep(REDIS_LONGEST_PAUSE_SECONDS)

    def _hear(self, message: bytes) -> None:
        heard = self.packing.unpack_ephemeral(message)
        if heard is None:
            self.metrics.redis.junk += 1
            return
        node, publications = heard
        if node == self.link.node:
            self._heard_at = trio.current_time()
            return
        for publication in publications:
            self.metrics.publications += 1
            if not self.receiver.accept_nowait(publication):
                self.metrics.shed += 1

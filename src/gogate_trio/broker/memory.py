"""The broker of a single node: every publication comes straight back to its own hub."""

from __future__ import annotations

import trio

from gogate_trio.broker.base import BrokerStatistics, Instruction, Obey, Publication, Receiver
from gogate_trio.broker.once import Once
from gogate_trio.metrics import Metrics
from gogate_trio.state.history import new_epoch


class MemoryBroker:
    """A ``Broker`` for one node. The order of ``publish`` is the total order."""

    def __init__(self, receiver: Receiver, obey: Obey, metrics: Metrics) -> None:
        self._receiver = receiver
        self._obey = obey
        self._metrics = metrics
        self.once = Once()
        """The keys that were published lately."""
        self._offset = 0

    def go_on_from(self, offset: int) -> None:
        """Number what is published from here on, where another process has ended."""
        self._offset = offset

    async def publish(self, publication: Publication) -> bool:
        """Hand the publication to the hub, waiting for room there.

        Cancelled, it was not published, and its key is free.
        """
        if publication.key is not None:
            now = trio.current_time()
            if self.once.is_known(publication.key, now):
                return False
            self.once.note(publication.key, now)
        self._metrics.publications += 1
        self._offset += 1
        publication.offset = self._offset
        try:
            await self._receiver.accept(publication)
        except BaseException:
            self.once.forget(publication.key)
            raise
        return True

    async def instruct(self, instruction: Instruction) -> None:
        """Do it."""
        self._obey(instruction)

    def declare_gap(self) -> None:
        """Begin another epoch."""
        self._metrics.gaps += 1
        self._receiver.begin_epoch(new_epoch())

    def publish_ephemeral(self, publication: Publication) -> None:
        """Hand the publication to the hub, or drop it when there is no room."""
        self._metrics.publications += 1
        if not self._receiver.accept_nowait(publication):
            self._metrics.shed += 1

    def statistics(self) -> BrokerStatistics | None:
        """Return None."""
        return None

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Do nothing, for ever."""
        task_status.started()
        await trio.sleep_forever()

    async def wait_settled(self) -> None:
        """Return: what was published is with the hub."""
        await trio.lowlevel.checkpoint()

    async def wait_handed_over(self) -> None:
        """Return: there are no others."""
        await trio.lowlevel.checkpoint()

"""A hub with its broker, and clients that are nothing but a socket and a mailbox."""

from __future__ import annotations

import attrs
import pytest

from fakes.peer import Peer
from gogate_trio.broker.base import Publication
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.hub import Hub
from gogate_trio.ids import UserId
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.pending_writes import PendingWrites, pending_writes
from gogate_trio.protocol.close import Hangup
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import History, Window


@attrs.define(eq=False, kw_only=True)
class Guest(Peer):
    """A client with its mailbox, which leaves the directory when it is hung up on."""

    user: UserId
    directory: Directory[Outbox]
    busy: set[Outbox]
    pending: PendingWrites = attrs.field(factory=pending_writes)
    wants_positions: bool = False
    mailbox: Outbox = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.mailbox = Outbox(self.leave, self.busy, self.send_nowait, self.pending)
        self.mailbox.wants_positions = self.wants_positions
        self.directory.join(self.user, self.mailbox)

    def leave(self, hangup: Hangup) -> None:
        """End, as a connection does: the first reason counts."""
        if not self.hangups:
            self.directory.leave(self.user, self.mailbox)
        self.hangups.append(hangup)


@attrs.define(eq=False)
class Node:
    """A hub with its broker and whoever joins."""

    hub: Hub
    broker: MemoryBroker
    directory: Directory[Outbox]
    history: History
    metrics: Metrics
    busy: set[Outbox]

    def join(self, user: UserId, *, wants_positions: bool = False) -> Guest:
        """Connect a client of a user."""
        return Guest(
            user=user,
            directory=self.directory,
            busy=self.busy,
            wants_positions=wants_positions,
        )

    async def tell(self, *publications: Publication) -> None:
        """Publish and wait until everything has been offered."""
        for publication in publications:
            await self.broker.publish(publication)
        await self.hub.wait_settled()


@pytest.fixture
def node():
    """A node on which nobody is; its hub is not running."""
    metrics, directory = Metrics(), Directory[Outbox]()
    history = History("epoch", Window(seconds=60, events=1000, size=1 << 20))
    busy: set[Outbox] = set()
    hub = Hub(directory, history, metrics, busy)
    return Node(hub, MemoryBroker(hub, lambda _: None, metrics), directory, history, metrics, busy)


@pytest.fixture
def running(node, nursery):
    """A node whose hub runs."""
    nursery.start_soon(node.hub.run)
    return node

"""Nodes without sockets, joined by a real Redis: a hub, its history, and guests that listen."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from gogate_trio.broker.base import Instruction, Publication
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.broker.redis import RedisBroker
from gogate_trio.cluster.link import Link, open_link
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.redis import RedisUrl
from gogate_trio.hub import Hub
from gogate_trio.ids import ChatId, UserId
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import History, Position, Window, new_epoch
from gogate_trio.state.messages import KnownMessages

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

PATIENCE = 20.0
"""seconds in which what must happen happens on a busy machine"""

AUDIENCE = {UserId(1): "Jo", UserId(2): "Mo"}
CHAT = ChatId(7)


def event(text: str, **more: Any) -> Publication:
    """A message to users 1 and 2."""
    data = msgspec.json.encode({"event": "new_message", "data": {"text": text}})
    return Publication(data, AUDIENCE, **{"is_durable": True, "chat_id": CHAT, **more})


async def until(condition: Callable[[], object], within: float = PATIENCE) -> None:
    """Wait for something to be true."""
    with trio.fail_after(within):
        while not condition():  # noqa: ASYNC110 - many rooms at once are looked at
            await trio.sleep(0.005)


@attrs.define(eq=False)
class Guest:
    """A client that hears everything at once."""

    directory: Directory[Outbox]
    user: UserId
    wants_positions: bool
    outbox: Outbox = attrs.field(init=False)
    _got: bytearray = attrs.field(factory=bytearray)

    def __attrs_post_init__(self) -> None:
        self.outbox = Outbox(lambda _: None, set(), self._take)
        self.outbox.wants_positions = self.wants_positions
        self.directory.join(self.user, self.outbox)

    def _take(self, data: bytes) -> int:
        self._got += data
        return len(data)

    @property
    def events(self) -> list[dict[str, Any]]:
        """Every event it was told."""
        return [msgspec.json.decode(payload) for payload in _payloads(bytes(self._got))]

    @property
    def heard(self) -> list[str]:
        """The texts it was told, in order; ``resync`` where it was told to fetch."""
        return [_text_of(each) for each in self.events]

    @property
    def position(self) -> str:
        """The position it was given last."""
        places = [each.get("position") or each["data"].get("position") for each in self.events]
        return next(place for place in reversed(places) if place)

    async def hears(self, *texts: str) -> None:
        """Wait until it has been told exactly this."""
        try:
            await until(lambda: len(self.heard) >= len(texts))
        except trio.TooSlowError:
            raise AssertionError(f"{self.heard} in place of {[*texts]}") from None
        assert self.heard == [*texts]


@attrs.define(eq=False)
class Node:
    """One node."""

    broker: RedisBroker | MemoryBroker
    hub: Hub
    history: History
    metrics: Metrics
    directory: Directory[Outbox]
    obeyed: list[Instruction]
    link: Link | None = None
    messages: KnownMessages = attrs.field(factory=KnownMessages)
    """What it has learnt of the chats of messages."""
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def join(self, user: int = 1, *, wants_positions: bool = False) -> Guest:
        """Connect a client."""
        return Guest(self.directory, UserId(user), wants_positions)

    async def say(self, *texts: str, **more: Any) -> list[bool]:
        """Publish messages to users 1 and 2, one after the other."""
        return [await self.broker.publish(event(text, **more)) for text in texts]

    def replay(self, position: str) -> list[str] | None:
        """What a client would be told that comes back with a position; None: fetch."""
        place = Position.read(position)
        assert place is not None
        if not self.history.covers(place, trio.current_time()):
            return None
        entries = [*self.history.after(place.offset)]
        return [_text_of(msgspec.json.decode(entry.text)) for entry in entries]

    @property
    def position(self) -> str:
        """Where a client is that comes now."""
        return str(self.history.position)

    async def settled(self) -> None:
        """Wait until all it has published has been told here."""
        with trio.fail_after(PATIENCE):
            await self.broker.wait_settled()
            await self.hub.wait_settled()

    @property
    def state(self) -> str:
        """How its broker is."""
        assert isinstance(self.broker, RedisBroker)
        return self.broker.statistics().state

    async def until(self, state: str) -> None:
        """Wait until its broker is in a state."""
        await until(lambda: self.state == state)


def make(link: Link | None, *, events: int = 1000, window: float = 600.0) -> Node:
    """A node, not running; of a Redis, or alone."""
    metrics, directory = Metrics(), Directory[Outbox]()
    history = History(new_epoch(), Window(seconds=window, events=events, size=1 << 30))
    hub = Hub(directory, history, metrics, set())
    obeyed: list[Instruction] = []
    messages = KnownMessages()
    broker = (
        MemoryBroker(hub, obeyed.append, metrics)
        if link is None
        else RedisBroker(link, hub, obeyed.append, events, metrics, learn=messages.learn)
    )
    return Node(broker, hub, history, metrics, directory, obeyed, link, messages)


@asynccontextmanager
async def open_nodes(
    url: str, count: int = 2, *, deadline: float = 2.0, **more: Any
) -> AsyncIterator[list[Node]]:
    """Run nodes on one Redis for the block."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        nodes = [await start(stack, nursery, url, deadline=deadline, **more) for _ in range(count)]
        yield nodes
        nursery.cancel_scope.cancel()


async def start(
    stack: AsyncExitStack, nursery: trio.Nursery, url: str, *, deadline: float = 2.0, **more: Any
) -> Node:
    """Start one more node; it is ready when this returns. Its ``scope`` kills it."""
    settings = ClusterSettings(redis=RedisUrl().parse(url), timeout=deadline)
    metrics = Metrics()
    link = await stack.enter_async_context(open_link(settings, metrics.redis))
    node = make(link, **more)
    node.metrics.redis = metrics.redis
    node.broker._metrics.redis = metrics.redis
    nursery.start_soon(node.hub.run)
    await nursery.start(_run, node)
    return node


async def _run(node: Node, *, task_status: trio.TaskStatus[None]) -> None:
    assert isinstance(node.broker, RedisBroker)
    with node.scope:
        await node.broker.run(task_status=task_status)


def _payloads(data: bytes) -> Iterator[bytes]:
    """The payloads of a server's text frames."""
    while data:
        size, begin = data[1], 2
        if size >= 126:
            begin = 4 if size == 126 else 10
            size = int.from_bytes(data[2:begin])
        yield data[begin : begin + size]
        data = data[begin + size :]


def _text_of(each: dict[str, Any]) -> str:
    return "resync" if each["event"] == "resync" else each["data"]["text"]

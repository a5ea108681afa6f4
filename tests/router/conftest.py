"""A node without sockets: everything from the router to the outboxes, over a backend in memory."""

from __future__ import annotations

import json
from functools import partial
from itertools import count

import attrs
import pytest
from trio.testing import wait_all_tasks_blocked
from wsproto.frame_protocol import FrameProtocol

from fakes.memory_backend import MemoryBackend
from fakes.peer import Peer
from gogate_trio.backend.base import User
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.caller import CallerOutcomes, CallerSession, Joined, Outcome
from gogate_trio.calls import Calls, Lane
from gogate_trio.config import AuthSettings
from gogate_trio.hub import Hub
from gogate_trio.ids import ConnectionId
from gogate_trio.keeper import Keeper
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.events import Event, error_of
from gogate_trio.protocol.frames import text_frame
from gogate_trio.protocol.refusals import Refusal
from gogate_trio.publisher import Publisher
from gogate_trio.resume import Reception
from gogate_trio.router import Router
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import History, Window
from gogate_trio.state.sessions import Sessions
from gogate_trio.state.throttle import Throttle
from gogate_trio.typing_events import Typists

TTL, STALE = 10.0, 60.0
COMMANDS = ("auth", "send_message", "typing", "add_reaction", "mark_read")


class Client:
    """A ``Caller``, and the client behind it: what it says, and what it has heard."""

    def __init__(self, number: int, node: Node) -> None:
        self.number = ConnectionId(number)
        self.user: User | None = None
        self.token = ""
        self.session: CallerSession | None = None
        self.outcomes = CallerOutcomes(f"connection-{number}")
        self.wants_notices = False
        self.early = 0
        self.hangup: Hangup | None = None
        self.typing: dict[int, bool] = {}
        self.peer = Peer()
        self.outbox = Outbox(self.hang_up, node.busy, self.peer.send_nowait)
        self.lane = Lane(node.calls, number, partial(self.hang_up, close.INTERNAL_ERROR))
        self._node = node
        self._is_listed = False
        self._frames = FrameProtocol(client=True, extensions=[])
        self._read = 0

    # ── the client's side ────────────────────────────────────────────────────

    def say(self, event: str, **data) -> None:
        """Send a command."""
        self.say_raw(json.dumps({"event": event, "data": data}).encode())

    def ask(self, command_id: str, event: str, **data) -> None:
        """Send a command that has an id."""
        self.say_raw(json.dumps({"event": event, "id": command_id, "data": data}).encode())

    def say_raw(self, text: bytes) -> None:
        """Send any text."""
        self._node.router.handle(self, text)

    def heard(self) -> list[dict]:
        """Return the events that have come since the last look, each one JSON document."""
        self._frames.receive_bytes(bytes(self.peer.got[self._read :]))
        self._read = len(self.peer.got)
        return [json.loads(frame.payload) for frame in self._frames.received_frames()]

    def names(self) -> list[str]:
        """Return only the names of these events; of errors the code."""
        return [
            each["data"]["code"] if each["event"] == "error" else each["event"]
            for each in self.heard()
        ]

    def texts(self) -> list[str]:
        """Return only the texts of the messages among them."""
        return [each["data"]["text"] for each in self.heard() if each["event"] == "new_message"]

    def vanish(self) -> None:
        """Be gone, without a word."""
        self.hang_up(close.LOST)
        self.outbox.shut()

    # ── the caller's side, as ``server.connection`` has it ───────────────────

    def reply(self, event: Event, to=None) -> None:
        """Tell this client alone."""
        self.outbox.offer(text_frame(encode_event(event, to)))

    def refuse(self, refusal: Refusal, to=None) -> None:
        """Tell this client that something was refused."""
        self.reply(error_of(refusal), to)

    def identify(self, user: User, token: str) -> bool:
        """It is this user, unless it is gone."""
        if self.hangup is not None:
            return False
        self.user, self.token = user, token
        return True

    def listen(self) -> None:
        """Let it have its user's events."""
        if self.user is not None and self.hangup is None and not self._is_listed:
            self._is_listed = True
            self._node.directory.join(self.user.user_id, self.outbox)

    def hang_up(self, hangup: Hangup) -> None:
        """End it; the first reason counts. What it is told until it is gone still arrives."""
        if self.hangup is not None:
            return
        self.hangup = hangup
        if self._is_listed and self.user is not None:
            self._node.directory.leave(self.user.user_id, self.outbox)


@attrs.define(eq=False)
class Node:
    """What a node is made of, and clients for it."""

    backend: MemoryBackend
    router: Router
    membership: MembershipCache
    directory: Directory[Outbox]
    calls: Calls
    metrics: Metrics
    busy: set[Outbox]
    _numbers: count = attrs.field(factory=lambda: count(1))

    def stranger(self) -> Client:
        """Connect somebody who has not said who it is."""
        return Client(next(self._numbers), self)

    async def client(self, user: int) -> Client:
        """Connect a user, authenticated; what it heard of that is read already."""
        client = self.stranger()
        client.say("auth", token=f"token-{user}")
        await self.settle()
        assert client.names() == ["auth_success"]
        return client

    async def clients(self, *users: int) -> list[Client]:
        """Connect several."""
        return [await self.client(user) for user in users]

    async def settle(self) -> None:
        """Let everything happen that can without time passing."""
        await wait_all_tasks_blocked()


@pytest.fixture
async def node(nursery):
    """A node with its hub running, no rates, and nobody on it."""
    backend, metrics, directory = MemoryBackend(), Metrics(), Directory[Outbox]()
    history = History("epoch", Window(seconds=60, events=1000, size=1 << 20))
    busy: set[Outbox] = set()
    hub = Hub(directory, history, metrics, busy)
    broker, calls = MemoryBroker(hub, lambda _: None, metrics), Calls(nursery, metrics)
    membership = MembershipCache(backend, nursery, ttl=TTL, stale=STALE)
    throttle = Throttle(dict.fromkeys(COMMANDS))
    reception = Reception(history, Sessions[Outcome, Joined](60), membership, metrics)
    keeper = Keeper(backend, AuthSettings(), reception=reception, metrics=metrics)
    publisher = Publisher(membership, broker, nursery, metrics)
    typists = Typists(membership, broker, nursery, throttle)
    router = Router(backend, publisher, typists, keeper, throttle, metrics)
    nursery.start_soon(hub.run)
    return Node(backend, router, membership, directory, calls, metrics, busy)

"""A scriptable REST backend on a real loopback socket, in either dialect.

Usage::

    async with open_fake_backend(dialect="symfony") as fake:
        ...  # point the gateway at fake.url with the key fake.key
        token = fake.token(1)  # the token of user 1
        fake.fail("members", status=500)  # until fake.heal("members")
        gate = fake.hold("send_message")  # calls wait here until gate.set()
        await fake.wait_for_calls("send_message", 1)
        assert fake.calls_to("send_message")[0].json == {...}

It answers with the shapes of the guide or of the real Symfony backend, keeps messages in
``fake.messages``, knows the users ``fake.users`` and the chats ``fake.chats`` (both may be
changed at any time), and records every request in ``fake.calls``. Nothing is read from
the clock but ``fake.delay``; prefer ``hold`` to it.
"""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Literal

import attrs
import h11
import trio

from fakes.desk import Desk, FakeUser
from fakes.http import Call, Endpoint, Reply, serve_connection
from fakes.secrets import KEY

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

DialectName = Literal["guide", "symfony"]


@attrs.frozen
class Failure:
    """What ``FakeBackend.fail`` was asked to do."""

    status: int
    body: bytes | None
    error: str
    cut: bool


@attrs.define(eq=False)
class FakeBackend:
    """The backend a test scripts; made by ``open_fake_backend``."""

    url: str
    dialect: DialectName
    key: str
    users: dict[int, FakeUser]
    chats: dict[int, list[int]]
    """Chat id → ids of its members."""
    tokens: dict[str, int] = attrs.field(factory=dict)
    """Further good tokens → their users. What is taken out is revoked."""
    confirm_chat: bool = False
    """Whether answers to reactions and read receipts carry ``chat_id`` (the real ones do not)."""
    delay: float = 0.0
    """Seconds every answer waits."""
    calls: list[Call] = attrs.field(factory=list)
    messages: dict[int, dict[str, Any]] = attrs.field(factory=dict)
    """Message id → the MessageResponse that was answered."""
    concurrent: int = 0
    """Calls that are being answered right now."""
    most_concurrent: int = 0
    _failures: dict[str, Failure] = attrs.field(factory=dict)
    _gates: dict[str, trio.Event] = attrs.field(factory=dict)
    _news: trio.Event = attrs.field(factory=trio.Event)

    def token(self, user_id: int) -> str:
        """Return the token of a user; any ``token-N`` of a known user is good."""
        return f"token-{user_id}"

    def calls_to(self, endpoint: Endpoint) -> list[Call]:
        """Return the recorded calls to one endpoint, oldest first."""
        return [call for call in self.calls if call.endpoint == endpoint]

    async def wait_for_calls(self, endpoint: Endpoint, count: int) -> None:
        """Return as soon as an endpoint has received that many calls (answered or not)."""
        while len(self.calls_to(endpoint)) < count:
            await self._news.wait()

    def fail(
        self,
        endpoint: Endpoint,
        *,
        status: int = 500,
        error: str = "scripted failure",
        body: bytes | None = None,
        cut: bool = False,
    ) -> None:
        """Let an endpoint fail until ``heal``.

        It answers ``status`` with the dialect's error shape, or with ``body`` as it is.
        With ``cut`` it does its work and then closes the connection without an answer.
        """
        self._failures[endpoint] = Failure(status, body, error, cut)

    def heal(self, endpoint: Endpoint) -> None:
        """Undo ``fail``."""
        self._failures.pop(endpoint, None)

    def hold(self, endpoint: Endpoint) -> trio.Event:
        """Let the calls to an endpoint wait, before they do anything, for the event returned."""
        gate = self._gates[endpoint] = trio.Event()
        return gate

    async def answer(self, call: Call) -> Reply | None:
        """Record a call and answer it; None means: cut the connection."""
        self.calls.append(call)
        self._news.set()
        self._news = trio.Event()
        self.concurrent += 1
        self.most_concurrent = max(self.most_concurrent, self.concurrent)
        try:
            if call.endpoint in self._gates:
                await self._gates[call.endpoint].wait()
            if self.delay:
                await trio.sleep(self.delay)
            return self._reply(call)
        finally:
            self.concurrent -= 1

    def _reply(self, call: Call) -> Reply | None:
        failure = self._failures.get(call.endpoint)
        if failure is None:
            return Desk(self, call).answer()
        if failure.cut:
            Desk(self, call).answer()
            return None
        if failure.body is not None:
            return Reply(failure.status, failure.body)
        return self.error(call, failure.status, failure.error)

    def error(self, call: Call, status: int, text: str) -> Reply:
        """An error in the shape of the dialect and the endpoint."""
        if self.dialect == "symfony" and not call.path.startswith("/api/internal/"):
            return Reply(status, {"message": text, "details": {}})
        return Reply(status, {"error": text})


@asynccontextmanager
async def open_fake_backend(*, dialect: DialectName = "guide") -> AsyncIterator[FakeBackend]:
    """Run a fake backend on a free loopback port for as long as the block lasts.

    Users 1 (John Doe), 2 (Jane Roe) and 3 (Ann Lee) are in chat 1; 1 and 2 alone in chat 2;
    user 4 (Old Tim) is inactive and in no chat.
    """
    people = [(1, "John", "Doe"), (2, "Jane", "Roe"), (3, "Ann", "Lee"), (4, "Old", "Tim")]
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    fake = FakeBackend(
        url=f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}",
        dialect=dialect,
        key=KEY,
        users={n: FakeUser(n, first, last, f"+7999000000{n}", n != 4) for n, first, last in people},
        chats={1: [1, 2, 3], 2: [1, 2]},
    )

    async def serve(stream: trio.SocketStream) -> None:
        async with stream:
            with suppress(trio.BrokenResourceError, h11.RemoteProtocolError):
                await serve_connection(fake.answer, stream)

    async with trio.open_nursery() as connections:
        await connections.start(trio.serve_listeners, serve, listeners)
        yield fake
        connections.cancel_scope.cancel()

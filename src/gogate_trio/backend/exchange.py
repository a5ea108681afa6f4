"""One HTTP exchange with the backend, bounded in every direction.

Bounds: one deadline for all of it (connecting, sending, reading) and ``limits.ANSWER_BYTES``
of answer. How many run at once is the business of ``gate``. How it ended is a value; what
that means is the business of ``judging``.

On httpx's transport without its client: a client adds a cookie jar (which would send one
user's session with another user's call), redirects, the environment's proxies and a log
line with the address, and costs more than the exchange itself. Where our own transport has a
connection that stands, the call goes on it without httpx's objects, which cost a fifth of it, and,
if that is not in TLS, without a cancel scope: the connection minds the time.
"""

from __future__ import annotations

from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Final, Literal

import attrs
import httpx
import trio

from gogate_trio.backend.conversation import Conversation, write_head
from gogate_trio.backend.pipe import NothingLeft
from gogate_trio.backend.transport import H11Transport
from gogate_trio.limits import ANSWER_BYTES
from gogate_trio.log import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

Endpoint = Literal["validate", "members", "send_message", "add_reaction", "mark_read"]

ATTEMPTS: Final = 2
"""tries of a call that changes nothing, or of which nothing left. The second is for a
kept-alive connection that the backend closed at the moment we used it; a second such bad
luck is no luck."""

CONNECT_SHARE: Final = 0.45
"""of the time left, for each of httpcore's two steps of connecting (TCP, TLS). Together they
end before the deadline does: cut by a cancellation, it leaves the socket to the collector."""

_log = get_logger(__name__)


@attrs.frozen
class Call:
    """One request: complete, checked, ready to leave."""

    endpoint: Endpoint
    """Names it in the log and in the metrics."""
    method: str
    target: bytes = attrs.field(repr=False)
    """The path on the backend."""
    headers: Sequence[tuple[bytes, bytes]] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
    harmless: bool
    """Whether it changes nothing, and may therefore be sent again."""


@attrs.frozen
class Answer:
    """The backend answered."""

    status: int
    body: bytes | None = attrs.field(repr=False)
    """None when it could not be had: too large, cut short, too slow."""


class Silence(Enum):
    """The backend did not answer."""

    NOTHING_SENT = "no request left: the backend cannot have acted"
    NO_ANSWER = "the request left, and no status came back"


class Exchange:
    """Runs calls over one pool of connections to one address."""

    def __init__(self, transport: httpx.AsyncBaseTransport, url: httpx.URL) -> None:
        """Take the pool, and where it leads: scheme, host and port count."""
        self._transport = transport
        self._url = url
        self._running: set[trio.CancelScope] = set()

    async def run(self, call: Call, deadline: float) -> Answer | Silence:
        """Run one call to its end.

        Cancellation: it runs to its end or its deadline. A call cancelled within httpcore's
        pool would leak its place there, and leave unknown what could be known.
        """
        attempt = _Attempt(call, self._transport, self._url, deadline, self._running)
        await attempt.run()
        return attempt.outcome()

    def abandon(self) -> None:
        """Cut every call that is under way: each ends now, as it would at its deadline."""
        for scope in self._running:
            scope.cancel()
        if isinstance(self._transport, H11Transport):
            self._transport.cut_all()


@attrs.define(eq=False)
class _Attempt:
    """What is known so far about one call; whatever ends it, ``outcome`` tells the rest."""

    call: Call
    transport: httpx.AsyncBaseTransport
    url: httpx.URL
    deadline: float
    running: set[trio.CancelScope]
    """Where its scope is noted while it has one."""
    sent: bool = False
    status: int | None = None
    body: bytes | None = None

    def outcome(self) -> Answer | Silence:
        if self.status is not None:
            return Answer(self.status, self.body)
        return Silence.NO_ANSWER if self.sent else Silence.NOTHING_SENT

    async def run(self) -> None:
        left = ATTEMPTS
        standing = self._standing()
        if standing is not None and standing.mind(self.deadline):
            try:
                await self._talk(standing)
            except httpx.TransportError as error:
                if not self._may_repeat(error):
                    return
            else:
                return
            standing, left = None, left - 1
        with trio.CancelScope(shield=True, deadline=self.deadline) as scope:
            self.running.add(scope)
            try:
                while left and await self._failed(standing or self._standing(), scope):
                    standing, left = None, left - 1
            finally:
                self.running.discard(scope)

    async def _failed(self, standing: Conversation | None, scope: trio.CancelScope) -> bool:
        """Whether a try on this connection, or a new one, failed so that there may be another."""
        try:
            if standing is None:
                await self._exchange(scope)
            else:
                await self._talk(standing)
        except httpx.TransportError as error:
            return self._may_repeat(error)
        return False

    def _standing(self) -> Conversation | None:
        return self.transport.take() if isinstance(self.transport, H11Transport) else None

    def _may_repeat(self, error: httpx.TransportError) -> bool:
        # Its text may hold the address.
        _log.debug(
            "backend_exchange_failed", endpoint=self.call.endpoint, error=type(error).__name__
        )
        if isinstance(error, NothingLeft):
            self.sent = False
            return True
        # A refused connection will be refused again.
        return self.call.harmless and isinstance(error, _CUT)

    async def _exchange(self, scope: trio.CancelScope) -> None:
        call = self.call
        left = self.deadline - trio.current_time()
        request = _Request(call, self.url, _Body(call.body, self), connect=CONNECT_SHARE * left)
        response = await self.transport.handle_async_request(request)
        # Raw: we asked for the bare bytes (Accept-Encoding: identity), and what comes packed
        # all the same stays so. A few kilobytes of gzip can be a gigabyte.
        parts = response.stream
        assert isinstance(parts, httpx.AsyncByteStream)  # noqa: S101 - asynchronous, as asked
        try:
            self.status = response.status_code
            self.body = await self._read(parts, scope)
        finally:
            await parts.aclose()

    async def _talk(self, standing: Conversation) -> None:
        """Run the call on a connection that stands, without httpx's objects in between."""
        call, transport = self.call, self.transport
        assert isinstance(transport, H11Transport)  # noqa: S101 - whose connection it is
        try:
            request = write_head(call.method, call.target, call.headers).before(call.body)
            self.sent = True
            head = await standing.ask(call.method, request, {})
            self.status = head.status_code
            self.body = await standing.whole(ANSWER_BYTES)
        except BaseException:
            standing.close()
            raise
        transport.give_back(standing)

    async def _read(self, parts: httpx.AsyncByteStream, scope: trio.CancelScope) -> bytes | None:
        body = bytearray()
        size = 0
        async for part in parts:
            size += len(part)
            if size <= ANSWER_BYTES:
                body += part
            else:
                # Leaving the loop would leave httpx's generators half run; this makes the
                # next read end them, and closes the connection.
                scope.cancel()
        return bytes(body) if size <= ANSWER_BYTES else None


class _Request(httpx.Request):
    """A call on its way to a transport.

    httpx's own list of headers is made for a transport that looks at it. Ours takes them as
    they are, and a call costs 4 µs less.
    """

    def __init__(self, call: Call, url: httpx.URL, body: _Body, *, connect: float) -> None:
        # Not httpx's way to make one: all but the headers it makes is here.
        self.method = call.method
        self.url = url
        self.stream = body
        self.extensions = {
            "target": call.target,
            "headers": call.headers,
            "timeout": {"connect": connect},
        }

    @cached_property
    def headers(self) -> httpx.Headers:  # type: ignore[override]  # as good as an attribute
        return httpx.Headers(self.extensions["headers"])


@attrs.define(eq=False)
class _Body(httpx.AsyncByteStream):
    """A request's body, which notes that it was asked for.

    The body is the last thing to leave. As long as the pool has not asked for it, the backend
    holds at most a head that announces more, and cannot have acted.
    An iterator of its own, for a generator that is cancelled half way warns when collected.
    """

    body: bytes
    attempt: _Attempt

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        self.attempt.sent = True
        if not self.body:
            raise StopAsyncIteration
        body, self.body = self.body, b""
        return body


_CUT: Final = (httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
"""How the end of a kept-alive connection looks to the one who uses it next."""

"""The calls' own way to the backend: httpx's transport port, on h11 over trio.

Does what ``httpx.AsyncHTTPTransport`` does for the requests the gateway makes, for a
fraction of its CPU, and leaks nothing when it is cancelled: a connection belongs to one
call, which closes it or gives it back.

It puts no bound on connections: there are never more than calls at once, and calls are
bounded where they come from. Connections that were idle for too long are closed by the next
call, not by a clock.
"""

from __future__ import annotations

import math
import ssl
from collections import deque
from typing import TYPE_CHECKING

import httpx
import trio

from gogate_trio.backend.conversation import Conversation, write_head
from gogate_trio.backend.pipe import dial

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gogate_trio.backend.conversation import Timeouts
    from gogate_trio.poller import Poller


class H11Transport(httpx.AsyncBaseTransport):
    """Kept-alive connections to one backend.

    A request's body is asked for when a connection stands and nothing is left to do but to
    send. Its time-outs for connecting, reading and writing are kept. Raises
    ``httpx.TransportError``, of which ``NothingLeft``, ``ConnectError`` and
    ``ConnectTimeout`` mean that nothing was sent.
    """

    def __init__(
        self, url: httpx.URL, context: ssl.SSLContext, poller: Poller, *, keepalive: float
    ) -> None:
        """Take where the backend is (scheme, host and port count), and whom to believe it.

        ``keepalive``: the seconds for which an idle connection is good.
        """
        self._url = url
        self._origin = _origin(url)
        self._context = context
        self._keepalive = keepalive
        self._idle: deque[Conversation] = deque()
        self._is_closed = False
        self._poller = poller

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its answer, the body still to be read and closed."""
        if _origin(request.url) != self._origin:
            raise httpx.UnsupportedProtocol("not the backend's address")
        timeouts: Timeouts = request.extensions.get("timeout") or {}
        extensions = request.extensions
        target = extensions.get("target") or request.url.raw_path
        head = write_head(request.method, target, extensions.get("headers") or request.headers.raw)
        conversation = self.take() or await self._dial(timeouts.get("connect"))
        try:
            data = head.before(await _whole(request))
            answer = await conversation.ask(request.method, data, timeouts)
        except BaseException:
            conversation.close()
            raise
        return httpx.Response(
            answer.status_code,
            headers=list(answer.headers),
            stream=_Body(self, conversation, timeouts),
        )

    async def aclose(self) -> None:
        """Close what is idle; what is in use closes when its call ends."""
        self._is_closed = True
        while self._idle:
            self._idle.pop().close()

    def give_back(self, conversation: Conversation) -> None:
        """Keep a connection whose answer was read, if it is good for another."""
        if self._is_closed or not conversation.go_on():
            conversation.close()
            return
        conversation.mind(None)
        conversation.idle_since = trio.current_time()
        self._idle.append(conversation)

    def take(self) -> Conversation | None:
        """Return the connection used last that still stands."""
        oldest = trio.current_time() - self._keepalive
        while self._idle and self._idle[0].idle_since < oldest:
            self._idle.popleft().close()
        while self._idle:
            conversation = self._idle.pop()
            if not conversation.is_dead():
                return conversation
            conversation.close()
        return None

    def cut_all(self) -> None:
        """End every wait whose time is minded, as its deadline would."""
        self._poller.cut_all()

    async def _dial(self, seconds: float | None) -> Conversation:
        with trio.move_on_after(math.inf if seconds is None else seconds):
            return Conversation(await dial(self._url, self._context, self._poller))
        raise httpx.ConnectTimeout("")


class _Body(httpx.AsyncByteStream):
    """The body of an answer. An iterator of its own: a generator's end costs a task's turn."""

    def __init__(
        self, transport: H11Transport, conversation: Conversation, timeouts: Timeouts
    ) -> None:
        self._transport = transport
        self._conversation: Conversation | None = conversation
        self._timeouts = timeouts

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if self._conversation is None:
            raise StopAsyncIteration
        part = await self._conversation.part(self._timeouts)
        if part is not None:
            return part
        self._transport.give_back(self._conversation)
        self._conversation = None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        """Hang up on an answer that was not read to its end."""
        if self._conversation is not None:
            self._conversation.close()
            self._conversation = None


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    return url.scheme, url.raw_host, url.port


async def _whole(request: httpx.Request) -> bytes:
    """Return a request's body, all of it."""
    if not isinstance(request.stream, httpx.AsyncByteStream):
        raise httpx.LocalProtocolError("the body is not asynchronous")
    return b"".join([part async for part in request.stream])

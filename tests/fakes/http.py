"""The HTTP side of the fake backend: h11 over one trio stream, requests as records."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any, Literal

import attrs
import h11
import msgspec

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    import trio

Endpoint = Literal["validate", "members", "send_message", "add_reaction", "mark_read", "other"]

_ROUTES: tuple[tuple[str, re.Pattern[str], Endpoint], ...] = (
    ("POST", re.compile(r"/api/internal/v1/auth/validate"), "validate"),
    ("GET", re.compile(r"/api/internal/v1/chats/(\d+)/members"), "members"),
    ("POST", re.compile(r"/api/v1/messages"), "send_message"),
    ("POST", re.compile(r"/api/v1/messages/(\d+)/reactions"), "add_reaction"),
    ("POST", re.compile(r"/api/v1/messages/read"), "mark_read"),
)


@attrs.frozen
class Call:
    """One request as it arrived."""

    endpoint: Endpoint
    method: str
    path: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return msgspec.json.decode(self.body)


@attrs.frozen
class Reply:
    """A status and a body that is bytes, or is written as JSON."""

    status: int
    body: Any


async def serve_connection(
    answer: Callable[[Call], Awaitable[Reply | None]], stream: trio.SocketStream
) -> None:
    """Answer the requests of one connection until the peer, or an answer of None, ends it."""
    conversation = h11.Connection(h11.SERVER)
    while call := await _next_call(conversation, stream):
        reply = await answer(call)
        if reply is None:
            return
        body = reply.body if isinstance(reply.body, bytes) else msgspec.json.encode(reply.body)
        headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
        head = conversation.send(h11.Response(status_code=reply.status, headers=headers)) or b""
        rest = conversation.send(h11.Data(data=body)) or b""
        await stream.send_all(head + rest + (conversation.send(h11.EndOfMessage()) or b""))
        if conversation.our_state is not h11.DONE or conversation.their_state is not h11.DONE:
            return
        conversation.start_next_cycle()


async def _next_call(conversation: h11.Connection, stream: trio.SocketStream) -> Call | None:
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = conversation.next_event()
        if event is h11.NEED_DATA:
            conversation.receive_data(await stream.receive_some())
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return _as_call(request, bytes(body))
        else:
            return None


def _as_call(request: h11.Request, body: bytes) -> Call:
    headers: dict[str, str] = defaultdict(str)
    headers.update({name.decode(): value.decode("latin-1") for name, value in request.headers})
    method, path = request.method.decode(), request.target.decode()
    endpoint: Endpoint = "other"
    for wanted, pattern, name in _ROUTES:
        if method == wanted and pattern.fullmatch(path):
            endpoint = name
    return Call(endpoint, method, path, headers, body)

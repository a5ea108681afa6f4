"""The backend over HTTP: the five calls, and what each way of ending means.

===========================  ========================  ============================
what came back               validate, members         messages, reactions, read
===========================  ========================  ============================
nothing was sent             ``BackendUnavailable``    ``BackendUnavailable``
sent, no status came         ``BackendUnavailable``    ``OutcomeUnknown``
2xx, readable                the answer                the answer
2xx that says no in words    ``BackendRejected``       ``BackendRejected``
2xx, unreadable              ``BackendUnavailable``    ``OutcomeUnknown``
1xx, 3xx                     ``BackendUnavailable``    ``OutcomeUnknown``
408, 425, 429                ``BackendUnavailable``    ``BackendRejected``
any other 4xx                ``BackendRejected``       ``BackendRejected``
5xx                          ``BackendUnavailable``    ``BackendRejected``
===========================  ========================  ============================

"Nothing was sent" is meant strictly: no slot or connection in time, or the connection broke
before the body was handed to it. The left calls change nothing and are tried twice when a
connection breaks. To the right, a 5xx is the backend's refusal and the client is told its
words; a redirect may follow a deed (as 303 does), so nobody knows. To the left, "come back
later" says nothing about the token or the chat, so it must not count as a no.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - else the first look-up of a name imports it
import re
import ssl
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import attrs
import httpx
import msgspec
import trio

from gogate_trio import __version__
from gogate_trio.backend.dialects import DIALECTS
from gogate_trio.backend.exchange import Call, Endpoint, Exchange, Silence
from gogate_trio.backend.reading import (
    Unreadable,
    error_text,
    read_confirmation,
    read_members,
    read_stored,
    read_user,
)
from gogate_trio.errors import BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.limits import TOKEN_BYTES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from gogate_trio.backend.base import Confirmation, Members, StoredMessage, User
    from gogate_trio.backend.dialects import Dialect
    from gogate_trio.backend.exchange import Answer
    from gogate_trio.config import BackendSettings
    from gogate_trio.ids import ChatId
    from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

    Header = tuple[bytes, bytes]

Outcome = Literal["ok", "rejected", "unavailable", "unknown", "cancelled"]
"""How a call ended for its caller; "cancelled" before anything was sent."""

KEEPALIVE_SECONDS: Final = 3.0
"""seconds an idle connection is kept: under the 5 s after which Apache, Node and uvicorn
hang up, so that a call rarely meets a connection that is just being closed."""

_HARMLESS: Final[frozenset[Endpoint]] = frozenset({"validate", "members"})
_LATER: Final = frozenset({408, 425, 429})
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")

_T = TypeVar("_T")


def _observe_nothing(endpoint: Endpoint, outcome: Outcome, seconds: float, /) -> None:
    """Stand in for the metrics."""


@asynccontextmanager
async def open_backend(
    settings: BackendSettings,
    observe: Callable[[Endpoint, Outcome, float], None] = _observe_nothing,
) -> AsyncIterator[RestBackend]:
    """Open the way to the backend; nothing is sent until the first call.

    ``observe`` is told of every call how it ended and how many seconds it took. Certificates
    are checked against the system's store (and ``SSL_CERT_FILE``, as OpenSSL reads it).
    """
    transport = httpx.AsyncHTTPTransport(
        verify=ssl.create_default_context(),
        trust_env=False,
        limits=httpx.Limits(
            max_connections=settings.max_calls,
            max_keepalive_connections=settings.max_calls,
            keepalive_expiry=KEEPALIVE_SECONDS,
        ),
    )
    async with transport:
        yield RestBackend(
            Exchange(transport, slots=settings.max_calls, timeout=settings.timeout),
            site=_Site.of(settings),
            dialect=DIALECTS[settings.dialect],
            observe=observe,
        )


@attrs.frozen
class _Site:
    """Where the backend is, and what opens its internal doors."""

    base: str = attrs.field(repr=False)
    host: Header = attrs.field(repr=False)
    key: Header = attrs.field(repr=False)

    @classmethod
    def of(cls, settings: BackendSettings) -> _Site:
        key = settings.internal_api_key.reveal().encode()
        netloc = httpx.URL(settings.url).netloc
        return cls(settings.url, (b"Host", netloc), (b"X-Internal-API-Key", key))

    def url(self, path: str) -> httpx.URL:
        return httpx.URL(self.base + path)


class RestBackend:
    """The port ``Backend`` over HTTP. Made by ``open_backend``.

    Cancellation: a call that has begun to run is not cancelled with its caller; it ends by
    itself, within the deadline of the settings.
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        site: _Site,
        dialect: Dialect,
        observe: Callable[[Endpoint, Outcome, float], None],
    ) -> None:
        self._exchange = exchange
        self._site = site
        self._dialect = dialect
        self._observe = observe

    async def validate(self, token: str) -> User:
        """Whose token this is."""
        _check(token)
        call = self._post(
            "validate", "/api/internal/v1/auth/validate", {"token": token}, self._site.key
        )
        return await self._run(call, read_user)

    async def members(self, chat_id: ChatId) -> Members:
        """Who is in the chat, asked afresh."""
        path = f"/api/internal/v1/chats/{chat_id:d}/members"
        call = self._call("members", "GET", path, body=b"", headers=[self._site.key])
        return await self._run(call, partial(read_members, chat_id=chat_id))

    async def send_message(
        self, token: str, command: SendMessage, *, key: str | None = None
    ) -> StoredMessage:
        """Store a message in the name of the token's user."""
        body = self._dialect.message(command)
        call = self._post("send_message", "/api/v1/messages", body, *_credentials(token, key))
        return await self._run(call, read_stored)

    async def add_reaction(
        self, token: str, command: AddReaction, *, key: str | None = None
    ) -> Confirmation:
        """Add a reaction in the name of the token's user."""
        path = f"/api/v1/messages/{command.message_id:d}/reactions"
        call = self._post("add_reaction", path, {"emoji": command.emoji}, *_credentials(token, key))
        return await self._run(call, read_confirmation)

    async def mark_read(
        self, token: str, command: MarkRead, *, key: str | None = None
    ) -> Confirmation:
        """Mark messages as read in the name of the token's user."""
        body = self._dialect.receipt(command)
        call = self._post("mark_read", "/api/v1/messages/read", body, *_credentials(token, key))
        return await self._run(call, read_confirmation)

    def abandon(self) -> None:
        """End every call under way at once, as its deadline would. For the very end only."""
        self._exchange.abandon()

    def _post(self, endpoint: Endpoint, path: str, body: object, *credentials: Header) -> Call:
        try:
            content = msgspec.json.encode(body)
        except UnicodeEncodeError:
            raise BackendRejected(400, "text is no valid Unicode") from None
        headers = [
            *credentials,
            (b"Content-Type", b"application/json"),
            (b"Content-Length", b"%d" % len(content)),
        ]
        return self._call(endpoint, "POST", path, body=content, headers=headers)

    def _call(
        self, endpoint: Endpoint, method: str, path: str, *, body: bytes, headers: Sequence[Header]
    ) -> Call:
        return Call(
            endpoint=endpoint,
            method=method,
            url=self._site.url(path),
            headers=[self._site.host, *_COMMON, *headers],
            body=body,
            harmless=endpoint in _HARMLESS,
        )

    async def _run(self, call: Call, read: Callable[[bytes], _T]) -> _T:
        began = trio.current_time()
        outcome: Outcome = "cancelled"
        try:
            value = _settle(call, await self._exchange.run(call), read)
            outcome = "ok"
        except BackendRejected:
            outcome = "rejected"
            raise
        except BackendUnavailable:
            outcome = "unavailable"
            raise
        except OutcomeUnknown:
            outcome = "unknown"
            raise
        finally:
            self._observe(call.endpoint, outcome, trio.current_time() - began)
        return value


_COMMON: Final[tuple[Header, ...]] = (
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", f"gogate/{__version__}".encode()),
)


def _settle(call: Call, answer: Answer | Silence, read: Callable[[bytes], _T]) -> _T:
    """Apply the table above."""
    if answer is Silence.NOTHING_SENT:
        raise BackendUnavailable
    if answer is Silence.NO_ANSWER:
        raise _no_use(call)
    status, body = answer.status, answer.body
    if httpx.codes.is_success(status) and body is not None:
        try:
            return read(body)
        except Unreadable:
            raise _no_use(call) from None
    if _is_refusal(status, harmless=call.harmless):
        raise BackendRejected(status, error_text(body or b""))
    raise _no_use(call)


def _is_refusal(status: int, *, harmless: bool) -> bool:
    if harmless:
        return httpx.codes.is_client_error(status) and status not in _LATER
    return httpx.codes.is_error(status)


def _no_use(call: Call) -> BackendUnavailable | OutcomeUnknown:
    return BackendUnavailable() if call.harmless else OutcomeUnknown()


def _check(token: str) -> None:
    """Refuse what can be no JWT and must never reach a header."""
    if len(token) > TOKEN_BYTES or not _HEADER_SAFE.fullmatch(token):
        raise BackendRejected(401, "invalid token")


def _credentials(token: str, key: str | None) -> list[Header]:
    """Return what says in whose name a call is made, and which call it is."""
    _check(token)
    bearer = (b"Authorization", b"Bearer " + token.encode())
    return [bearer] if key is None else [bearer, (b"Idempotency-Key", key.encode("ascii"))]

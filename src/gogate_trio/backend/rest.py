"""The backend over HTTP: the five calls. What each way of ending means, ``judging`` says."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - else the first look-up of a name imports it
import ssl
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

import attrs
import httpx
import trio

from gogate_trio.backend.dialects import DIALECTS
from gogate_trio.backend.exchange import Exchange
from gogate_trio.backend.gate import Gate
from gogate_trio.backend.judging import HEALTHY, outcome_of, settle, verdict_on
from gogate_trio.backend.reading import read_confirmation, read_members, read_stored, read_user
from gogate_trio.backend.requests import Site, credentials, require_token, traced
from gogate_trio.backend.transport import H11Transport
from gogate_trio.errors import BackendError, BackendUnavailable
from gogate_trio.poller import open_poller
from gogate_trio.state.breaker import Verdict
from gogate_trio.tracing.spans import current

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gogate_trio.backend.base import Confirmation, Members, StoredMessage, User
    from gogate_trio.backend.dialects import Dialect
    from gogate_trio.backend.exchange import Call, Endpoint
    from gogate_trio.backend.gate import GateStatistics
    from gogate_trio.backend.judging import Outcome
    from gogate_trio.config import BackendSettings
    from gogate_trio.ids import ChatId
    from gogate_trio.poller import Poller
    from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

KEEPALIVE_SECONDS: Final = 3.0
"""seconds an idle connection is kept: under the 5 s after which Apache, Node and uvicorn
hang up, so that a call rarely meets a connection that is just being closed."""

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
    url = httpx.URL(settings.url)
    async with open_poller() as poller, _transport(settings, url, poller) as transport:
        yield RestBackend(
            Exchange(transport, url),
            Gate(slots=settings.max_calls, queue=settings.queue),
            timeout=settings.timeout,
            site=Site.of(settings),
            dialect=DIALECTS[settings.dialect],
            observe=observe,
        )


def _transport(
    settings: BackendSettings, url: httpx.URL, poller: Poller
) -> httpx.AsyncBaseTransport:
    context = _context(url)
    if settings.transport == "h11":
        return H11Transport(url, context, poller, keepalive=KEEPALIVE_SECONDS)
    limits = httpx.Limits(
        max_connections=settings.max_calls,
        max_keepalive_connections=settings.max_calls,
        keepalive_expiry=KEEPALIVE_SECONDS,
    )
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)


def _context(url: httpx.URL) -> ssl.SSLContext:
    # Plain HTTP asks nobody's store of certificates; to read the system's takes 30 ms.
    is_secure = url.scheme == "https"
    return ssl.create_default_context() if is_secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


class RestBackend:
    """The port ``Backend`` over HTTP. Made by ``open_backend``.

    Cancellation: a call that has begun to run is not cancelled with its caller; it ends by
    itself, within the deadline of the settings.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, by keyword
        self,
        exchange: Exchange,
        gate: Gate,
        *,
        timeout: float,
        site: Site,
        dialect: Dialect,
        observe: Callable[[Endpoint, Outcome, float], None],
    ) -> None:
        """``timeout``: the seconds each call may take, from asking for its slot to its end."""
        self._exchange = exchange
        self._gate = gate
        self._timeout = timeout
        self._site = site
        self._dialect = dialect
        self._observe = observe

    def adjust(self, settings: BackendSettings) -> None:
        """Take the key, the deadline and the queue of these settings from the next call on."""
        self._timeout = settings.timeout
        self._site = attrs.evolve(self._site, key=Site.of(settings).key)
        self._gate.adjust(queue=settings.queue)

    async def validate(self, token: str) -> User:
        """Whose token this is."""
        require_token(token)
        path = "/api/internal/v1/auth/validate"
        call = self._site.post("validate", path, {"token": token}, self._site.key)
        return await self._run(call, read_user)

    async def members(self, chat_id: ChatId) -> Members:
        """Who is in the chat, asked afresh."""
        call = self._site.get("members", f"/api/internal/v1/chats/{chat_id:d}/members")
        return await self._run(call, partial(read_members, chat_id=chat_id))

    async def send_message(
        self, token: str, command: SendMessage, *, key: str | None = None
    ) -> StoredMessage:
        """Store a message in the name of the token's user."""
        body = self._dialect.message(command)
        who = credentials(token, key)
        return await self._run(
            self._site.post("send_message", "/api/v1/messages", body, *who), read_stored
        )

    async def add_reaction(
        self, token: str, command: AddReaction, *, key: str | None = None
    ) -> Confirmation:
        """Add a reaction in the name of the token's user."""
        path = f"/api/v1/messages/{command.message_id:d}/reactions"
        body = {"emoji": command.emoji}
        call = self._site.post("add_reaction", path, body, *credentials(token, key))
        return await self._run(call, read_confirmation)

    async def mark_read(
        self, token: str, command: MarkRead, *, key: str | None = None
    ) -> Confirmation:
        """Mark messages as read in the name of the token's user."""
        body = self._dialect.receipt(command)
        who = credentials(token, key)
        return await self._run(
            self._site.post("mark_read", "/api/v1/messages/read", body, *who), read_confirmation
        )

    def statistics(self) -> GateStatistics:
        """Return how many calls run and wait, and how the circuit breaker is."""
        return self._gate.statistics()

    def abandon(self) -> None:
        """End every call under way at once, as its deadline would. For the very end only."""
        self._exchange.abandon()

    async def _run(self, call: Call, read: Callable[[bytes], _T]) -> _T:
        began = trio.current_time()
        ending: _T | BackendError | None = None
        command = current()
        span = None if command is None else command.begin(call.endpoint, "client")
        if span is not None:
            call = traced(call, span.traceparent)
        try:
            ending = await self._ask(call, read, began)
        finally:
            outcome = outcome_of(ending)
            self._observe(call.endpoint, outcome, trio.current_time() - began)
            if span is not None:
                span.note(outcome, failed=outcome not in HEALTHY)
                span.end()
        if isinstance(ending, BackendError):
            raise ending
        return ending

    async def _ask(
        self, call: Call, read: Callable[[bytes], _T], began: float
    ) -> _T | BackendError:
        deadline = began + self._timeout
        era = await self._gate.enter(deadline, harmless=call.harmless)
        if isinstance(era, BackendUnavailable):
            return era
        verdict = Verdict.NOTHING
        try:
            answer = await self._exchange.run(call, deadline)
            ending = settle(call, answer, read)
            verdict = verdict_on(answer, ending)
        finally:
            self._gate.leave(era, verdict)
        return ending

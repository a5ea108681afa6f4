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

"Nothing was sent" is meant strictly: the gate was shut, no slot or connection in time, or the
connection broke before the body was handed to it. The left calls change nothing and are tried
twice when a connection breaks. To the right, a 5xx is the backend's refusal and the client is
told its words; a redirect may follow a deed (as 303 does), so nobody knows. To the left, "come
back later" says nothing about the token or the chat, so it must not count as a no.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401 - else the first look-up of a name imports it
import ssl
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Final, Literal, TypeVar

import attrs
import httpx
import trio

from gogate_trio.backend.dialects import DIALECTS
from gogate_trio.backend.exchange import Answer, Endpoint, Exchange, Silence
from gogate_trio.backend.gate import Gate
from gogate_trio.backend.reading import (
    Unreadable,
    error_text,
    read_confirmation,
    read_members,
    read_stored,
    read_user,
)
from gogate_trio.backend.requests import Site, credentials, require_token, traced
from gogate_trio.backend.transport import H11Transport
from gogate_trio.errors import (
    BackendBusy,
    BackendError,
    BackendRejected,
    BackendUnavailable,
    OutcomeUnknown,
)
from gogate_trio.poller import open_poller
from gogate_trio.state.breaker import Verdict
from gogate_trio.tracing.spans import current

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from gogate_trio.backend.base import Confirmation, Members, StoredMessage, User
    from gogate_trio.backend.dialects import Dialect
    from gogate_trio.backend.exchange import Call
    from gogate_trio.backend.gate import GateStatistics
    from gogate_trio.config import BackendSettings
    from gogate_trio.ids import ChatId
    from gogate_trio.poller import Poller
    from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

Outcome = Literal["ok", "rejected", "unavailable", "busy", "unknown", "cancelled"]
"""How a call ended for its caller; "cancelled" before anything was sent."""

KEEPALIVE_SECONDS: Final = 3.0
"""seconds an idle connection is kept: under the 5 s after which Apache, Node and uvicorn
hang up, so that a call rarely meets a connection that is just being closed."""

_LATER: Final = frozenset({408, 425, 429})

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
            outcome = _outcome(ending)
            self._observe(call.endpoint, outcome, trio.current_time() - began)
            if span is not None:
                span.note(outcome, failed=outcome not in _HEALTHY)
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
            ending = _settle(call, answer, read)
            verdict = _verdict(answer, ending)
        finally:
            self._gate.leave(era, verdict)
        return ending


def _settle(call: Call, answer: Answer | Silence, read: Callable[[bytes], _T]) -> _T | BackendError:
    """Apply the table above."""
    if answer is Silence.NOTHING_SENT:
        return BackendUnavailable()
    if answer is Silence.NO_ANSWER:
        return _no_use(call)
    status, body = answer.status, answer.body
    if _OK <= status < _ELSEWHERE and body is not None:
        try:
            return read(body)
        except Unreadable:
            return _no_use(call)
        except BackendRejected as refusal:
            return refusal
    if _is_refusal(status, harmless=call.harmless):
        return BackendRejected(status, error_text(body or b""))
    return _no_use(call)


def _is_refusal(status: int, *, harmless: bool) -> bool:
    if harmless:
        return _REFUSED <= status < _BROKEN and status not in _LATER
    return _REFUSED <= status < _NO_STATUS


def _no_use(call: Call) -> BackendUnavailable | OutcomeUnknown:
    return BackendUnavailable() if call.harmless else OutcomeUnknown()


def _verdict(answer: Answer | Silence, ending: object) -> Verdict:
    """Judge the backend by a call: a refusal is an answer, a 5xx or an answer of no use is none."""
    if isinstance(answer, Silence):
        return Verdict.FAILED
    if _REFUSED <= answer.status < _BROKEN:
        return Verdict.ANSWERED
    is_wrong = isinstance(ending, BackendUnavailable | OutcomeUnknown)
    return Verdict.FAILED if is_wrong or answer.status >= _BROKEN else Verdict.ANSWERED


_OK, _ELSEWHERE, _REFUSED, _BROKEN, _NO_STATUS = 200, 300, 400, 500, 600
"""The first status of each kind: it did it, look elsewhere, the caller's fault, its own fault,
and what is no status."""


_HEALTHY: Final[frozenset[Outcome]] = frozenset({"ok", "rejected"})
"""How a call ends that the backend has answered."""


def _outcome(ending: object) -> Outcome:
    if not isinstance(ending, BackendError | None):
        return "ok"
    match ending:
        case None:
            return "cancelled"
        case BackendRejected():
            return "rejected"
        case BackendBusy():
            return "busy"
        case BackendUnavailable():
            return "unavailable"
        case OutcomeUnknown():
            return "unknown"
    return "ok"

"""What each way a call can end means: to its caller, to the circuit breaker, to the metrics. Pure.

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

from typing import TYPE_CHECKING, Final, Literal, TypeVar

from gogate_trio.backend.exchange import Answer, Silence
from gogate_trio.backend.reading import Unreadable, error_text
from gogate_trio.errors import (
    BackendBusy,
    BackendError,
    BackendRejected,
    BackendUnavailable,
    OutcomeUnknown,
)
from gogate_trio.state.breaker import Verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from gogate_trio.backend.exchange import Call

Outcome = Literal["ok", "rejected", "unavailable", "busy", "unknown", "cancelled"]
"""How a call ended for its caller; "cancelled" before anything was sent."""

HEALTHY: Final[frozenset[Outcome]] = frozenset({"ok", "rejected"})
"""How a call ends that the backend has answered."""

_OK, _ELSEWHERE, _REFUSED, _BROKEN, _NO_STATUS = 200, 300, 400, 500, 600
"""The first status of each kind: it did it, look elsewhere, the caller's fault, its own fault,
and what is no status."""

_LATER: Final = frozenset({408, 425, 429})

_T = TypeVar("_T")


def settle(call: Call, answer: Answer | Silence, read: Callable[[bytes], _T]) -> _T | BackendError:
    """Return what the caller gets by the table above: an answer, or the error to raise.

    ``read`` makes an answer of the body of a 2xx, and may raise what ``reading`` raises.
    """
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


def verdict_on(answer: Answer | Silence, ending: object) -> Verdict:
    """Judge the backend by a call: a refusal is an answer, a 5xx or an answer of no use is none.

    ``ending`` is what ``settle`` made of the answer.
    """
    if isinstance(answer, Silence):
        return Verdict.FAILED
    if _REFUSED <= answer.status < _BROKEN:
        return Verdict.ANSWERED
    is_wrong = isinstance(ending, BackendUnavailable | OutcomeUnknown)
    return Verdict.FAILED if is_wrong or answer.status >= _BROKEN else Verdict.ANSWERED


def outcome_of(ending: object) -> Outcome:
    """Name an ending for the metrics: what ``settle`` or the gate returned; None for no ending."""
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


def _is_refusal(status: int, *, harmless: bool) -> bool:
    if harmless:
        return _REFUSED <= status < _BROKEN and status not in _LATER
    return _REFUSED <= status < _NO_STATUS


def _no_use(call: Call) -> BackendUnavailable | OutcomeUnknown:
    return BackendUnavailable() if call.harmless else OutcomeUnknown()

"""Every way in which the internal port says no: a status, a text for people, a code for programs.

Texts and codes are constant, and codes never change their meaning. ``field`` and ``expected``
are made of the names in our own schema, never of what was sent.
"""

from __future__ import annotations

from typing import Final

import attrs
import msgspec

from gogate_trio.protocol.handshake import Status
from gogate_trio.server.pages import Page

JSON: Final = "application/json"


@attrs.frozen
class Problem:
    """One way of saying no."""

    status: int
    phrase: str
    code: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()

    def page(self, field: str | None = None, expected: str | None = None) -> Page:
        """Return the answer; with the field that is at fault, where that is known."""
        body = msgspec.json.encode(ErrorAnswer(self.text, self.code, field, expected))
        return Page(JSON, body, self.headers, self.status, self.phrase)


class ErrorAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why not."""

    error: str
    code: str
    field: str | None = None
    expected: str | None = None


class Refused(Exception):
    """A request that cannot be served, and why."""

    def __init__(
        self, problem: Problem, *, field: str | None = None, expected: str | None = None
    ) -> None:
        super().__init__(problem.code)
        self.problem = problem
        self.field = field
        self.expected = expected

    def page(self) -> Page:
        """Return the answer."""
        return self.problem.page(self.field, self.expected)


INVALID_JSON: Final = Problem(
    400, "Bad Request", "INVALID_JSON", "The body is no JSON in UTF-8, or nested too deeply."
)
INVALID_BODY: Final = Problem(
    400, "Bad Request", "INVALID_BODY", "The body is not what the schema wants."
)
INVALID_PARAMETER: Final = Problem(
    400, "Bad Request", "INVALID_PARAMETER", "A parameter is not what the schema wants."
)
UNAUTHORIZED: Final = Problem(
    401,
    "Unauthorized",
    "UNAUTHORIZED",
    "X-Internal-API-Key is missing or wrong.",
    (("WWW-Authenticate", "ApiKey"),),
)
NOT_FOUND: Final = Problem(404, "Not Found", "NOT_FOUND", "There is nothing here.")
CHAT_NOT_FOUND: Final = Problem(
    404, "Not Found", "CHAT_NOT_FOUND", "The backend knows no such chat."
)
NOT_ALLOWED: Final = Problem(
    405, "Method Not Allowed", "METHOD_NOT_ALLOWED", "This is not asked for with this method."
)
TIMED_OUT: Final = Problem(
    408, "Request Timeout", "REQUEST_TIMEOUT", "The request took too long to arrive."
)
PRESENCE_OFF: Final = Problem(409, "Conflict", "PRESENCE_OFF", "Presence is off.")
BODY_TOO_LARGE: Final = Problem(
    413, "Content Too Large", "BODY_TOO_LARGE", "The body is too large."
)
NO_JSON: Final = Problem(
    415, "Unsupported Media Type", "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json."
)
_LATER: Final = (("Retry-After", "1"),)


def _later(code: str, text: str) -> Problem:
    return Problem(503, "Service Unavailable", code, text, _LATER)


BACKEND_UNAVAILABLE: Final = _later(
    "BACKEND_UNAVAILABLE",
    "The backend does not say who is in the chat. Nothing has happened: try again.",
)
CLUSTER_UNAVAILABLE: Final = _later(
    "CLUSTER_UNAVAILABLE", "The other nodes cannot be asked: try again."
)
BUSY: Final = _later("BUSY", "Too many requests are under way: try again.")
TOO_SLOW: Final = _later(
    "TOO_SLOW", "It took too long and may have happened: try again with the same Idempotency-Key."
)


def page_of(status: Status) -> Page:
    """Return what is wrong with a head as this port says it."""
    code = status.phrase.upper().replace(" ", "_")
    body = msgspec.json.encode(ErrorAnswer(status.text, code))
    return Page(JSON, body, status.headers, status.code, status.phrase)

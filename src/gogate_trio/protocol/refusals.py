"""Everything a client may be refused with: a text and a stable code word.

The texts are those of the Go program this one replaces, because deployed clients match on
them; the code words are ours and never change their meaning.
"""

from __future__ import annotations

import math
from typing import Final

import attrs

from gogate_trio.errors import BackendBusy, BackendError, BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId


@attrs.frozen
class Refusal:
    """One ``error`` event: ``message`` for people, ``code`` for programs."""

    code: str
    message: str
    retry_after_ms: int | None = None
    """Milliseconds after which asking again makes sense."""
    may_repeat: bool = False
    """Whether nothing has happened, so that asking again is safe."""
    chat_id: ChatId | None = None
    """Which chat it is about, where the client asked about several."""

    def because(
        self, reason: object, *, code: str | None = None, may_repeat: bool = False
    ) -> Refusal:
        """Return this refusal with a reason behind it, and another code where that says more."""
        return Refusal(code or self.code, f"{self.message}: {reason}", may_repeat=may_repeat)

    def after(self, seconds: float) -> Refusal:
        """Return this refusal with the time after which asking again makes sense."""
        return attrs.evolve(self, retry_after_ms=math.ceil(seconds * 1000))

    def about(self, chat_id: ChatId) -> Refusal:
        """Return this refusal with the chat it is about."""
        return attrs.evolve(self, chat_id=chat_id)


# ── the message itself ───────────────────────────────────────────────────────

INVALID_FORMAT: Final = Refusal("INVALID_FORMAT", "Invalid message format")
UNKNOWN_EVENT: Final = Refusal("UNKNOWN_EVENT", "Unknown event type")
INVALID_AUTH: Final = Refusal("INVALID_AUTH", "Invalid auth data")
INVALID_MESSAGE: Final = Refusal("INVALID_MESSAGE", "Invalid message data")
INVALID_CHAT_ID: Final = Refusal("INVALID_CHAT_ID", "Invalid chat_id")
INVALID_TYPING: Final = Refusal("INVALID_TYPING", "Invalid typing data")
INVALID_REACTION: Final = Refusal("INVALID_REACTION", "Invalid reaction data")
INVALID_READ: Final = Refusal("INVALID_READ", "Invalid read data")

# ── who sends it ─────────────────────────────────────────────────────────────

AUTH_REQUIRED: Final = Refusal("AUTH_REQUIRED", "Authentication required")
TOKEN_REQUIRED: Final = Refusal("TOKEN_REQUIRED", "Token is required")
AUTH_FAILED: Final = Refusal("AUTH_FAILED", "Authentication failed")
AUTH_TIMEOUT: Final = Refusal("AUTH_TIMEOUT", "Authentication timeout")
TOKEN_EXPIRED: Final = Refusal("TOKEN_EXPIRED", "Token expired")
TOKEN_REVOKED: Final = Refusal("TOKEN_REVOKED", "Token revoked")
"""Both said before close code 4503."""
ALREADY_AUTHENTICATED: Final = Refusal(
    "ALREADY_AUTHENTICATED", "Already authenticated as another user"
)
NOT_A_MEMBER: Final = Refusal("NOT_A_MEMBER", "Not a member of this chat")

# ── who is online ────────────────────────────────────────────────────────────

PRESENCE_OFF: Final = Refusal("PRESENCE_OFF", "Presence is off")
PRESENCE_FAILED: Final = Refusal("PRESENCE_FAILED", "Failed to tell who is online")
CHAT_TOO_BIG: Final = Refusal("CHAT_TOO_BIG", "Too many members to tell who is online")

# ── what the backend made of it ──────────────────────────────────────────────

SEND_FAILED: Final = Refusal("SEND_FAILED", "Failed to send message")
TYPING_FAILED: Final = Refusal("TYPING_FAILED", "Failed to send typing")
REACTION_FAILED: Final = Refusal("REACTION_FAILED", "Failed to add reaction")
READ_FAILED: Final = Refusal("READ_FAILED", "Failed to mark as read")

BACKEND_UNAVAILABLE: Final = "BACKEND_UNAVAILABLE"
"""Code in place of a ``*_FAILED`` one: nothing happened, sending again is safe."""

OUTCOME_UNKNOWN: Final = "OUTCOME_UNKNOWN"
"""Code in place of a ``*_FAILED`` one: it may have happened, ask before sending again."""


def failed(refusal: Refusal, error: BackendError) -> Refusal:
    """Say what went wrong, with a code that tells whether sending again is safe."""
    match error:
        case BackendBusy():
            return refusal.because(error, code=BUSY.code, may_repeat=True)
        case BackendUnavailable():
            return refusal.because(error, code=BACKEND_UNAVAILABLE, may_repeat=True)
        case OutcomeUnknown():
            return refusal.because(error, code=OUTCOME_UNKNOWN)
    return refusal.because(error)


# ── ours ─────────────────────────────────────────────────────────────────────

INTERNAL_ERROR: Final = Refusal("INTERNAL_ERROR", "Internal error")
BUSY: Final = Refusal("BUSY", "Too many commands are waiting, try again later")
RATE_LIMITED: Final = Refusal("RATE_LIMITED", "Too many of these, slow down")
FLOOD: Final = Refusal("FLOOD", "Too many refused messages")
"""Said before close code 4429."""
TOO_MANY_CONNECTIONS: Final = Refusal("TOO_MANY_CONNECTIONS", "Too many connections of this user")
"""Said before close code 4509."""
SLOW_CONSUMER: Final = Refusal("SLOW_CONSUMER", "Reading too slowly, reconnect")
"""Said before close code 4410 where it still can be."""

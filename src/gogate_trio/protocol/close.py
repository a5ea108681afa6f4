"""The ends of a connection: a catalogue of values.

Codes 1000-1015 are RFC 6455's; 4000-4499 are ours and mean "do reconnect"; 4500-4999 are
ours and mean "not as you are". A client can decide by the hundreds alone.
"""

from __future__ import annotations

from typing import Final

import attrs

from gogate_trio.protocol import refusals
from gogate_trio.protocol.refusals import Refusal


@attrs.frozen
class Hangup:
    """Why a connection ends. The first one named for a connection is the one that counts."""

    code: int
    """The close code the peer is told; ``SILENT`` for none."""
    reason: str
    """At most 123 bytes of UTF-8, constant; also the name of this end in logs and metrics."""
    refusal: Refusal | None = None
    """The ``error`` event that goes out before the close frame."""
    retry_after_ms: int | None = None
    """Milliseconds after which the client should come back."""
    words: str = ""
    """What the peer is told in place of the reason, where somebody else chose it. At most 123
    bytes of UTF-8."""

    @property
    def text(self) -> str:
        """The reason in the close frame, with ``retry=`` and the delay where there is one."""
        if self.retry_after_ms is not None:
            return f"retry={self.retry_after_ms}"
        return self.words or self.reason


RESTART: Final = 1012
"""The close code of a node that ends."""

SILENT: Final = 0
"""No close frame: there is nobody to tell, or half a frame stands in the way."""

CLIENT_LEFT: Final = Hangup(SILENT, "client left")
"""The peer's close frame came, and was answered with the same."""
LOST: Final = Hangup(SILENT, "connection lost")
"""The peer is gone without a word: end of stream or reset."""
CUT_OFF: Final = Hangup(SILENT, "cut off")
"""The node ended before a goodbye could be said."""
PROTOCOL_ERROR: Final = Hangup(1002, "protocol error")
BINARY: Final = Hangup(1003, "text messages only")
BAD_UTF8: Final = Hangup(1007, "invalid UTF-8")
TOO_BIG: Final = Hangup(1009, "message too big")
TOO_MANY_FRAGMENTS: Final = Hangup(1009, "too many fragments")
INTERNAL_ERROR: Final = Hangup(1011, "internal error")
NO_PONG: Final = Hangup(4408, "no pong")
SLOW_CONSUMER: Final = Hangup(4410, "slow consumer", refusals.SLOW_CONSUMER)
FLOOD: Final = Hangup(4429, "flood", refusals.FLOOD)
AUTH_TIMEOUT: Final = Hangup(4501, "authentication timeout", refusals.AUTH_TIMEOUT)
AUTH_REQUIRED: Final = Hangup(4501, "authentication required", refusals.AUTH_REQUIRED)
TOKEN_EXPIRED: Final = Hangup(4503, "token expired", refusals.TOKEN_EXPIRED)
TOKEN_REVOKED: Final = Hangup(4503, "token revoked", refusals.TOKEN_REVOKED)


TOO_MANY_CONNECTIONS: Final = Hangup(4509, "too many connections", refusals.TOO_MANY_CONNECTIONS)


def restart(after_ms: int) -> Hangup:
    """Return the end of a client whose node ends, and that is to come back after a while."""
    return Hangup(RESTART, "service restart", retry_after_ms=after_ms)


def backend_away(seconds: float) -> Hangup:
    """Return the end of a client that cannot be authenticated now."""
    return Hangup(1013, "backend unavailable", retry_after_ms=round(seconds * 1000))


def disconnected(code: int, words: str) -> Hangup:
    """Return the end of a client that the backend wants gone, in the backend's own words."""
    return Hangup(code, "disconnected", words=words)


def is_legal(code: int) -> bool:
    """Whether a peer may send this code in a close frame (RFC 6455, 7.4, and IANA's list)."""
    return code in _REGISTERED or 3000 <= code <= 4999  # noqa: PLR2004 - the RFC's own bounds


_REGISTERED: Final = frozenset({1000, 1001, 1002, 1003, *range(1007, 1014)})
"""1004 is reserved; 1005, 1006 and 1015 may never be sent. 1014 is a gateway's word, no
client's, and wsproto does not know it."""

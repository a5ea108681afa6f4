"""What a token says about itself, without believing it.

The backend alone decides whether a token is good. Here its ``exp`` is read to know when to
look again, and its form is checked so that nothing but a token ever reaches a header.
"""

from __future__ import annotations

import base64
from typing import Final

import attrs
import msgspec

from gogate_trio.limits import TOKEN_BYTES


def is_token(text: str) -> bool:
    """Whether this could be a token: 1 to ``limits.TOKEN_BYTES`` visible ASCII characters.

    What cannot stand in an HTTP header can be no JWT, and must never reach a header.
    """
    if not 1 <= len(text) <= TOKEN_BYTES or not text.isascii():
        return False
    return text.isprintable() and " " not in text


def expiry(token: str) -> float | None:
    """Return when a JWT ends (``exp``: seconds since 1970), None when it does not say.

    Nothing is verified. What is no JWT, or has no number there, has an unknown end.
    """
    parts = token.split(".")
    if len(parts) != _PARTS:
        return None
    try:
        # Too much padding is ignored, too little is not.
        return _claims.decode(base64.urlsafe_b64decode(parts[1] + "==")).exp
    except _UNREADABLE:
        return None


@attrs.frozen
class _Claims:
    exp: float | None = None


_PARTS: Final = 3
"""header, payload, signature; an encrypted token has five and tells nobody anything."""

_UNREADABLE: Final = (ValueError, RecursionError)
"""What base64 and msgspec raise: their own errors are ValueErrors."""

_claims: Final = msgspec.json.Decoder(_Claims)

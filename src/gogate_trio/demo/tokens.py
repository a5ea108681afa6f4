"""JSON Web Tokens as the real backend hands them out: HS256, an hour, checked to the second."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import jwt

from gogate_trio.demo.refusal import UNAUTHORIZED, Refused
from gogate_trio.ids import MAX_ID, UserId

if TYPE_CHECKING:
    from gogate_trio.demo.records import Person

LIFETIME: Final = 3600
"""seconds. The customer's backend's default."""

ALGORITHM: Final = "HS256"


class Tokens:
    """Signs and verifies with one secret."""

    def __init__(self, secret: str) -> None:
        """Take the secret of the data file."""
        self._secret = secret

    def issue(self, person: Person, *, lifetime: int = LIFETIME) -> str:
        """A token for this person that is good for ``lifetime`` seconds from now."""
        now = int(time.time())
        claims = {
            "iat": now,
            "exp": now + lifetime,
            "username": person.email,
            "user_id": person.user_id,
            "email": person.email,
        }
        return jwt.encode(claims, self._secret, algorithm=ALGORITHM)

    def verify(self, token: str) -> UserId:
        """Whose token this is. ``Refused`` (401) when it is not ours or no longer good."""
        try:
            claims = jwt.decode(
                token,
                self._secret,
                # Named here and never read from the token: "none" and other keys stay out.
                algorithms=[ALGORITHM],
                options={"require": ["exp", "user_id"]},
            )
        except jwt.ExpiredSignatureError:
            raise Refused(UNAUTHORIZED, "Token has expired") from None
        # A token with a lone surrogate cannot even be encoded.
        except (jwt.InvalidTokenError, UnicodeEncodeError):
            raise Refused(UNAUTHORIZED, "Invalid token") from None
        user_id = claims["user_id"]
        if type(user_id) is not int or not 1 <= user_id <= MAX_ID:
            raise Refused(UNAUTHORIZED, "Invalid token")
        return UserId(user_id)

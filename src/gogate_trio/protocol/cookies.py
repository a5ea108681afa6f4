"""Authentication by a cookie on the upgrade request.

A browser sends its cookies along with a WebSocket that any page opens. So a cookie counts
only where the browser also said which page that is (``Origin``), and that page was let in.

Whatever else such a page has to say of itself it says in the target: in ``auth``, the data of an
``auth`` event without the token, as in ``/ws?auth=%7B%22resume%22:true%7D``.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

from gogate_trio.protocol import refusals
from gogate_trio.protocol.codec import Refused, decode_auth
from gogate_trio.protocol.commands import Auth
from gogate_trio.protocol.handshake import Head
from gogate_trio.protocol.jwt import is_token
from gogate_trio.protocol.refusals import Refusal


def auth_of(head: Head, name: str) -> Auth | Refusal | None:
    """Return the authentication in a cookie; None when there is none.

    ``head`` must have passed the origin policy. A cookie that can be no token is refused, and
    so are two of one name that differ: a sibling site may have planted one of them. So is what
    the target asks for beside it where that is no data of an ``auth``, or names a token: those
    who log targets should not have one.
    """
    if not head.values(b"origin"):
        return None
    values = _values(head, name.encode("ascii"))
    if not values:
        return None
    token = values[0].decode("latin-1")
    if len(set(values)) > 1 or not is_token(token):
        return refusals.AUTH_FAILED.because("invalid cookie")
    try:
        return _asked(head.target, token)
    except Refused as refused:
        return refused.refusal


def _asked(target: bytes, token: str) -> Auth:
    """Return what is asked for in the target. Raises ``Refused``."""
    pairs = (pair.partition(b"=") for pair in target.partition(b"?")[2].split(b"&"))
    asked = [value for key, _, value in pairs if key == b"auth"]
    if not asked:
        return Auth(token)
    if len(asked) > 1:
        raise Refused(refusals.INVALID_AUTH)
    return decode_auth(unquote_to_bytes(asked[0].replace(b"+", b" ")), token)


def _values(head: Head, name: bytes) -> list[bytes]:
    """Return the values of all cookies of a name, in order."""
    found = []
    for header in head.values(b"cookie"):
        for pair in header.split(b";"):
            key, equals, value = pair.partition(b"=")
            if equals and key.strip() == name:
                found.append(value.strip())
    return found

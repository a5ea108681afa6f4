"""What leaves for the backend: each call's path, headers and body. Pure.

Nothing that could forge a header or an address gets this far: tokens are checked here, ids
are numbers, texts are JSON.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs
import httpx
import msgspec

from gogate_trio import __version__
from gogate_trio.backend.exchange import Call, Endpoint
from gogate_trio.errors import BackendRejected
from gogate_trio.limits import TOKEN_BYTES

if TYPE_CHECKING:
    from gogate_trio.config import BackendSettings

    Header = tuple[bytes, bytes]

_HARMLESS: Final[frozenset[Endpoint]] = frozenset({"validate", "members"})
_HEADER_SAFE: Final = re.compile(r"[\x21-\x7e]+")


@attrs.frozen
class Site:
    """Where the backend is, and what opens its internal doors."""

    prefix: str = attrs.field(repr=False)
    """The path that goes before every call's."""
    common: tuple[Header, ...] = attrs.field(repr=False)
    """The headers of every call."""
    key: Header = attrs.field(repr=False)

    @classmethod
    def of(cls, settings: BackendSettings) -> Site:
        """Return the site that the settings name."""
        url = httpx.URL(settings.url)
        key = settings.internal_api_key.reveal().encode()
        return cls(
            url.raw_path.decode("ascii").rstrip("/"),
            ((b"Host", url.netloc), *_COMMON),
            (b"X-Internal-API-Key", key),
        )

    def get(self, endpoint: Endpoint, path: str) -> Call:
        """Return a call to an internal endpoint, without a body."""
        return self._call(endpoint, "GET", path, b"", self.key)

    def post(self, endpoint: Endpoint, path: str, body: object, *credentials: Header) -> Call:
        """Return a call with a body. ``BackendRejected`` for text that UTF-8 cannot hold."""
        try:
            content = msgspec.json.encode(body)
        except UnicodeEncodeError:
            raise BackendRejected(400, "text is no valid Unicode") from None
        length = (b"Content-Length", b"%d" % len(content))
        return self._call(endpoint, "POST", path, content, *credentials, _JSON, length)

    def _call(
        self, endpoint: Endpoint, method: str, path: str, body: bytes, *headers: Header
    ) -> Call:
        return Call(
            endpoint,
            method,
            (self.prefix + path).encode("ascii"),
            (*self.common, *headers),
            body,
            endpoint in _HARMLESS,
        )


_COMMON: Final[tuple[Header, ...]] = (
    (b"Accept", b"application/json"),
    (b"Accept-Encoding", b"identity"),
    (b"User-Agent", f"gogate/{__version__}".encode()),
)
_JSON: Final = (b"Content-Type", b"application/json")


def require_token(token: str) -> None:
    """Refuse what can be no JWT and must never reach a header."""
    if len(token) > TOKEN_BYTES or not _HEADER_SAFE.fullmatch(token):
        raise BackendRejected(401, "invalid token")


def traced(call: Call, traceparent: str) -> Call:
    """Return a call that tells the backend which trace it belongs to."""
    header = (b"traceparent", traceparent.encode("ascii"))
    return attrs.evolve(call, headers=(*call.headers, header))


def credentials(token: str, key: str | None) -> list[Header]:
    """Return what says in whose name a call is made, and which call it is."""
    require_token(token)
    bearer = (b"Authorization", b"Bearer " + token.encode())
    return [bearer] if key is None else [bearer, (b"Idempotency-Key", key.encode("ascii"))]

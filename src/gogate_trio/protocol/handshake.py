"""The HTTP head of a request, and whether it may become a WebSocket (RFC 6455, 4.2.1).

The head that trio-websocket is shown is not the client's but one of ours: no header of a
stranger reaches its parser, and no extension is negotiated.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import Final

import attrs

_KEY_BYTES: Final = 16
_VERSION: Final = b"13"


@attrs.frozen
class Head:
    """A request's head, as h11 read it: header names in lower case."""

    method: bytes
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    http_version: bytes

    @property
    def path(self) -> bytes:
        """The target without its query."""
        return self.target.partition(b"?")[0]

    def values(self, name: bytes) -> list[bytes]:
        """Return all values of a header, in order. ``name`` in lower case."""
        return [value for key, value in self.headers if key == name]

    def tokens(self, name: bytes) -> set[bytes]:
        """Return the comma-separated tokens of a header, in lower case."""
        return {part.strip().lower() for value in self.values(name) for part in value.split(b",")}


@attrs.frozen
class Status:
    """An HTTP answer that refuses: its number, its phrase, one line for the reader."""

    code: int
    phrase: str
    text: str
    headers: tuple[tuple[str, str], ...] = ()


BAD_REQUEST: Final = Status(400, "Bad Request", "This is no request this server understands.")
SPEAK_TLS: Final = Status(
    400, "Bad Request", "This port speaks TLS: use https:// or wss:// in place of http:// or ws://."
)
TIMED_OUT: Final = Status(408, "Request Timeout", "The request took too long to arrive.")
FORBIDDEN: Final = Status(403, "Forbidden", "Pages of this origin may not connect.")
NOT_FOUND: Final = Status(404, "Not Found", "There is nothing here. The WebSocket is at /ws.")
NOT_ALLOWED: Final = Status(
    405, "Method Not Allowed", "Only GET and HEAD work here.", (("Allow", "GET, HEAD"),)
)
ONLY_GET: Final = Status(
    405, "Method Not Allowed", "A WebSocket begins with GET.", (("Allow", "GET"),)
)
BODY_REFUSED: Final = Status(413, "Content Too Large", "This server takes no request bodies.")
UPGRADE_REQUIRED: Final = Status(
    426,
    "Upgrade Required",
    "This is a WebSocket endpoint.",
    (("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")),
)
HEAD_TOO_BIG: Final = Status(
    431, "Request Header Fields Too Large", "The request has too many or too long headers."
)
UNAVAILABLE: Final = Status(503, "Service Unavailable", "Try again later.", (("Retry-After", "5"),))


def fault_of_head(head: Head, *, most_headers: int) -> Status | None:
    """What is wrong with any request, page or WebSocket."""
    if len(head.headers) > most_headers:
        return HEAD_TOO_BIG
    if head.http_version not in {b"1.0", b"1.1"}:
        return BAD_REQUEST
    lengths, codings = head.values(b"content-length"), head.values(b"transfer-encoding")
    if lengths and codings:
        return BAD_REQUEST
    if codings or any(length.strip(b"0") for length in lengths):
        return BODY_REFUSED
    return None


def fault_of_upgrade(head: Head) -> Status | None:
    """Why a request for the WebSocket's path may not become one."""
    if head.method != b"GET":
        return ONLY_GET
    if b"websocket" not in head.tokens(b"upgrade"):
        return UPGRADE_REQUIRED
    if head.http_version != b"1.1" or b"upgrade" not in head.tokens(b"connection"):
        return BAD_REQUEST
    if head.values(b"sec-websocket-version") != [_VERSION]:
        return UPGRADE_REQUIRED
    keys = head.values(b"sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        return BAD_REQUEST
    return None


def acceptance(head: Head) -> bytes:
    """Return the answer that makes the connection of a faultless upgrade a WebSocket."""
    (key,) = head.values(b"sec-websocket-key")
    proof = hashlib.sha1(key + _GUID, usedforsecurity=False).digest()
    return _ACCEPTANCE % base64.b64encode(proof)


def _is_key(key: bytes) -> bool:
    try:
        return len(base64.b64decode(key, validate=True)) == _KEY_BYTES
    except binascii.Error:
        return False


_GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What RFC 6455 has every server put behind the key."""

_ACCEPTANCE: Final = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: %b\r\n"
    b"\r\n"
)

OPENING: Final = (
    b"GET /ws HTTP/1.1\r\n"
    b"Host: gogate\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"\r\n"
)
"""The head that trio-websocket is shown."""

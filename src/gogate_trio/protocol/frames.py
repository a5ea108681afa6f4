"""RFC 6455 frames, writing: ours from server to client.

Server frames are unmasked and, without compression, know no state, so a frame is built
once and the same bytes go to every receiver.
"""

from __future__ import annotations

from typing import Final

TEXT: Final = 0x1
BINARY: Final = 0x2
CONTINUATION: Final = 0x0
CLOSE: Final = 0x8
PING: Final = 0x9
PONG: Final = 0xA

FIN: Final = 0x80
"""The bit in the first byte that ends a message."""
MASK_BYTES: Final = 4
LENGTH_16: Final = 126
"""The length byte that says: two bytes of length follow. 127 says eight."""

PING_FRAME: Final = bytes((FIN | PING, 0))
"""Our heartbeat: any pong, and any other byte, answers it."""


def text_frame(payload: bytes) -> bytes:
    """Return a whole text message from server to client. ``payload`` must be valid UTF-8."""
    size = len(payload)
    if size < LENGTH_16:
        return bytes((FIN | TEXT, size)) + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2) + payload
    return b"\x81\x7f" + size.to_bytes(8) + payload


def close_frame(code: int, reason: str = "") -> bytes:
    """Return a close frame from server to client; at most 123 bytes of reason."""
    payload = code.to_bytes(2) + reason.encode()
    return bytes((FIN | CLOSE, len(payload))) + payload


def echo_of(close: bytes) -> bytes:
    """Return the answer to a client's whole, faultless close frame: the same, unmasked.

    It is what wsproto answers; a test asks it.
    """
    start = 2 + MASK_BYTES
    payload = unmask(close[start:], close[2:start])
    return bytes((FIN | CLOSE, len(payload))) + payload


def unmask(payload: bytes, key: bytes) -> bytes:
    """Undo (or do) a client's masking. One big XOR: 1 µs for 300 bytes."""
    size = len(payload)
    keys = (key * (size // MASK_BYTES + 1))[:size]
    return (int.from_bytes(payload, "little") ^ int.from_bytes(keys, "little")).to_bytes(
        size, "little"
    )

"""Frames as a WebSocket client sends them, right and wrong."""

from __future__ import annotations

from gogate_trio.protocol.frames import FIN, unmask

KEY = b"\x12\x9a\x00\xf7"


def frame(
    opcode: int,
    payload: bytes = b"",
    *,
    fin: bool = True,
    key: bytes | None = KEY,
    rsv: int = 0,
    length_bytes: int | None = None,
    length: int | None = None,
) -> bytes:
    """Return one frame.

    ``key``: None leaves it unmasked. ``length_bytes``: 0, 2 or 8 in place of the shortest.
    ``length``: announced in place of the true one.
    """
    size = len(payload) if length is None else length
    if length_bytes is None:
        length_bytes = 0 if size < 126 else 2 if size < 1 << 16 else 8
    first = (FIN if fin else 0) | rsv | opcode
    mask = 0 if key is None else 0x80
    short = {0: size, 2: 126, 8: 127}[length_bytes]
    head = bytes((first, mask | short)) + (size.to_bytes(length_bytes) if length_bytes else b"")
    return head + payload if key is None else head + key + unmask(payload, key)


def chop(data: bytes, cuts: list[int]) -> list[bytes]:
    """Cut bytes at these places (any numbers; they are taken modulo the length)."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    ends = [*places, len(data)]
    return [data[begin:end] for begin, end in zip([0, *places], ends, strict=True)]

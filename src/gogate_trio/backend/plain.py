"""The head of an ordinary answer, read without h11. Pure.

Almost every answer is of one shape: HTTP/1.1, a status that has a body, headers of a line
each, and either one length or a few bare chunks that came with the head. One pattern reads it in
2 µs, where h11 takes 45. The pattern knows nothing of anything else, and takes only what h11
would read as the same answer, which a test asks of both: where an answer ends is the part of HTTP
that is attacked. What it does not know (no length or two, chunks with words of their own or still
to come, hints, ``Connection: close``, bare line feeds, a head in pieces) is h11's.
"""

from __future__ import annotations

import re
from typing import Final

import attrs


@attrs.frozen
class PlainHead:
    """The head of an answer that has a body of a known length."""

    status_code: int
    length: int
    """The bytes of its body."""
    behind: bytes = attrs.field(repr=False)
    """Of these, what came with it; and what else came."""
    _lines: bytes = attrs.field(repr=False)

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers in order, their names in lower case."""
        parted = [line.partition(b":") for line in self._lines.split(b"\r\n")[:-1]]
        return [(name.lower(), value.strip(b" \t")) for name, _, value in parted]


def read_plain_head(data: bytes) -> PlainHead | None:
    """Read the head with which these bytes begin; None when it is not whole, or not plain."""
    match = _PLAIN.match(data)
    if match is None:
        return None
    status, lines, length = match.groups()
    behind = data[match.end() :]
    if length is not None:
        return PlainHead(int(status), int(length), behind, lines)
    body = _join_chunks(behind)
    return None if body is None else PlainHead(int(status), len(body), body, lines)


def _join_chunks(data: bytes) -> bytes | None:
    """Return the body that these chunks are, to the last byte; None when they are not all plain."""
    parts: list[bytes] = []
    at = 0
    while (size := _SIZE.match(data, at)) is not None and len(parts) < _CHUNKS:
        length = int(size[1], 16)
        begin = size.end()
        at = begin + length + 2
        if data[at - 2 : at] != b"\r\n":
            return None
        if not length:
            return b"".join(parts) if at == len(data) else None
        parts.append(data[begin : at - 2])
    return None


_NEUTRAL: Final = (
    rb"(?:(?!content-length:|transfer-encoding:|connection:)"
    rb"[-!#$%&'*+.^_`|~0-9a-z]+:[\t\x20-\x7e\x80-\xff]*\r\n"
    rb"|connection:[\t ]*keep-alive[\t ]*\r\n)*"
)
"""Lines that say nothing about where the body ends, or whether another answer may follow."""

_FRAMING: Final = (
    rb"(?:content-length:[\t ]*([0-9]{1,15})|transfer-encoding:[\t ]*(?-i:chunked))[\t ]*\r\n"
)
_PLAIN: Final = re.compile(
    # No 204, 205 or 304: they end with their heads, or ought to.
    rb"HTTP/1\.1 (?!20[45]|304)([2-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?\r\n"
    rb"((?i:%b%b%b))\r\n" % (_NEUTRAL, _FRAMING, _NEUTRAL)
)
"""No byte can be taken in two ways: what it does not match, it gives up after a few looks.

Not possessive: before Python 3.11.5 groups that are take too much, or crash.
"""

_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,8})\r\n")
_CHUNKS: Final = 16
"""chunks that are looked at; an answer in more of them is h11's"""

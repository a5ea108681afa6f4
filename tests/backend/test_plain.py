"""Plain answers are read without h11, and read as h11 reads them: whatever comes, in any pieces."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import attrs
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.hostile import http
from gogate_trio.backend import conversation
from gogate_trio.backend.conversation import Conversation
from gogate_trio.backend.plain import read_plain_head

if TYPE_CHECKING:
    from collections.abc import Coroutine

BODY = b'{"id":1}'


@attrs.define(eq=False)
class Script:
    """A pipe that has everything there is to be read, in pieces; it never blocks."""

    pieces: list[bytes]

    async def send(self, data: bytes) -> None:
        """Nobody hears it."""

    def post(self, data: bytes) -> bool:  # noqa: ARG002 - the port's
        """Nobody hears it later either."""
        return True

    async def receive(self) -> bytes:
        """The next piece, and at last the end."""
        return self.pieces.pop(0) if self.pieces else b""

    def is_readable(self) -> bool:
        """Not asked."""
        raise AssertionError

    def close(self) -> None:
        """Nothing to close."""


def at_once(coroutine: Coroutine[object, object, object]) -> object:
    """The result of what never blocks."""
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    return done.value.value


async def hold(pieces: list[bytes], method: str) -> list[object]:
    """What comes of two requests on one connection: heads, bodies, whether it may go on."""
    talk, seen = Conversation(Script(list(pieces))), []
    for _ in range(2):
        body = b""
        try:
            head = await talk.ask(method, b"x", {})
            seen += [head.status_code, list(head.headers)]
            while (part := await talk.part({})) is not None:
                body += part
        except httpx.RemoteProtocolError:
            return [*seen, body, "broken"]
        seen.append(body)
        if not talk.go_on():
            return [*seen, "over"]
    return seen


STATUSES = (b"200 OK", b"201", b"204 No", b"304 X", b"100 Continue", b"500 \xff", b"600 X", b"20 X")
LENGTHS = (b"Content-Length: 8", b"content-length:8 ", b"Transfer-Encoding: chunked ")
NEUTRAL = (b"Content-Lengths: 3", b"X:", b"X-Y: \t a b \t", b"connection: Keep-Alive")
ODD = (
    *LENGTHS,
    b"Content-Length: 0",
    b"Content-Length: 12",
    b"Content-Length: 8, 8",
    b"Content-Length: -8",
    b"Content-Length : 8",
    b"Content-Length: 0000000000000000000008",
    b"Transfer-Encoding: Chunked",
    b"transfer-encoding: identity",
    b"Connection: close",
    b"Connection: keep-alive, close",
    b"X-Y: \x01",
    b" folded",
    b"no colon",
    b"",
)
LAST = b"0\r\n\r\n"
BODIES = (BODY, b"", BODY + BODY, http(200, BODY))
CHUNKS = (
    b"8\r\n" + BODY + b"\r\n" + LAST,
    b"3\r\n" + BODY[:3] + b"\r\n0005\r\n" + BODY[3:] + b"\r\n" + LAST,
    b"a\r\n0123456789\r\n" + LAST,
    b"1\r\nx\r\n" * 20 + LAST,
    b"8;x=y\r\n" + BODY + b"\r\n" + LAST,
    b"8\r\n" + BODY + b"\r\n0\r\nX: y\r\n\r\n",
    b"8\r\n" + BODY + b"\r\n" + LAST + b"HTTP/1.1 ",
    b"9\r\n" + BODY + b"\r\n" + LAST,
    LAST,
)
lines = st.lists(st.sampled_from(NEUTRAL), max_size=4)
odd_lines = st.lists(st.sampled_from(NEUTRAL + ODD), max_size=2)
seldom = st.sampled_from((False,) * 4 + (True,))


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    """An answer that is plain, or almost; sometimes with a byte that is wrong."""
    version = b"HTTP/1.0 " if draw(seldom) else b"HTTP/1.1 "
    status = draw(st.sampled_from(STATUSES)) if draw(seldom) else b"200 OK"
    odd = draw(odd_lines) if draw(seldom) else []
    framing = draw(st.sampled_from(LENGTHS))
    head = [version + status, *draw(lines), *odd, framing, *draw(lines)]
    behind = CHUNKS if (framing is LENGTHS[-1]) is not draw(seldom) else BODIES
    end = b"\n" if draw(seldom) else b"\r\n"
    answer = end.join([*head, b"", draw(st.sampled_from(behind))])
    if draw(seldom):
        at = draw(st.integers(0, len(answer) - 1))
        answer = answer[:at] + draw(st.binary(max_size=2)) + answer[at + 1 :]
    return answer


@settings(deadline=None, max_examples=300)
@given(
    stream=st.lists(answers(), min_size=1, max_size=2).map(b"".join),
    cuts=st.lists(st.integers(1, 400), max_size=4),
    method=st.sampled_from(("POST", "POST", "GET", "HEAD")),
)
def test_with_and_without_h11_the_same_comes_out(stream, cuts, method):
    """Statuses, headers, bodies, errors, and whether the connection may be used again."""
    places = sorted({0, *(cut for cut in cuts if cut < len(stream)), len(stream)})
    pieces = [stream[i:j] for i, j in pairwise(places)]

    as_it_is = at_once(hold(pieces, method))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conversation, "read_plain_head", lambda _data: None)
        by_h11_alone = at_once(hold(pieces, method))

    assert as_it_is == by_h11_alone


@pytest.mark.parametrize(
    ("head", "is_plain"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n", True),
        (b"HTTP/1.1 422\r\ncontent-type: a/b\r\ncontent-length:8\r\nX: \r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nContent-Length: 8\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 8\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\nContent-Length: 9\r\n\r\n", False),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 8\r\n\r\n", False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\n", False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n", False),
    ],
)
def test_what_backends_say_every_day_is_plain(head, is_plain):
    """And what tells the end of the body in another way is not."""
    assert (read_plain_head(head) is not None) is is_plain

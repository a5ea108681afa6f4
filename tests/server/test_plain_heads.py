"""Plain heads are read without h11, and read as h11 reads them: whatever comes, in any pieces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fakes.clients import UPGRADE
from gogate_trio.protocol.heads import read_plain_head
from gogate_trio.server import door

if TYPE_CHECKING:
    from collections.abc import Coroutine

LINES = (b"Host: a", b"X:", b"x-y: \t a b \t", b"Cookie: a=\xff; b", b"Expect: 100-continue")
ODD = (
    b"host: b",
    b"Host : a",
    b"Content-Length: 0",
    b"Content-Length: 4, 4",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: gzip",
    b"Content-Lengths: 3",
    b"X: \x00",
    b"X: \x01",
    b" folded",
    b"no colon",
    b"",
)
REQUESTS = (b"GET /ws HTTP/1.1", b"HEAD /a?b HTTP/1.1", b"POST * HTTP/1.1", b"CONNECT a:1 HTTP/1.1")
ODD_REQUESTS = (b"GET /ws HTTP/1.0", b"GET /\xff HTTP/1.1", b"GET  / HTTP/1.1", b"GET / http/1.1")
seldom = st.sampled_from((False,) * 4 + (True,))


class Pieces:
    """A stream that has its bytes ready. Never waits."""

    def __init__(self, pieces: list[bytes]) -> None:
        """Take what comes, in order."""
        self._pieces = list(pieces)

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002
        """The next piece; empty at the end."""
        return self._pieces.pop(0) if self._pieces else b""


def at_once(coroutine: Coroutine[object, object, object]) -> object:
    """The result of what never waits."""
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    return done.value.value


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """A head that is plain, or almost; sometimes with a byte that is wrong."""
    request = draw(st.sampled_from(ODD_REQUESTS if draw(seldom) else REQUESTS))
    lines = draw(st.lists(st.sampled_from(LINES[1:]), max_size=3))
    odd = draw(st.lists(st.sampled_from(ODD), max_size=2)) if draw(seldom) else []
    host = [] if draw(seldom) else [LINES[0]]
    end = b"\n" if draw(seldom) else b"\r\n"
    behind = draw(st.sampled_from((b"", b"\x81\x80abcd", b"GET / HTTP/1.1\r\n")))
    head = end.join([request, *lines, *host, *odd, b"", behind])
    if draw(seldom):
        at = draw(st.integers(0, len(head) - 1))
        head = head[:at] + draw(st.binary(max_size=2)) + head[at + 1 :]
    return head


@settings(deadline=None, max_examples=300)
@given(head=heads(), cut=st.integers(1, 200))
def test_with_and_without_h11_the_same_comes_out(head, cut):
    """Method, target, headers, what came behind it: or the status that refuses it."""
    pieces = [piece for piece in (head[:cut], head[cut:]) if piece]

    as_it_is = [at_once(door.read_head(Pieces(each))) for each in (pieces, [head])]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(door, "read_plain_head", lambda _data: None)
        by_h11_alone = [at_once(door.read_head(Pieces(each))) for each in (pieces, [head])]

    assert as_it_is == by_h11_alone


def test_an_upgrade_is_plain():
    """And what may announce a body, or names two hosts, is not."""
    assert read_plain_head(UPGRADE + b"\r\nbehind")[1] == len(UPGRADE) + 2
    for odd in (*ODD, b"Host: a"):
        if odd not in {b"Content-Lengths: 3", b""}:
            assert read_plain_head(UPGRADE + odd + b"\r\n\r\n") is None

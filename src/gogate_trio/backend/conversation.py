"""HTTP/1.1 on one connection to the backend: one request, one answer, and again.

An ordinary answer is read by ``plain``. Any other is h11's, from its first byte: it knows where
each ends, what is too long or out of shape, and whether another may follow. Requests are written
here: h11 would spend more on checking headers of our own making than on the answer. It is shown
a stand-in, to be in step.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs
import h11
import httpx
import trio

from gogate_trio.backend.pipe import NothingLeft
from gogate_trio.backend.plain import PlainHead, read_plain_head
from gogate_trio.limits import ANSWER_PIECES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from gogate_trio.backend.pipe import Pipe

    Timeouts = Mapping[str, float | None]


class Conversation:
    """One kept-alive connection. One task at a time uses it.

    After an error or a cancellation it is of no more use and must be closed.
    """

    def __init__(self, pipe: Pipe) -> None:
        """Take the connection over."""
        self._pipe = pipe
        self._h11: h11.Connection | None = None
        """Reads the answer under way, unless that is plain."""
        self._left = 0
        """The bytes of a plain answer's body that are still to be returned."""
        self._read = b""
        """What came and was not returned yet."""
        self._pieces = 0
        """What h11 has read of the answer under way."""
        self._is_last = False
        """Whether no other request may follow."""
        self.idle_since = 0.0
        """When it was last of use: trio's time."""

    async def ask(
        self, method: str, request: bytes, timeouts: Timeouts
    ) -> PlainHead | h11.Response:
        """Send a whole request; return the head of its answer.

        Raises ``NothingLeft`` when no byte of it was sent, else another
        ``httpx.TransportError``.
        """
        try:
            if timeouts:
                await self._send(request, timeouts.get("write"))
                data = await self._receive(timeouts.get("read"))
            else:
                if not self._pipe.post(request):
                    await self._pipe.send(request)
                data = await self._pipe.receive()
        except NothingLeft:
            raise
        except httpx.WriteError:
            # A backend may say no and hang up before it has read everything.
            self._is_last = True
            data = await self._receive(timeouts.get("read"))
        plain = read_plain_head(data) if method in _ANSWERED else None
        if plain is not None:
            self._left, self._read = plain.length, plain.behind
            return plain
        self._h11 = talk = _waiting(method)
        self._pieces = 0
        talk.receive_data(data)
        while True:
            event = await self._next(talk, timeouts.get("read"))
            if type(event) is h11.Response:
                # h11 goes by the coding. Somebody in between may have gone by the length.
                self._is_last |= {name for name, _ in event.headers} >= _FRAMINGS
                return event

    async def part(self, timeouts: Timeouts) -> bytes | None:
        """Return the next part of the answer's body; None at its end."""
        if self._h11 is not None:
            event = await self._next(self._h11, timeouts.get("read"))
            return bytes(event.data) if type(event) is h11.Data else None
        if not self._left:
            return None
        data = self._read or await self._receive(timeouts.get("read"))
        if not data:
            raise httpx.RemoteProtocolError("the connection ended before the answer did")
        part, self._read = data[: self._left], data[self._left :]
        self._left -= len(part)
        return part

    async def whole(self, most: int) -> bytes | None:
        """Return the answer's whole body; None for more bytes than ``most``, left unread."""
        if self._h11 is None and len(self._read) == self._left <= most:
            # As ordinary answers come: all of it came with the head.
            body, self._read, self._left = self._read, b"", 0
            return body
        parts: list[bytes] = []
        size = 0
        while (part := await self.part(_AT_LEISURE)) is not None:
            size += len(part)
            if size > most:
                return None
            parts.append(part)
        return b"".join(parts)

    def go_on(self) -> bool:
        """Get ready for another request; False when there cannot be one."""
        talk, self._h11 = self._h11, None
        # Bytes behind the answer would be taken for the next one's.
        if self._is_last or self._left or self._read:
            return False
        return talk is None or (
            talk.our_state is h11.DONE
            and talk.their_state is h11.DONE
            and not talk.trailing_data[0]
        )

    def is_dead(self) -> bool:
        """Whether the other side has hung up, or speaks out of turn, while nobody asked."""
        return self._pipe.is_readable()

    def mind(self, until: float | None) -> bool:
        """Mind the time as ``Pipe.mind`` does."""
        return self._pipe.mind(until)

    def close(self) -> None:
        """Hang up at once. Idempotent."""
        self._pipe.close()

    async def _next(self, talk: h11.Connection, seconds: float | None) -> h11.Event:
        while True:
            try:
                event = talk.next_event()
                if isinstance(event, h11.Event):
                    await self._count_piece()
                    return event
                # Never PAUSED: that is for whoever waits for a request.
                talk.receive_data(await self._receive(seconds))
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from error

    async def _count_piece(self) -> None:
        """Bound what h11 spends on an answer, and let others have their turns meanwhile."""
        self._pieces += 1
        if self._pieces > ANSWER_PIECES:
            raise httpx.RemoteProtocolError("the answer is in too many pieces")
        if not self._pieces % _PER_TURN:
            # A call that minds its time by itself is not to be cancelled.
            await trio.lowlevel.cancel_shielded_checkpoint()

    async def _receive(self, seconds: float | None) -> bytes:
        # A scope costs as much as a send, and most callers bring one of their own.
        if seconds is None:
            return await self._pipe.receive()
        with trio.move_on_after(seconds):
            return await self._pipe.receive()
        raise httpx.ReadTimeout("")

    async def _send(self, data: bytes, seconds: float | None) -> None:
        if seconds is None:
            await self._pipe.send(data)
            return
        with trio.move_on_after(seconds) as scope:
            await self._pipe.send(data)
        if scope.cancelled_caught:
            raise httpx.WriteTimeout("")


@attrs.frozen
class Head:
    """The head of a request, written."""

    data: bytes
    length: int
    """The bytes of body it announces."""

    def before(self, body: bytes) -> bytes:
        """Return the whole request. Raises ``httpx.LocalProtocolError`` for another length."""
        # What is left over, or missing, would be read as the next request.
        if len(body) != self.length:
            raise httpx.LocalProtocolError("Content-Length is not the body's length")
        return self.data + body


def write_head(method: str, target: bytes, headers: Sequence[tuple[bytes, bytes]]) -> Head:
    """Write the head of a request.

    Raises ``httpx.LocalProtocolError`` for anything that would not arrive as it was meant.
    """
    block = b"".join([b"%b: %b\r\n" % header for header in headers])
    lines = _LINES.fullmatch(block)
    # The count finds what the pattern cannot: a line break within a value makes two good lines.
    if lines is None or block.count(b"\n") != len(headers) or not _TARGET.fullmatch(target):
        raise httpx.LocalProtocolError("a header or the target is malformed")
    data = b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode("ascii"), target, block)
    return Head(data, int(lines[1] or b"0"))


_AT_LEISURE: Final[Timeouts] = {}
"""No time-outs of its own: whoever calls has a deadline."""

_LINE: Final = (
    rb"(?:(?!(?i:content-length|transfer-encoding):)"
    rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)"
)
_LINES: Final = re.compile(rb"%b*(?:(?i:content-length): ([0-9]{1,15})\r\n%b*)?" % (_LINE, _LINE))
_TARGET: Final = re.compile(rb"/[\x21-\x7e]*")
_FRAMINGS: Final = frozenset({b"content-length", b"transfer-encoding"})
_PER_TURN: Final = 256
"""pieces of an answer between two checkpoints: about 4 ms"""
_ANSWERED: Final = frozenset({"GET", "POST"})
"""Methods whose answers have the body they announce."""


def _waiting(method: str) -> h11.Connection:
    """Return an h11 that believes it sent a request: of the real one only the method matters."""
    talk = h11.Connection(h11.CLIENT)
    talk.send(h11.Request(method=method, target="/", headers=[("Host", "stand-in")]))
    talk.send(h11.EndOfMessage())
    return talk

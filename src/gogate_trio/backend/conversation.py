"""HTTP/1.1 on one connection to the backend: one request, one answer, and again.

h11 reads the answers, which others write: it knows where each ends, what is too long or out
of shape, and whether another may follow. Requests are written here: h11 would spend more on
checking headers of our own making than on the answer. It is shown a stand-in, to keep step.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import attrs
import h11
import httpx
import trio

from gogate_trio.backend.pipe import NothingLeft

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gogate_trio.backend.pipe import Pipe

    Timeouts = Mapping[str, float | None]


class Conversation:
    """One kept-alive connection. One task at a time uses it.

    After an error or a cancellation it is of no more use and must be closed.
    """

    def __init__(self, pipe: Pipe) -> None:
        """Take the connection over."""
        self._pipe = pipe
        self._h11 = h11.Connection(h11.CLIENT)
        self._is_cut = False
        self.idle_since = 0.0
        """When it was last of use: trio's time."""

    async def ask(self, method: str, request: bytes, timeouts: Timeouts) -> h11.Response:
        """Send a whole request; return the head of its answer.

        Raises ``NothingLeft`` when no byte of it was sent, else another
        ``httpx.TransportError``.
        """
        self._h11.send(_stand_in(method))
        self._h11.send(_END)
        try:
            await self._send(request, timeouts.get("write"))
        except NothingLeft:
            raise
        except httpx.WriteError:
            # A backend may say no and hang up before it has read everything.
            self._is_cut = True
        while True:
            event = await self._next(timeouts.get("read"))
            if type(event) is h11.Response:
                return event

    async def part(self, timeouts: Timeouts) -> bytes | None:
        """Return the next part of the answer's body; None at its end."""
        event = await self._next(timeouts.get("read"))
        return bytes(event.data) if type(event) is h11.Data else None

    def go_on(self) -> bool:
        """Get ready for another request; False when there cannot be one."""
        talk = self._h11
        ended = talk.our_state is h11.DONE and talk.their_state is h11.DONE
        # Bytes behind the answer would be taken for the next one's.
        if not ended or self._is_cut or talk.trailing_data[0]:
            return False
        talk.start_next_cycle()
        return True

    def is_dead(self) -> bool:
        """Whether the other side has hung up, or speaks out of turn, while nobody asked."""
        return self._pipe.is_readable()

    def close(self) -> None:
        """Hang up at once. Idempotent."""
        self._pipe.close()

    async def _next(self, seconds: float | None) -> h11.Event:
        while True:
            try:
                event = self._h11.next_event()
                if isinstance(event, h11.Event):
                    return event
                # Never PAUSED: that is for whoever waits for a request.
                self._h11.receive_data(await self._receive(seconds))
            except h11.RemoteProtocolError as error:
                raise httpx.RemoteProtocolError(str(error)) from error

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


def write_head(request: httpx.Request) -> Head:
    """Write the head of a request.

    Raises ``httpx.LocalProtocolError`` for anything that would not arrive as it was meant.
    """
    target = request.extensions.get("target") or request.url.raw_path
    headers = request.headers.raw
    block = b"".join([b"%b: %b\r\n" % header for header in headers])
    # The count finds what the pattern cannot: a line break within a value makes two good lines.
    is_sound = _LINES.fullmatch(block) and block.count(b"\n") == len(headers)
    length = b"".join(_FRAMING.findall(block)) or b"0"
    if not is_sound or not _TARGET.fullmatch(target) or not length.isdigit():
        raise httpx.LocalProtocolError("a header or the target is malformed")
    data = b"%b %b HTTP/1.1\r\n%b\r\n" % (request.method.encode("ascii"), target, block)
    return Head(data, int(length))


_LINES: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+: [\t\x20-\x7e\x80-\xff]*\r\n)+")
_FRAMING: Final = re.compile(rb"(?im)^(?:content-length|transfer-encoding): (.*)\r$")
_TARGET: Final = re.compile(rb"/[\x21-\x7e]*")
_END: Final = h11.EndOfMessage()


@lru_cache(maxsize=16)
def _stand_in(method: str) -> h11.Request:
    """Return a request that h11 believes was sent: of the real one only the method matters."""
    return h11.Request(method=method, target="/", headers=[("Host", "stand-in")])

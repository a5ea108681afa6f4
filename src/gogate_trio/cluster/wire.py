"""One connection to Redis, for one task at a time; closed at the first fault.

Speaks RESP 3 by coredis's compiled parser and packer, on trio's own streams. coredis's
connections are not used: each has two tasks, buffers without a bound on either side, and
keeps the command of a cancelled caller in its queue; its pool loses a place with each
connection that dies in use (6.9.0).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import trio
from coredis._packer import Packer
from coredis.constants.resp import DataType
from coredis.exceptions import RedisError
from coredis.parser import NotEnoughData, Parser
from coredis.typing import ResponseType

from gogate_trio.errors import ClusterUnavailable
from gogate_trio.limits import REDIS_REPLY_BYTES

Word = bytes | str | int
"""One word of a command."""

Place = tuple[str, int]
"""A host and a port."""

Reply = ResponseType
"""What Redis answers: bytes, numbers, None; lists and maps of these."""

_READ_BYTES: Final = 65536
"""bytes of one read"""

_PACKER: Final = Packer("utf-8")

_NOTHING: Final[Reply] = RedisError("nothing yet")
"""stands for a reply that is not whole: Redis itself never sends this one"""


class Wire:
    """Asks one thing after the other, or listens to what it has subscribed to.

    Whatever does not come to a good end, a cancellation too, closes the connection: a reply
    that nobody waits for would be taken for the next one's.
    """

    def __init__(
        self, stream: trio.SocketStream, tls: trio.SSLStream[trio.SocketStream] | None = None
    ) -> None:
        """Take a connected stream over, and the TLS on it."""
        self._socket = stream.socket
        self._stream: trio.abc.Stream = tls or stream
        self._parser = Parser()
        self._unfinished = 0
        """bytes of what is not whole yet"""
        self.is_closed = False
        self.place: Place | None = None
        """Where a sentinel said it should lead, if one did."""

    async def ask(self, *words: Word, heard: Callable[[], None] | None = None) -> Reply:
        """Send one command and return its reply. ``heard`` is told of each part that comes.

        Raises ``RedisError`` when Redis says no, and ``ClusterUnavailable`` when it is gone.
        """
        try:
            await self._send(words)
            reply = await self._receive(pushed=False, heard=heard)
        except BaseException:
            self.close()
            raise
        if isinstance(reply, RedisError):
            raise reply
        return reply

    async def subscribe(self, channel: bytes) -> None:
        """Hear what is published on a channel from now on; nothing else is asked any more."""
        try:
            await self._send((b"SUBSCRIBE", channel))
            await self._receive(pushed=True)
        except BaseException:
            self.close()
            raise

    async def listen(self) -> list[bytes]:
        """Wait for what is published; return all that has come, one message at least."""
        try:
            heard = [await self._receive(pushed=True)]
            while (more := self._parse(pushed=True)) is not _NOTHING:
                heard.append(more)
        except BaseException:
            self.close()
            raise
        # Each is a list: "message", the channel, what was published.
        return [one[-1] for one in heard if isinstance(one, list) and isinstance(one[-1], bytes)]

    def close(self) -> None:
        """Let go of the socket, without a goodbye. Idempotent."""
        self.is_closed = True
        self._socket.close()

    @property
    def is_stale(self) -> bool:
        """Whether it is of no use: between two questions nothing comes but the end."""
        return self.is_closed or self._socket.is_readable()

    async def _send(self, words: tuple[Word, ...]) -> None:
        try:
            await self._stream.send_all(b"".join(_PACKER.pack_commands([words])))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClusterUnavailable("connection lost") from error

    async def _receive(self, *, pushed: bool, heard: Callable[[], None] | None = None) -> Reply:
        """Wait for one whole reply, or for what was pushed unasked."""
        while (found := self._parse(pushed=pushed)) is _NOTHING:
            try:
                data = await self._stream.receive_some(_READ_BYTES)
            except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
                raise ClusterUnavailable("connection lost") from error
            self._unfinished += len(data)
            if not data or self._unfinished > REDIS_REPLY_BYTES:
                raise ClusterUnavailable("reply too big" if data else "connection lost")
            if heard is not None:
                heard()
            self._parser.feed(bytes(data))
        return found

    def _parse(self, *, pushed: bool) -> Reply:
        """Return what is whole by now, or ``_NOTHING``; the other kind is a fault."""
        try:
            found = self._parser.parse()
        except (RedisError, ValueError, IndexError, SystemError) as error:
            # SystemError: what its parser says to a length below zero, where no Redis is.
            raise ClusterUnavailable("protocol error") from error
        if isinstance(found, NotEnoughData):
            return _NOTHING
        self._unfinished = 0
        kind, reply = found
        if (kind == DataType.PUSH) is not pushed:
            cause = reply if isinstance(reply, RedisError) else None
            raise ClusterUnavailable("protocol error") from cause
        return reply

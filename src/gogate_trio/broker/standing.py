"""What a reader asks Redis besides the entries: where the stream stands, over its own connection.

Each question ends within REDIS_TIMEOUT, by an answer or ``ClusterUnavailable``, or each part
of a long answer comes within it; what Redis refuses is raised as ``RedisError``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import attrs
from coredis.exceptions import WrongTypeError

from gogate_trio.broker.packing import VERSION, Header, read_header
from gogate_trio.broker.scripts import ATTACH, DECLARE
from gogate_trio.broker.stream import Found, entries
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.wire import Wire
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.state.history import new_epoch

_DIGITS: Final = 15
"""of an offset or a number, at most, as in the scripts: more are none of ours"""


@attrs.frozen
class Standing:
    """Where the stream stands, and whether an entry is in it."""

    epoch: str
    head: int
    """The offset of the newest entry."""
    now: float
    """Redis's clock, in seconds."""
    name: bytes
    """The id of the entry that was asked for, or of the oldest where it is not there."""
    header: Header | None
    """What is noted of that one."""

    def lacks(self, last: int, name: bytes) -> bool:
        """Whether the entry is missing although the stream reaches back beyond its offset.

        Then a failover has lost it, and everything behind it; otherwise it may have been trimmed.
        """
        is_older = self.header is not None and self.header.offset <= last
        return last > self.head or (self.name != name and is_older)


async def attach(link: Link, wire: Wire, name: bytes) -> Standing:
    """Begin a stream where there is none; say where it stands."""
    keys = [link.key("meta"), link.key("stream")]
    with link.deadline():
        reply = await ATTACH.run_on(wire, keys, new_epoch(), name, "")
    match reply:
        case [
            bytes() as epoch,
            bytes() as head,
            bytes() as now,
            bytes() as found,
            bytes() as header,
        ]:
            standing = Standing(
                epoch.decode(), int(head), int(now) / 1000, found, read_header(header)
            )
        case _:
            raise ClusterUnavailable("protocol error")
    return standing


async def begin_another_epoch(link: Link, wire: Wire, epoch: str) -> None:
    """Void the positions of all nodes' clients, unless somebody has done so."""
    keys = [link.key("meta"), link.key("stream")]
    with link.deadline():
        await DECLARE.run_on(wire, keys, VERSION, epoch, new_epoch(), link.node, "")


async def clear(link: Link, epoch: str) -> None:
    """Empty a stream that nobody can read, and begin another epoch; over any connection."""
    keys = [link.key("meta"), link.key("stream")]
    await link.run(DECLARE, keys, VERSION, epoch, new_epoch(), link.node, "clear")


async def load(
    link: Link, wire: Wire, behind: bytes, most: int, heard: Callable[[], None]
) -> list[Found]:
    """Return the next entries behind an id, or the first; none at the end.

    However slowly they come: ``heard`` is told that they do.
    """
    begin = b"(" + behind if behind else b"-"
    words = (b"XRANGE", link.key("stream"), begin, b"+", b"COUNT", most)
    reply = await link.ask_at_length(wire, heard, *words)
    return [*entries(reply)]


async def look(link: Link, wire: Wire) -> tuple[str, int] | None:
    """Return epoch and head, if there are any; raises where it is no master any more."""
    with link.deadline():
        await link.check(wire)
        reply = await wire.ask(b"HMGET", link.key("meta"), b"epoch", b"head")
    match reply:
        case [bytes() as epoch, bytes() as head] if head.isdigit() and len(head) <= _DIGITS:
            return epoch.decode("ascii", "replace"), int(head)
        case _:
            return None


async def ask_had(link: Link, wire: Wire) -> int:
    """Return the number of the last one of ours that Redis has put into a stream.

    What a stranger has put there instead is no such number; the next publication replaces it.
    """
    with link.deadline():
        try:
            reply = await wire.ask(b"GET", link.key(f"last:{link.node}"))
        except WrongTypeError:
            return 0
    if not isinstance(reply, bytes) or not reply.isdigit() or len(reply) > _DIGITS:
        return 0
    return int(reply)

"""What all connections of a node share, and what each of them came in with."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import attrs
import trio

from gogate_trio.backend.base import User
from gogate_trio.calls import Calls
from gogate_trio.cluster.base import SharedPace
from gogate_trio.config import Settings
from gogate_trio.ids import ConnectionId
from gogate_trio.limits import RECENT_ENDS
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.pending_writes import PendingWrites, pending_writes
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.handshake import Head
from gogate_trio.roster import Roster
from gogate_trio.state.admission import Admission, Ticket
from gogate_trio.state.directory import Directory
from gogate_trio.state.throttle import Throttle

if TYPE_CHECKING:
    from gogate_trio.server.connection import Connection

_log = get_logger(__name__)

_EXPECTED: Final = frozenset({close.SILENT, close.RESTART})
"""Close codes of ends that are nobody's fault; all others are worth a line in the log."""


@attrs.frozen
class End:
    """How a connection ended."""

    at: float
    """trio's clock, seconds"""
    number: ConnectionId
    user: User | None
    hangup: Hangup


@attrs.define(eq=False)
class House:
    """What all connections of a node share."""

    settings: Settings
    handle: Callable[[Connection, bytes], None]
    """What to do with a text message: the router's ``handle``. Must not block."""
    directory: Directory[Outbox]
    admission: Admission
    throttle: Throttle
    calls: Calls
    metrics: Metrics
    busy: set[Outbox] = attrs.field(factory=set)
    """The outboxes that nobody may write past."""
    pending: PendingWrites = attrs.field(factory=pending_writes)
    """What is written at the end of the turn."""
    connections: set[Connection] = attrs.field(factory=set)
    greet: Callable[[Connection, Head], None] = lambda _connection, _head: None
    """What to do with a new connection and the head of its upgrade. Must not block."""
    forget: Callable[[Connection], None] = lambda _connection: None
    """What to do with one that is gone."""
    shared: SharedPace | None = None
    """The rates over all nodes; None where there is only this one."""
    roster: Roster = attrs.Factory(lambda house: Roster(house.settings.admission), takes_self=True)

    ends: deque[End] = attrs.field(factory=lambda: deque(maxlen=RECENT_ENDS))
    """The latest ends of connections, the newest last."""

    def note_end(self, connection: Connection, hangup: Hangup) -> None:
        """Count the end of a connection, and log it if it is somebody's fault."""
        self.metrics.closed[hangup.reason] += 1
        self.ends.append(End(trio.current_time(), connection.number, connection.user, hangup))
        who = {
            "connection": connection.number,
            "user": connection.user and connection.user.user_id,
        }
        if hangup.code in _EXPECTED:
            _log.debug("connection_closed", kind=hangup.reason, **who)
        else:
            _log.info("connection_closed", kind=hangup.reason, code=hangup.code, **who)


@attrs.frozen
class Visit:
    """What a client came in with."""

    ticket: Ticket
    head: Head
    """Its request, that has passed ``fault_of_upgrade`` and the origin policy."""
    behind: bytes = b""
    """What came behind it."""
    address: str = ""
    """Where it came from, as far as trusted proxies tell."""

"""How many sockets this process may hold."""

from __future__ import annotations

import resource

from gogate_trio.config import AdmissionSettings
from gogate_trio.errors import OperatorError
from gogate_trio.limits import (
    CONNECTIONS_PER_ADDRESS,
    MOST_CONNECTIONS,
    RESERVED_FILES,
    RESERVED_SHARE,
)
from gogate_trio.log import get_logger
from gogate_trio.state.admission import Caps

_log = get_logger(__name__)


def find_caps(settings: AdmissionSettings) -> Caps:
    """Work out the bounds, raising the limit on open files to what the system allows.

    Raises ``OperatorError`` when not even a few connections fit.
    """
    room = _open_files() - RESERVED_FILES
    if room < 1:
        raise OperatorError(
            f"the limit on open files leaves no room for connections: it must be over"
            f" {RESERVED_FILES} (ulimit -n, or LimitNOFILE in systemd)"
        )
    total = min(settings.total or MOST_CONNECTIONS, room)
    if settings.total is not None and settings.total > room:
        _log.warning("max_connections_lowered", asked=settings.total, possible=room)
    spares_loopback = settings.per_address is None
    return Caps(
        total=total,
        unauthenticated=settings.unauthenticated or max(1, int(total * RESERVED_SHARE)),
        per_address=CONNECTIONS_PER_ADDRESS if spares_loopback else settings.per_address or 0,
        handshakes=settings.handshakes,
        spares_loopback=spares_loopback,
    )


def _open_files() -> int:
    """Raise the soft limit on open files to the hard one, as Go does, and return it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return hard
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        return soft
    return hard

"""Ports for programs that must be told theirs, and cannot be asked for it."""

from __future__ import annotations

import random
import socket
from contextlib import suppress

_PORTS = 10_000, 32_000
"""Below those that the kernel gives away: nobody gets a program's port before it, or while it is
dead."""


def free_port() -> int:
    """Return a port that nobody has just now."""
    # Of this system's own luck: processes that run beside each other must not agree.
    luck = random.SystemRandom()
    for _ in range(100):
        port = luck.randrange(*_PORTS)
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", port))
            return port
    raise OSError("no free port")

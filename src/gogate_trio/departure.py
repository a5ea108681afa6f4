"""``gogate drain``: asks a running node to end in good order, and watches it go."""

from __future__ import annotations

import sys
import time
from typing import Final

from gogate_trio.errors import OperatorError
from gogate_trio.internal.api.overview_shapes import Overview
from gogate_trio.internal.api.shapes import Draining
from gogate_trio.remote import NobodyThereError, Remote, SilentError

LOOK_SECONDS: Final = 0.2
"""seconds between two looks at a node that drains"""

BEYOND_SECONDS: Final = 10.0
"""seconds beyond its own bound after which a node that is still there is said to hang"""


def drain(remote: Remote, *, wait: bool) -> None:
    """Let the node drain; return when it is gone, or at once when that is not waited for.

    Says how far it is, a line for each change. Raises ``OperatorError`` when it cannot be asked
    or does not end.
    """
    life = _life(remote)
    begun = remote.ask("POST", "/drain", Draining)
    _say(f"{begun.node} (process {begun.pid}) drains: {begun.connections} connections")
    if not wait:
        return
    until = time.monotonic() + begun.timeout + BEYOND_SECONDS
    left = begun.connections
    while time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
        try:
            now = remote.ask("GET", "/overview", Overview)
        except NobodyThereError:
            break
        except SilentError:
            # It is busy, or hangs: time will tell which.
            continue
        if (now.node.id, now.node.started) != life:
            # systemd has kept the port, and started the next one already.
            break
        if now.node.connections != left:
            left = now.node.connections
            _say(f"{left} connections left")
    else:
        raise OperatorError(f"{begun.node} (process {begun.pid}) does not end")
    _say(f"{begun.node} is gone")


def _life(remote: Remote) -> tuple[str, object]:
    """Return what tells this process from the one that comes after it on the same port."""
    node = remote.ask("GET", "/overview", Overview).node
    return node.id, node.started


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()

"""Sockets that were opened before this process was: the protocol of sd_listen_fds(3).

systemd keeps them while the gateway restarts, so that who connects meanwhile waits in the
kernel's queue and is refused nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final

import attrs

from gogate_trio.errors import OperatorError

FIRST: Final = 3
"""the first file descriptor that is handed over: behind standard error"""

MOST: Final = 64
"""sockets. A gateway needs one or two; a number beyond this is no number of sockets."""

INTERNAL: Final = "internal"
"""the name (FileDescriptorName=) of a socket that is the internal port's"""

UNNAMED: Final = "unknown"
"""what sd_listen_fds_with_names(3) calls a socket without a name"""


@attrs.frozen
class Inherited:
    """A listening TCP socket, and what its unit calls it."""

    name: str
    socket: socket.socket


def inherit(environ: Mapping[str, str], *, pid: int, first: int = FIRST) -> tuple[Inherited, ...]:
    """Take over the sockets that are meant for this process; to be called once.

    Raises ``OperatorError`` when what was handed over is nothing to accept clients on.
    """
    if environ.get("LISTEN_PID") != str(pid):
        return ()
    count = _count(environ.get("LISTEN_FDS", ""))
    names = environ.get("LISTEN_FDNAMES", ":".join([UNNAMED] * count)).split(":")
    if len(names) != count:
        raise OperatorError(f"LISTEN_FDNAMES has {len(names)} names for {count} sockets")
    with ExitStack() as taken:
        inherited = []
        for descriptor, name in enumerate(names, first):
            sock = taken.enter_context(_take(descriptor))
            inherited.append(Inherited(name, sock))
        taken.pop_all()
    return tuple(inherited)


def _count(text: str) -> int:
    if (
        text.isascii()
        and text.isdecimal()
        and len(text) <= len(str(MOST))
        and 0 < int(text) <= MOST
    ):
        return int(text)
    raise OperatorError(f"LISTEN_FDS is no number from 1 to {MOST}")


def _take(descriptor: int) -> socket.socket:
    """Return the socket, or say why clients cannot be accepted on it."""
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError:
        raise OperatorError(f"LISTEN_FDS: file descriptor {descriptor} is no socket") from None
    is_tcp = sock.family in {socket.AF_INET, socket.AF_INET6} and sock.type is socket.SOCK_STREAM
    if not is_tcp or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise OperatorError(
            f"LISTEN_FDS: file descriptor {descriptor} is no listening TCP socket"
            " (ListenStream=, with Accept=no)"
        )
    sock.set_inheritable(False)
    sock.setblocking(False)
    return sock

"""Connections within the kernel that take little at a time."""

from __future__ import annotations

import socket


def tcp_pair(room: int) -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection, each with a buffer of so many bytes or a few times as many.

    The second does not block.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, room)
    theirs.setblocking(False)
    return ours, theirs

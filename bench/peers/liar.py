"""The floor with one fault built in: what the load generator must notice.

    liar.py PORT USERS CHAT_SIZE FAULT

A fault happens on the twentieth delivery: ``drop`` it, send it ``twice``, ``swap`` it with the one
behind it, ``join`` it with the one behind it by a newline, send it to a ``stranger``, ``cut`` its
last byte of JSON, ``alter`` its text, ``close`` the connection, or ``none``.
"""

from __future__ import annotations

import contextlib
import socket
import sys
from typing import TYPE_CHECKING

from floor import Floor, text_frame

if TYPE_CHECKING:
    from collections.abc import Iterable

AT = 20


class Liar(Floor):
    """Like the floor, but for one delivery."""

    def __init__(self, users: int, chat_size: int, fault: str) -> None:
        super().__init__(users, chat_size)
        self.fault = fault
        self.sent = 0
        self.kept: tuple[socket.socket, bytes] | None = None

    def fan_out(self, members: Iterable[socket.socket], frame: bytes) -> None:
        """The bare loop, with a look at each delivery."""
        for sock in members:
            with contextlib.suppress(OSError):  # it was closed on purpose
                self.deliver(sock, frame)

    def deliver(self, sock: socket.socket, frame: bytes) -> None:
        """Send a frame, or do what is wrong with this one."""
        self.sent += 1
        if self.kept and self.kept[0] is sock:
            other = self.kept[1]
            self.kept = None
            sock.send(_joined(other, frame) if self.fault == "join" else frame + other)
        elif self.sent == AT:
            self.lie(sock, frame)
        else:
            sock.send(frame)

    def lie(self, sock: socket.socket, frame: bytes) -> None:
        """Do the one thing that is wrong."""
        payload = _payload(frame)
        match self.fault:
            case "none":
                sock.send(frame)
            case "twice":
                sock.send(frame + frame)
            case "swap" | "join":
                self.kept = (sock, frame)
            case "stranger":
                next(iter(self.members[0].values())).send(frame)  # the twentieth is in chat 2
                sock.send(frame)
            case "cut":
                sock.send(text_frame(payload[:-1]))
            case "alter":
                sock.send(text_frame(payload.replace(b"...", b"..", 1)))
            case "close":
                sock.shutdown(socket.SHUT_RDWR)


def _payload(frame: bytes) -> bytes:
    return frame[2:] if frame[1] < 126 else frame[4:]


def _joined(first: bytes, second: bytes) -> bytes:
    return text_frame(_payload(first) + b"\n" + _payload(second))


def main() -> None:
    """Listen on the port given and serve until ended."""
    port, users, chat_size = (int(text) for text in sys.argv[1:4])
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    Liar(users, chat_size, sys.argv[4]).serve(listener)


if __name__ == "__main__":
    main()

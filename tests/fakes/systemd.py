"""The half of systemd a service talks to: a notify socket, and sockets that are handed over.

Usage::

    async with open_notify_socket(tmp_path) as systemd:
        ...  # give systemd.address to a process as NOTIFY_SOCKET
        await systemd.told("READY")
        assert systemd.words == ["READY"]
"""

from __future__ import annotations

import os
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import attrs
import trio

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator
    from pathlib import Path

PATIENCE = 20.0
"""seconds in which a process on a busy machine says what it has to say"""

LAUNCHER = """
import fcntl, os, sys
count = int(sys.argv[1])
given = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 100) for each in sys.argv[2 : 2 + count]]
for target, descriptor in enumerate(given, 3):
    os.dup2(descriptor, target)
    os.close(descriptor)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(count)}
os.execv(sys.executable, [sys.executable, *sys.argv[2 + count :]])
"""
"""Does between fork and exec what systemd does: the sockets from 3 on, and the process's own id."""


@attrs.define(eq=False)
class FakeSystemd:
    """Reads what a service tells."""

    address: str
    """What ``NOTIFY_SOCKET`` is to be."""
    sock: trio.socket.SocketType
    messages: list[dict[str, str]] = attrs.field(factory=list)
    """Every datagram read so far, as variables."""

    @property
    def words(self) -> list[str]:
        """What was read so far, each by its first variable, but for the pulse and the numbers."""
        names = [next(iter(message)) for message in self.messages]
        return [name for name in names if name not in {"WATCHDOG", "STATUS"}]

    async def next(self) -> dict[str, str]:
        """Read the next datagram."""
        data = await self.sock.recv(65536)
        message = dict(line.split("=", 1) for line in data.decode().split("\n"))
        self.messages.append(message)
        return message

    async def told(self, name: str, value: str | None = None) -> dict[str, str]:
        """Read up to the next datagram with this variable (and this value) and return it."""
        with trio.fail_after(PATIENCE):
            while True:
                message = await self.next()
                if name in message and value in {None, message[name]}:
                    return message

    async def is_silent(self, seconds: float) -> bool:
        """Tell whether nothing more arrives for so long. What waits already is read first."""
        with trio.move_on_after(0):
            while True:
                await self.next()
        with trio.move_on_after(seconds):
            await self.next()
            return False
        return True


@asynccontextmanager
async def open_notify_socket(folder: Path, *, abstract: bool = False) -> AsyncIterator[FakeSystemd]:
    """Listen in a folder, or under a name in the kernel that is like it."""
    path = str(folder / "notify")
    address = f"@{path}" if abstract else path
    with trio.socket.socket(trio.socket.AF_UNIX, trio.socket.SOCK_DGRAM) as sock:
        await sock.bind(f"\0{path}" if abstract else path)
        yield FakeSystemd(address, sock)


def launch(*sockets: socket.socket) -> list[str]:
    """Return the beginning of a command: what follows it runs in Python, with these sockets.

    They must also be passed on (``pass_fds``).
    """
    numbers = [str(sock.fileno()) for sock in sockets]
    return [sys.executable, "-c", LAUNCHER, str(len(sockets)), *numbers]


def environment(**variables: str) -> dict[str, str]:
    """Return an environment with nothing in it but what Python needs, and these."""
    return {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ} | (
        variables
    )

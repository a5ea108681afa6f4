"""One datagram to systemd's socket: the protocol of sd_notify(3).

A socket for each datagram, as sd_notify itself does it: systemd may have opened a new one
since the last.
"""

from __future__ import annotations

import errno
import socket
from typing import Final

import trio

from gogate_trio.log import get_logger

_log = get_logger(__name__)

NOTIFY_SECONDS: Final = 5.0
"""seconds that systemd may take to make room for a datagram. It is busy at boot, when hundreds
of services start; a service that says READY a little later is still in its start timeout."""


class Notifier:
    """Tells systemd; or nobody, when nobody asked."""

    def __init__(self, address: str = "") -> None:
        """Take the value of ``NOTIFY_SOCKET``: a path, ``@name`` for an abstract socket, or ""."""
        self._address = f"\0{address[1:]}" if address.startswith("@") else address
        self._is_failing = False

    async def tell(self, **variables: str | int) -> bool:
        """Send these variables in one datagram; whether they went out.

        Raises nothing: a gateway that cannot be watched still serves. A row of failures is
        logged once. Cancelled, it has sent all or nothing.
        """
        if not self._address:
            return False
        text = "\n".join(f"{name}={value}" for name, value in variables.items())
        try:
            with trio.fail_after(NOTIFY_SECONDS):
                await self._send(text.encode())
        except (OSError, trio.TooSlowError) as error:
            self._complain(error)
            return False
        self._is_failing = False
        return True

    async def _send(self, datagram: bytes) -> None:
        if not self._address.startswith(("/", "\0")):
            raise OSError(errno.EAFNOSUPPORT, "NOTIFY_SOCKET is neither a path nor @name")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            # Connected, so that the kernel says when a full queue has room again.
            sock.connect(self._address)
            while True:
                try:
                    sock.send(datagram)
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(sock)
                else:
                    return

    def _complain(self, error: OSError | trio.TooSlowError) -> None:
        if self._is_failing:
            return
        self._is_failing = True
        reason = error.strerror if isinstance(error, OSError) else "no room in time"
        _log.warning("notify_failed", reason=reason or "refused")

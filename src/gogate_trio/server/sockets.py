"""Where clients come in: sockets of our own, or those that systemd kept for us."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

import trio

from gogate_trio.config import ListenSettings
from gogate_trio.errors import OperatorError
from gogate_trio.limits import BACKLOG, SEND_BUFFER_BYTES
from gogate_trio.poller import Poller
from gogate_trio.server.lastcall import last_call
from gogate_trio.server.wire import Wire


class Listener(trio.abc.Listener[Wire]):
    """A listening TCP socket whose accepted sockets are ``Wire``s."""

    def __init__(
        self, sock: socket.socket, poller: Poller, *, is_own: bool, is_shared: bool = False
    ) -> None:
        """Take over a bound, listening, non-blocking socket; ``poller`` is for those it accepts.

        ``is_own``: nobody else has it open; ``is_shared``: others listen on the same port.
        """
        self._socket = sock
        self._poller = poller
        self._is_own = is_own
        self._is_shared = is_shared
        self._looks = 0
        """How often to look at once before waiting again."""
        # Linux hands both on to what is accepted: two calls a listener and not two a client.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)

    @property
    def port(self) -> int:
        """The port it is bound to."""
        return int(self._socket.getsockname()[1])

    async def accept(self) -> Wire:
        """Wait for the next client. No checkpoint while more of them are in the queue."""
        while True:
            if not self._looks:
                await trio.lowlevel.wait_readable(self._socket)
                self._looks = _ACCEPTS_A_WAIT
            self._looks -= 1
            try:
                sock, address = self._socket.accept()
            except BlockingIOError:
                self._looks = 0
            except ConnectionAbortedError:
                continue
            else:
                sock.setblocking(False)
                return Wire(sock, str(address[0]).removeprefix("::ffff:"), self._poller)

    async def last_call(self) -> None:
        """Have those accepted who have come, and let nobody else come. Then close it.

        Whoever comes to an inherited socket waits for the next who has it.
        """
        if self._is_own:
            await last_call(self._socket, is_shared=self._is_shared)

    async def aclose(self) -> None:
        """Stop listening. An inherited socket goes on in whoever else has it."""
        trio.lowlevel.notify_closing(self._socket)
        self._socket.close()
        await trio.lowlevel.checkpoint()


@asynccontextmanager
async def open_listeners(
    settings: ListenSettings, poller: Poller, inherited: Sequence[socket.socket] = ()
) -> AsyncIterator[list[Listener]]:
    """Listen on these sockets or, when there are none, where the settings say.

    The block's end closes what is still open. Raises as ``open_listener`` does.
    """
    listeners = [Listener(sock, poller, is_own=False) for sock in inherited] or [
        open_listener(settings.host, settings.port, poller, reuse_port=settings.reuse_port)
    ]
    async with AsyncExitStack() as open_ones:
        for listener in listeners:
            open_ones.push_async_callback(listener.aclose)
        yield listeners


def open_listener(host: str, port: int, poller: Poller, *, reuse_port: bool = False) -> Listener:
    """Listen on a host ("" is every interface, both IP versions) and port (0 is any free one).

    Raises ``OperatorError`` when that cannot be had.
    """
    try:
        sock = _bound(host, port, reuse_port=reuse_port)
    except OSError as error:
        raise OperatorError(f"cannot listen on port {port}: {error.strerror}") from None
    sock.setblocking(False)
    return Listener(sock, poller, is_own=True, is_shared=reuse_port)


def _bound(host: str, port: int, *, reuse_port: bool) -> socket.socket:
    is_dual = not host and socket.has_dualstack_ipv6()
    return socket.create_server(
        (host, port),
        family=socket.AF_INET6 if is_dual or ":" in host else socket.AF_INET,
        dualstack_ipv6=is_dual,
        backlog=BACKLOG,
        reuse_port=reuse_port,
    )


_ACCEPTS_A_WAIT: Final = 32
"""clients let in between two checkpoints: about 1 ms"""

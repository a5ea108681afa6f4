"""The last call: how a listening socket is closed so that nobody who has come is turned away.

The kernel resets whoever waits in the queue of a socket that is closed, also where another
process listens on the same port (SO_REUSEPORT) and would have taken them. So the kernel is told
first to overlook whoever asks to connect now: they ask again a second later, by themselves, and
come to whoever listens then. Those who were about to come get the time to do so.
"""

from __future__ import annotations

import ctypes
import select
import socket
import struct
from typing import Final

import trio

from gogate_trio.limits import LAST_CALL_SECONDS, LAST_QUEUE_SECONDS


async def last_call(sock: socket.socket, *, is_shared: bool) -> None:
    """Let nobody new connect, and wait until those in the queue have been accepted.

    Somebody must be accepting meanwhile. ``is_shared``: others listen on the same port, so that
    a connection which is half made is worth waiting for; without them it is refused in the end.
    """
    _overlook_newcomers(sock)
    if is_shared:
        await trio.sleep(LAST_CALL_SECONDS)
    with trio.move_on_after(LAST_QUEUE_SECONDS):
        while _has_queue(sock):  # noqa: ASYNC110 - the kernel tells nobody
            await trio.lowlevel.checkpoint()


def _overlook_newcomers(sock: socket.socket) -> None:
    """Have the kernel drop the first packet of every new connection (Linux; else nothing)."""
    program = b"".join(struct.pack("HBBI", *step) for step in _NO_SYN)
    kept = ctypes.create_string_buffer(program)
    # A kernel without such filters closes the socket as rudely as it always did.
    try:
        sock.setsockopt(
            socket.SOL_SOCKET,
            _SO_ATTACH_FILTER,
            struct.pack("HL", len(_NO_SYN), ctypes.addressof(kept)),
        )
    except OSError:
        return


def _has_queue(sock: socket.socket) -> bool:
    waiting = select.poll()
    waiting.register(sock, select.POLLIN)
    return bool(waiting.poll(0))


_SO_ATTACH_FILTER: Final = 26
"""asm-generic/socket.h; Python has no name for it"""

_NO_SYN: Final = (
    (0x30, 0, 0, 13),  # load the byte of the TCP header that has the flags
    (0x54, 0, 0, 0x12),  # of these SYN and ACK
    (0x15, 0, 1, 0x02),  # SYN alone?
    (0x06, 0, 0, 0),  # then drop it
    (0x06, 0, 0, 0xFFFFFFFF),  # else take it whole
)
"""A filter in the kernel's classic BPF: code, how far to jump if so and if not, and a number."""

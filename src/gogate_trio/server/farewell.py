"""The end of a TCP connection: how the last bytes reach a peer that is still sending."""

from __future__ import annotations

import trio

from gogate_trio.limits import LINGER_BYTES, LINGER_SECONDS


async def see_off(stream: trio.abc.Stream) -> None:
    """Wait, within bounds, for the peer to close: so it reads our last bytes and meets no reset."""
    left = LINGER_BYTES
    with trio.move_on_after(LINGER_SECONDS):
        try:
            if isinstance(stream, trio.abc.HalfCloseableStream):
                await stream.send_eof()
            while left > 0 and (data := await stream.receive_some()):
                left -= len(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return

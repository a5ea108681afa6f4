"""Outbox to wire: the writer task of one connection.

It has work only for a client that is not reading as fast as it is told. No deadline of its
own: a deadline per write costs as much as the write. The heartbeat's sweep looks for
outboxes that make no progress.
"""

from __future__ import annotations

from contextlib import aclosing

import trio

from gogate_trio.limits import WRITE_PIECE_BYTES
from gogate_trio.outbox import Outbox


async def write(outbox: Outbox, stream: trio.abc.SendStream, *, gather: int) -> None:
    """Write what waits, in order, until the outbox is finished or the peer is gone.

    ``gather``: bytes of waiting frames to join in one write. Cancelled, half a frame may have
    gone: nothing else may be written then.
    """
    try:
        async with aclosing(outbox.chunks(gather)) as chunks:
            async for chunk in chunks:
                view = memoryview(chunk)
                for begin in range(0, len(view), WRITE_PIECE_BYTES):
                    await stream.send_all(view[begin : begin + WRITE_PIECE_BYTES])
                    outbox.progress_at = trio.current_time()
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        outbox.fail()

"""The last seconds of one connection."""

from __future__ import annotations

import pytest
import trio

from gogate_trio.outbox import Outbox
from gogate_trio.protocol import close
from gogate_trio.server.goodbye import say_goodbye

PATIENCE = 10.0


@pytest.mark.parametrize(("stuck_for", "more"), [(0.0, 10.0), (7.0, 3.0), (11.0, 0.0)])
async def test_nobody_gets_write_wait_twice(autojump_clock, stuck_for, more):  # noqa: ARG001  # time is its own
    """The seconds for which a client has taken nothing count, also those before the hang-up."""
    outbox, (ours, _theirs) = Outbox(lambda _: None, set()), trio.testing.memory_stream_pair()
    outbox.offer(b"what it does not take")
    await trio.sleep(stuck_for)
    begin = trio.current_time()

    never = trio.Event()
    await say_goodbye(outbox, ours, close.NO_PONG, written=never, patience=PATIENCE)

    assert trio.current_time() - begin == pytest.approx(more)

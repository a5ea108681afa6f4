"""Whatever happens to an outbox, its client gets whole frames in the order they were offered."""

from __future__ import annotations

from collections import Counter
from functools import partial
from itertools import count, pairwise
from unittest import mock

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from fakes.peer import Peer, Writer
from fakes.turns import crowd
from gogate_trio import outbox as module
from gogate_trio import pending_writes
from gogate_trio.outbox import Outbox
from gogate_trio.protocol import close

FRAMES, BYTES = 8, 400
"""Limits that a few steps reach."""

HEAD = 8
"""bytes before the filler of a frame: its number and its size"""

LAST_WORDS = (b"\xff" * 5, b"\xfe" * 5)

LONGEST = 500
"""bytes: a frame that only an empty outbox takes"""

sizes = st.sampled_from([HEAD, HEAD + 1, 30, 150, LONGEST])
steps = st.lists(
    st.one_of(
        st.tuples(st.just("offer"), sizes, st.integers(1, 3)),
        st.tuples(st.just("later"), sizes),
        st.tuples(st.just("turn")),
        st.tuples(st.just("shed"), sizes, st.integers(1, 3)),
        st.tuples(st.just("send"), sizes),
        st.tuples(st.just("room"), st.sampled_from([0, 1, 7, 20, 1000])),
        st.tuples(st.just("write"), st.integers(0, 9)),
    ),
    max_size=40,
)
ends = st.sampled_from(["finish", "drop", "shut", "gone", "fail"])


@attrs.define(eq=False)
class Script:
    """Steps played on an outbox, and what became of each frame."""

    peer: Peer
    outbox: Outbox
    writer: Writer
    waiting: trio.Nursery
    numbers: count = attrs.field(factory=lambda: count(1))
    durable: list[int] = attrs.field(factory=list)
    """Frames that must arrive: offered while the client was there, and no reason to hang up."""
    ephemeral: Counter[int] = attrs.field(factory=Counter)
    """Ephemeral frames that may arrive, and how many events each is."""
    sent: list[int] = attrs.field(factory=list)
    """Frames that ``send`` has said it took."""
    most: tuple[int, int] = (0, 0)
    """The most frames and bytes that have waited."""

    async def play(self, step) -> None:
        """One step. Only ``turn``, ``write`` and ``send`` give tasks a chance to run."""
        match step:
            case ("offer" | "later", size, *events):
                frame = self._frame(number := next(self.numbers), size)
                (self.outbox.offer if events else self.outbox.offer_later)(frame, *events)
                if not self.peer.hangups:
                    self.durable.append(number)
            case ("turn",):
                await trio.lowlevel.checkpoint()
            case ("shed", size, events):
                was_here = not self.peer.hangups
                self.outbox.offer_ephemeral(self._frame(number := next(self.numbers), size), events)
                if was_here:
                    self.ephemeral[number] = events
            case ("send", size):
                self.waiting.start_soon(self._send, size)
                await wait_all_tasks_blocked()
            case ("room", size):
                self.peer.room = size
            case ("write", chunks):
                await self.writer.write(chunks)
        frames, size = self.most
        self.most = max(frames, self.outbox._frames), max(size, self.outbox._bytes)

    async def end(self, how: str) -> None:
        """End as a connection does, and let the writer write all that it will."""
        match how:
            case "finish" | "drop":
                self.outbox.finish(LAST_WORDS, drop_waiting=how == "drop")
            case "shut":
                self.outbox.shut()
            case "gone":
                self.peer.is_gone = True
                self.outbox.offer(b"to nobody")
            case "fail":
                self.outbox.fail()
        await self.writer.write(1000)

    async def _send(self, size: int) -> None:
        number = next(self.numbers)
        try:
            await self.outbox.send(self._frame(number, size))
        except trio.BrokenResourceError:
            return
        if not self.peer.hangups:
            self.sent.append(number)

    def _frame(self, number: int, size: int) -> bytes:
        return number.to_bytes(4) + size.to_bytes(4) + bytes(size - HEAD)


def frames_in(data: bytes) -> tuple[list[int], bytes]:
    """Read what arrived: the numbers of whole frames, and what is behind them."""
    numbers = []
    while len(data) >= HEAD and data[:1] == b"\0":
        number, size = int.from_bytes(data[:4]), int.from_bytes(data[4:HEAD])
        if len(data) < size:
            break
        numbers.append(number)
        data = data[size:]
    return numbers, data


def played(script, *, direct: bool, gather: int, how: str, is_late: bool = False) -> Script:
    """Play a script to its end under limits that a few steps reach.

    ``is_late``: the writer begins, as a connection's does, when something waits.
    """

    async def play() -> Script:
        async with trio.open_nursery() as nursery:
            peer = Peer()
            outbox = peer.outbox(direct=direct)
            state = Script(peer, outbox, Writer(outbox, peer, gather), nursery)
            if is_late:
                outbox.start_writer = partial(nursery.start_soon, state.writer.run)
            else:
                nursery.start_soon(state.writer.run)
            await wait_all_tasks_blocked()
            await crowd()
            for step in script:
                await state.play(step)
            await state.end(how)
            nursery.cancel_scope.cancel()
        return state

    with (
        mock.patch.multiple(module, OUTBOX_FRAMES=FRAMES, OUTBOX_BYTES=BYTES),
        mock.patch.object(pending_writes, "_CROWDED_TURNS", 1 << 30),
    ):
        return trio.run(play)


@settings(deadline=None, max_examples=200)
@given(steps, st.booleans(), st.sampled_from([1, 100, 10_000]), ends, st.booleans())
def test_what_arrives_is_what_was_offered_in_order(script, direct, gather, how, is_late):
    """Over both lanes and every change between them.

    Durable frames are all there unless the peer is gone or what waited was dropped; ephemeral
    ones are there or counted as shed; nothing is torn, doubled or overtaken, and last words
    come last.
    """
    state = played(script, direct=direct, gather=gather, how=how, is_late=is_late)
    numbers, rest = frames_in(bytes(state.peer.got))
    offered = [number for number in numbers if number not in state.sent]
    is_here = not state.peer.hangups

    assert all(earlier < later for earlier, later in pairwise(offered))
    assert set(offered) <= {*state.durable, *state.ephemeral}
    assert len(set(numbers)) == len(numbers)
    if how in {"finish", "drop"}:
        assert rest == b"".join(LAST_WORDS)
        assert state.writer.is_done or is_late
    elif how == "shut":
        assert rest == b""
    if is_here and how in {"finish", "shut"}:
        assert {*state.durable, *state.sent} <= set(numbers)
        missing = state.ephemeral.keys() - set(numbers)
        assert sum(state.ephemeral[number] for number in missing) == state.outbox.shed
        assert not state.outbox.is_waiting


@settings(deadline=None, max_examples=200)
@given(steps, st.booleans())
def test_an_outbox_is_hung_up_on_once_and_keeps_no_more_than_its_limits(script, direct):
    """A client that has fallen behind costs so many frames and bytes, and one event at most."""
    state = played(script, direct=direct, gather=1, how="shut")

    assert state.peer.hangups in ([], [close.SLOW_CONSUMER])
    frames, size = state.most
    assert frames <= FRAMES
    assert size <= max(BYTES, LONGEST)

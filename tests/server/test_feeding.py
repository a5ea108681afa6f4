"""What a client sends reaches who reads it, all of it, whenever it comes and however it ends."""

from __future__ import annotations

import os
import socket
import struct

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from fakes.node import within
from gogate_trio.poller import open_poller
from gogate_trio.server.wire import Wire

READ_BYTES = 4

steps = st.lists(
    st.one_of(
        st.integers(1, 3 * READ_BYTES),
        st.sampled_from(["settle", "turn", "rest", "go on", "begin again"]),
    ),
    max_size=20,
)
"""What happens: so many bytes come; all that can happen does; a turn of the scheduler; the reader
is busy with what it has; it is not any more; it is cancelled and reads again."""


@attrs.define(eq=False)
class Reader:
    """Reads a wire as a connection does, and now and then has something else to do."""

    wire: Wire
    got: bytearray = attrs.field(factory=bytearray)
    is_over: bool = False
    is_busy: bool = False
    reading: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    _rested: trio.Event = attrs.field(factory=trio.Event)

    def take(self, data: bytes) -> bool:
        """Take bytes, or the end."""
        assert not self.is_over
        self.got += data
        self.is_over = not data
        return not self.is_over and not self.is_busy

    async def run(self) -> None:
        """Read to the end."""
        while not self.is_over:
            self.reading = trio.CancelScope()
            with self.reading:
                try:
                    await self.wire.feed(self.take, READ_BYTES)
                except trio.BrokenResourceError:
                    self.is_over = True
            while self.is_busy:
                await self._rested.wait()

    def go_on(self) -> None:
        """Have nothing else to do."""
        self.is_busy = False
        self._rested.set()
        self._rested = trio.Event()


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection; the first does not block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return ours, theirs


async def play(wire: Wire, theirs: socket.socket, script: list[int | str], ending: str) -> None:
    """Play a script to its end; check what was read."""
    reader, sent = Reader(wire), b""
    async with trio.open_nursery() as nursery:
        nursery.start_soon(reader.run)
        for step in script:
            match step:
                case int():
                    piece = bytes((len(sent) + n) % 251 for n in range(step))
                    theirs.sendall(piece)
                    sent += piece
                case "settle":
                    await wait_all_tasks_blocked()
                    assert reader.is_busy or reader.got == sent
                case "turn":
                    await trio.lowlevel.checkpoint()
                case "rest":
                    reader.is_busy = True
                case "go on":
                    reader.go_on()
                case "begin again":
                    reader.reading.cancel()
        if ending == "reset":
            theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            theirs.close()
        else:
            theirs.shutdown(socket.SHUT_WR)
        if ending == "end, seen late":
            await wait_all_tasks_blocked()
        reader.go_on()

    assert sent.startswith(reader.got)
    assert ending == "reset" or reader.got == sent


@settings(deadline=None, max_examples=150)
@given(steps, st.sampled_from(["end", "end, seen late", "reset"]))
async def test_all_that_comes_is_taken_in_order_and_to_its_end(script, ending):
    """A read that was full, a reader who was busy or began again, bytes with the end: no matter."""
    ours, theirs = tcp_pair()
    async with open_poller() as poller:
        wire = Wire(ours, "127.0.0.1", poller)
        with theirs, within():
            await play(wire, theirs, script, ending)
        wire.close()

        assert not poller._sources


async def test_who_closes_a_wire_wakes_who_reads_it(poller):
    """Whatever is accepted next under the same number has news of its own."""
    (ours, theirs), (accepted, other) = tcp_pair(), tcp_pair()
    wire, ended = Wire(ours, "127.0.0.1", poller), []
    number = ours.fileno()

    async def read() -> None:
        try:
            await wire.feed(lambda _: True, READ_BYTES)
        except trio.ClosedResourceError:
            ended.append("closed")

    with within():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await wait_all_tasks_blocked()
            theirs.sendall(b"not read")
            theirs.close()
            wire.close()
            next_one = socket.socket(fileno=os.dup2(accepted.fileno(), number))
            next_one.setblocking(False)
            accepted.close()
        wire = Wire(next_one, "127.0.0.1", poller)
        async with trio.open_nursery() as nursery:
            got: list[bytes] = []
            nursery.start_soon(wire.feed, lambda data: got.append(data) or bool(data), READ_BYTES)
            await wait_all_tasks_blocked()
            assert not got
            other.sendall(b"read")
            other.close()
        wire.close()

    assert (ended, got) == (["closed"], [b"read", b""])

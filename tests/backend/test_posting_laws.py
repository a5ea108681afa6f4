"""Whatever the other side does and when, who posted a request knows what became of it."""

from __future__ import annotations

import socket
import struct

import attrs
import httpx
import trio
from hypothesis import example, given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from fakes.node import within
from fakes.tcp import tcp_pair
from fakes.turns import crowd
from gogate_trio.backend.pipe import BarePipe, NothingLeft
from gogate_trio.poller import open_poller

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
REQUEST = bytes(range(256)) * 2000
"""The longest: more than the kernel takes."""

RESET = struct.pack("ii", 1, 0)

steps = st.lists(st.sampled_from(["turn", "settle", "read", "answer", "shut", "reset"]), max_size=8)
"""What happens once it is posted: a turn of the scheduler; all that can happen does; and what the
other side does: read, answer, say that it will say no more, be gone."""


@attrs.define(eq=False)
class Exchange:
    """One request on a connection that stands, and both ends of that."""

    pipe: BarePipe
    theirs: socket.socket
    came: bytes | httpx.TransportError | None = None
    """What the one who asked got of it."""
    got: bytes = b""
    """What the other side has read of it."""
    is_answered: bool = False
    is_shut: bool = False
    is_reset: bool = False

    async def ask(self, request: bytes) -> None:
        """Post, and receive."""
        self.pipe.post(request)
        try:
            self.came = await self.pipe.receive()
        except httpx.TransportError as error:
            self.came = error

    def read(self) -> None:
        """Let the other side read what has come."""
        if not self.is_reset:
            try:
                self.got += self.theirs.recv(1 << 20)
            except BlockingIOError:
                return

    async def do(self, step: str) -> None:
        """Let something happen."""
        match step:
            case "turn":
                await trio.lowlevel.checkpoint()
            case "settle":
                await wait_all_tasks_blocked()
            case "read":
                self.read()
            case "answer" if not (self.is_answered or self.is_shut or self.is_reset):
                self.is_answered = True
                self.theirs.send(ANSWER)
            case "shut" if not (self.is_shut or self.is_reset):
                self.is_shut = True
                self.theirs.shutdown(socket.SHUT_WR)
            case "reset" if not self.is_reset:
                self.read()
                self.is_reset = True
                self.theirs.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                self.theirs.close()

    async def end(self, size: int) -> None:
        """Let the other side read on, answer what is whole, and see what becomes of it."""
        while self.came is None:
            self.read()
            if len(self.got) == size:
                await self.do("answer")
            await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        self.read()
        # The kernel may still have some.
        while self.came == ANSWER and len(self.got) < size and not self.is_reset:
            await trio.sleep(0.001)
            self.read()


@example(script=["turn", "reset"], size=len(REQUEST), is_crowded=True, is_minded=False)
@settings(deadline=None, max_examples=150)
@given(steps, st.sampled_from([1, 300, 20_000, len(REQUEST)]), st.booleans(), st.booleans())
async def test_who_asks_knows_what_became_of_it(script, size, is_crowded, is_minded):
    """An answer means that all of it went; that nothing left, that nothing ever comes of it."""
    ours, theirs = tcp_pair(8192)
    async with open_poller() as poller, trio.open_nursery() as nursery:
        pipe = BarePipe(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), poller)
        theirs.send(ANSWER)
        assert await pipe.receive() == ANSWER
        exchange = Exchange(pipe, theirs)
        if is_minded:
            pipe.mind(trio.current_time() + 60)
        if is_crowded:
            await crowd()
        with within():
            nursery.start_soon(exchange.ask, REQUEST[:size])
            for step in script:
                await exchange.do(step)
            await exchange.end(size)
        pipe.close()
    theirs.close()

    assert REQUEST[:size].startswith(exchange.got)
    if isinstance(exchange.came, NothingLeft):
        assert exchange.got == b""
    elif exchange.came == ANSWER:
        assert exchange.got == REQUEST[:size] or exchange.is_reset
    else:
        assert exchange.is_shut or exchange.is_reset

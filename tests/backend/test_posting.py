"""A request that is posted leaves at the end of the turn; who receives is told what came of it."""

from __future__ import annotations

import errno
import socket
import struct

import httpx
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.node import PATIENCE
from fakes.tcp import tcp_pair
from fakes.turns import crowd
from gogate_trio.backend.pipe import BarePipe, NothingLeft

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.fixture
async def ends(poller):
    """A pipe in use whose kernel takes little at a time, and the socket at its other end."""
    ours, theirs = tcp_pair(4096)
    pipe = BarePipe(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), poller)
    with theirs:
        # What epoll tells of every new socket is told.
        theirs.send(ANSWER)
        assert await pipe.receive() == ANSWER
        yield pipe, theirs
        pipe.close()


def reset(sock: socket.socket) -> None:
    """Close with a reset."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def all_of(sock: socket.socket) -> bytes:
    """What has come by now."""
    try:
        return sock.recv(1 << 20)
    except BlockingIOError:
        return b""


async def test_it_leaves_when_the_turn_ends(ends):
    """Not before the others of its crowd have had theirs."""
    pipe, theirs = ends
    await crowd()
    assert pipe.post(b"request")
    assert all_of(theirs) == b""
    await trio.lowlevel.checkpoint()
    assert all_of(theirs) == b"request"


async def test_nothing_of_it_leaves_once_the_pipe_is_closed(ends):
    """Who closes has told its caller how the call went: it must not happen after all."""
    pipe, theirs = ends
    await crowd()
    pipe.post(b"request")
    pipe.close()
    await trio.lowlevel.checkpoint()
    assert all_of(theirs) == b""


@pytest.mark.parametrize("is_crowded", [True, False])
@pytest.mark.parametrize("is_minded", [True, False])
async def test_one_too_large_for_the_kernel_goes_whole_before_its_answer(
    ends, nursery, is_crowded, is_minded
):
    """Who waits for the answer sends the rest."""
    pipe, theirs = ends
    request = bytes(1_000_000)
    if is_minded:
        pipe.mind(trio.current_time() + PATIENCE)
    if is_crowded:
        await crowd()
    pipe.post(request)

    async def answer():
        other = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        left = len(request)
        while left:
            left -= len(await other.receive_some())
        await other.send_all(ANSWER)

    nursery.start_soon(answer)
    with trio.fail_after(PATIENCE):
        assert await pipe.receive() == ANSWER


@pytest.mark.parametrize("is_crowded", [True, False])
async def test_it_is_known_when_nothing_of_it_left(ends, is_crowded):
    """The other side was gone before: it may be asked for on another connection."""
    pipe, theirs = ends
    reset(theirs)
    if is_crowded:
        await crowd()
    pipe.post(b"request")
    with trio.fail_after(PATIENCE), pytest.raises(NothingLeft):
        await pipe.receive()


async def test_nothing_of_it_leaves_when_the_other_side_has_hung_up_by_then(ends):
    """As when that had been seen before: no answer would come, and nobody knew what was done."""
    pipe, theirs = ends
    await crowd()
    pipe.post(b"request")
    theirs.shutdown(socket.SHUT_WR)
    with trio.fail_after(PATIENCE), pytest.raises(NothingLeft):
        await pipe.receive()
    assert all_of(theirs) == b""


async def test_it_is_known_when_some_of_it_left(ends, nursery):
    """The other side may have acted on it."""
    pipe, theirs = ends

    async def leave():
        await wait_all_tasks_blocked(0.01)
        reset(theirs)

    pipe.post(bytes(1_000_000))
    nursery.start_soon(leave)
    with trio.fail_after(PATIENCE), pytest.raises(httpx.WriteError) as failed:
        await pipe.receive()
    assert not isinstance(failed.value, NothingLeft)


class Full:
    """A socket of a kernel that is out of memory."""

    def __init__(self, sock: socket.socket) -> None:
        """Take the real one."""
        self._sock = sock

    def __getattr__(self, name):
        """Be the real one, but for sending."""
        return getattr(self._sock, name)

    def send(self, _data):
        """Take nothing."""
        raise OSError(errno.ENOBUFS, "no buffer space")


@pytest.mark.parametrize("is_crowded", [True, False])
async def test_what_the_kernel_refuses_is_known_though_epoll_says_nothing(ends, is_crowded):
    """There is nothing to wait for."""
    pipe, _theirs = ends
    pipe._socket = Full(pipe._socket)
    if is_crowded:
        await crowd()
    pipe.post(b"request")
    with trio.fail_after(PATIENCE), pytest.raises(NothingLeft):
        await pipe.receive()

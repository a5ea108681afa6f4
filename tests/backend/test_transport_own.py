"""What only our own transport promises: nothing leaks, nothing is taken for something else."""

from __future__ import annotations

import socket
import ssl
import struct
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.asking import ask, request, server
from fakes.backend import open_fake_backend
from fakes.hostile import http, open_hostile_backend, says
from fakes.leaks import holding, settles
from fakes.settings import backend_settings
from gogate_trio.backend import transport as transport_module
from gogate_trio.backend.pipe import BarePipe, NothingLeft
from gogate_trio.backend.rest import open_backend
from gogate_trio.backend.transport import H11Transport
from gogate_trio.errors import BackendUnavailable
from gogate_trio.ids import ChatId
from gogate_trio.protocol.commands import SendMessage

if TYPE_CHECKING:
    from gogate_trio.backend.pipe import Pipe
    from gogate_trio.poller import Poller

HELLO = SendMessage(ChatId(1), "hello")
BODY = b'{"id":1}'
KEEPALIVE = 3.0


@pytest.fixture
def transport_to(poller):
    """Make a transport to an address."""

    def make(url: str) -> H11Transport:
        context = ssl.create_default_context()
        return H11Transport(httpx.URL(url), context, poller, keepalive=KEEPALIVE)

    return make


# ── one answer is never taken for another ────────────────────────────────────


async def test_bytes_behind_an_answer_are_never_the_next_one(transport_to):
    """A backend, or somebody before it, that says more than it was asked loses its connection."""
    answer = http(200, BODY) + http(200, b"forged!!")
    async with (
        open_hostile_backend(says(answer, keep=True)) as hostile,
        transport_to(hostile.url) as transport,
    ):
        for _ in range(3):
            assert await ask(transport, request(hostile.url)) == (200, BODY)

    assert hostile.connections == 3


async def test_bytes_that_come_while_nobody_asked_are_never_the_next_answer(transport_to):
    """The same when they arrive after the answer was read."""
    spoken = trio.Event()

    async def speak_up(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(http(200, BODY))
        await wait_all_tasks_blocked(0.01)
        await stream.send_all(http(200, b"forged!!"))
        spoken.set()
        await trio.sleep_forever()

    async with server(speak_up) as url, transport_to(url) as transport:
        assert await ask(transport, request(url)) == (200, BODY)
        await spoken.wait()
        assert await ask(transport, request(url)) == (200, BODY)


# ── requests that must not leave ─────────────────────────────────────────────


async def test_another_address_is_refused(transport_to):
    """No key and no token ever goes anywhere but to the backend."""
    async with (
        open_hostile_backend(says(http(200, BODY))) as backend,
        open_hostile_backend(says(http(200, BODY))) as stranger,
        transport_to(backend.url) as transport,
    ):
        elsewhere = (stranger.url, backend.url.replace("http", "https"), "http://localhost")
        for url in elsewhere:
            with pytest.raises(httpx.UnsupportedProtocol):
                await ask(transport, request(url))

    assert stranger.connections == backend.connections == 0


@pytest.mark.parametrize(
    ("headers", "target"),
    [
        ([(b"X", b"y\r\nZ: forged")], b"/"),
        ([(b"X", b"y\nZ: forged")], b"/"),
        ([(b"X", b"\x00")], b"/"),
        ([(b"X ", b"y")], b"/"),
        ([(b"", b"y")], b"/"),
        ([(b"Host", b"x")], b"/ HTTP/1.1\r\nX: y"),
        ([(b"Host", b"x")], b"x"),
        ([(b"Host", b"x")], b"/a b"),
        ([(b"Content-Length", b"7")], b"/"),
        ([(b"Content-Length", b"-1")], b"/"),
        ([(b"Transfer-Encoding", b"chunked")], b"/"),
        ([(b"Content-Length", b"0"), (b"Transfer-Encoding", b"chunked")], b"/"),
    ],
)
async def test_what_would_not_arrive_as_it_was_meant_does_not_leave(headers, target, transport_to):
    """Broken lines, forged lines, and lengths that are not the body's."""
    async with (
        open_hostile_backend(says(http(200, BODY))) as hostile,
        transport_to(hostile.url) as transport,
    ):
        made = httpx.Request(
            "POST", hostile.url, headers=headers, content=b"", extensions={"target": target}
        )
        made.headers = httpx.Headers(headers)
        with pytest.raises(httpx.LocalProtocolError):
            await transport.handle_async_request(made)

    assert hostile.requests == []


# ── connections come and go ──────────────────────────────────────────────────


async def test_an_idle_connection_is_good_for_so_long(mock_clock, transport_to):
    """Just before the backend would hang up, we do: at the next request."""
    async with (
        open_hostile_backend(says(http(200, BODY), keep=True)) as hostile,
        transport_to(hostile.url) as transport,
    ):
        await ask(transport, request(hostile.url))
        mock_clock.jump(KEEPALIVE)
        await ask(transport, request(hostile.url))
        assert hostile.connections == 1

        mock_clock.jump(KEEPALIVE + 0.1)
        await ask(transport, request(hostile.url))
        assert hostile.connections == 2


async def test_closing_leaves_no_connection_open(transport_to):
    """What is idle closes at once, what is in use with its call."""
    before = holding()
    async with open_hostile_backend(says(http(200, bytes(300_000)), keep=True)) as hostile:
        async with transport_to(hostile.url) as transport:
            await ask(transport, request(hostile.url))
            response = await transport.handle_async_request(request(hostile.url))
        assert len(b"".join([part async for part in response.stream])) == 300_000

        assert await settles(lambda: holding().descriptors <= before.descriptors + 1)


@pytest.mark.parametrize("secure", [False, True])
async def test_calls_cancelled_at_any_moment_leak_nothing(secure, transport_to):
    """While dialling, shaking hands, sending, reading: no descriptor, no task stays behind."""
    answer = http(200, bytes(100_000))
    async with open_hostile_backend(says(answer, keep=True)) as hostile:
        # Without a certificate the handshake goes on until it is cancelled or fails.
        url = hostile.url.replace("http:", "https:") if secure else hostile.url
        before = holding()
        async with transport_to(url) as transport:

            async def impatient(patience: float) -> None:
                with trio.move_on_after(patience):
                    try:
                        await ask(transport, request(url, bytes(100_000)))
                    except httpx.TransportError:
                        return

            for _ in range(5):
                async with trio.open_nursery() as callers:
                    for number in range(60):
                        callers.start_soon(impatient, number * 0.0003)
        assert await settles(lambda: holding().is_at_most(before))


async def test_no_more_connections_than_calls():
    """Thousands of calls, as many connections as may run at once."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url, max_calls=4)) as backend,
    ):
        before = holding()
        async with trio.open_nursery() as callers:
            for _ in range(500):
                callers.start_soon(backend.members, ChatId(1))

        # Each has two ends here, and a task of the fake's.
        assert holding().descriptors <= before.descriptors + 8


# ── nothing left ─────────────────────────────────────────────────────────────


async def test_a_pipe_knows_that_nothing_left(poller):
    """Reset before the first byte: the kernel took nothing, so nobody has seen it."""
    listener = socket.create_server(("127.0.0.1", 0))
    stream = await trio.open_tcp_stream(*listener.getsockname())
    accepted, _ = listener.accept()
    pipe = BarePipe(stream, poller)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    accepted.close()
    listener.close()

    assert pipe.is_readable()
    with pytest.raises(NothingLeft):
        await pipe.send(b"x")
    pipe.close()
    pipe.close()


class Gone:
    """A pipe that breaks between the look at it and the first byte."""

    def __init__(self, pipe: Pipe) -> None:
        """Take the pipe that was meant."""
        self._pipe = pipe

    async def send(self, data: bytes) -> None:
        """Lose the connection."""
        raise NothingLeft(str(len(data)))

    def post(self, data: bytes) -> bool:  # noqa: ARG002 - the port's
        """Nothing is sent later."""
        return False

    async def receive(self) -> bytes:
        """Not reached."""
        raise AssertionError

    def is_readable(self) -> bool:
        """Not yet."""
        return False

    def mind(self, until: float | None) -> bool:
        """As what was meant."""
        return self._pipe.mind(until)

    def close(self) -> None:
        """Close what was meant."""
        self._pipe.close()


@pytest.mark.parametrize("breaks", [1, 2])
async def test_a_deed_of_which_nothing_left_is_sent_once_more(monkeypatch, breaks):
    """That is no repetition. Unlucky twice, it is told as safe to repeat."""
    dial = transport_module.dial
    pipes = []

    async def dial_badly(url: httpx.URL, context: ssl.SSLContext, poller: Poller) -> Pipe:
        pipe = await dial(url, context, poller)
        pipes.append(pipe)
        return Gone(pipe) if len(pipes) <= breaks else pipe

    monkeypatch.setattr(transport_module, "dial", dial_badly)
    with structlog.testing.capture_logs() as events:
        async with (
            open_fake_backend() as fake,
            open_backend(backend_settings(fake.url)) as backend,
        ):
            if breaks == 1:
                assert (await backend.send_message("token-1", HELLO)).message_id == 1
            else:
                with pytest.raises(BackendUnavailable):
                    await backend.send_message("token-1", HELLO)

    assert [event["error"] for event in events] == ["NothingLeft"] * breaks
    assert len(fake.messages) == 2 - breaks

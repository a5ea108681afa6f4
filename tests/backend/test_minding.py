"""Calls on a connection that stands: none is left half done, and each keeps its deadline.

Bare, such a call has no cancel scope of its own; in TLS it has. Both keep the same laws.
"""

from __future__ import annotations

import socket
import ssl

import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from fakes.hostile import http, open_hostile_backend
from fakes.node import PATIENCE
from fakes.settings import backend_settings
from gogate_trio.backend import rest
from gogate_trio.backend.pipe import BarePipe
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId
from gogate_trio.poller import open_poller
from gogate_trio.protocol.commands import SendMessage

HELLO = SendMessage(ChatId(1), "hello")
STORED = http(201, b'{"id":1}')


@pytest.fixture(params=["bare", "tls"])
def standing(request, monkeypatch):
    """Open a backend that answers one call, then only when it is let."""
    if request.param == "bare":
        return Standing(None)
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    monkeypatch.setattr(rest, "_context", lambda _url: context)
    return Standing(tls)


class Standing:
    """A backend with whom a connection stands after ``begin``."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        """Speak TLS with this, if anything."""
        self.tls = tls
        self.asked = trio.Event()
        self.go_on = trio.Event()
        self._answered = 0

    def open(self):
        """Run it."""
        return open_hostile_backend(self._answer, tls=self.tls)

    def settings(self, url: str, timeout: float):
        """The settings of who calls it."""
        return backend_settings(url.replace("127.0.0.1", "localhost"), timeout=timeout)

    async def _answer(self, stream: trio.abc.Stream) -> bool:
        self._answered += 1
        if self._answered == 2:
            self.asked.set()
            await self.go_on.wait()
        await stream.send_all(STORED)
        return True


async def test_a_call_on_what_stands_ends_at_its_deadline(standing):
    """A deed has an unknown outcome, a question none and is not asked again; a new call dials."""
    for call, error in (("send_message", OutcomeUnknown), ("members", BackendUnavailable)):
        now = Standing(standing.tls)
        async with now.open() as hostile, open_backend(now.settings(hostile.url, 0.3)) as backend:
            await backend.send_message("token-1", HELLO)
            with trio.fail_after(PATIENCE), pytest.raises(error):
                await (
                    backend.members(ChatId(1))
                    if call == "members"
                    else backend.send_message("token-1", HELLO)
                )
            assert (len(hostile.requests), hostile.connections) == (2, 1)
            now.go_on.set()
            assert (await backend.send_message("token-1", HELLO)).message_id == 1

        assert hostile.connections == 2


async def test_a_caller_that_leaves_does_not_cancel_a_call_on_what_stands(standing):
    """The deed is done and told, and the connection is good for the next."""
    stored = []
    async with (
        standing.open() as hostile,
        open_backend(standing.settings(hostile.url, 600)) as backend,
    ):
        await backend.send_message("token-1", HELLO)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as clients:

                async def client() -> None:
                    stored.append(await backend.send_message("token-1", HELLO))
                    await trio.sleep_forever()

                clients.start_soon(client)
                await standing.asked.wait()
                clients.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await wait_all_tasks_blocked()
                    assert not stored
                standing.go_on.set()
        await backend.send_message("token-1", HELLO)

    assert (stored[0].message_id, hostile.connections) == (1, 1)


async def test_abandoning_ends_calls_on_what_stands_and_repeats_none(standing):
    """At the very end a question is not asked again on another connection."""
    async with (
        standing.open() as hostile,
        open_backend(standing.settings(hostile.url, 600)) as backend,
    ):
        await backend.send_message("token-1", HELLO)
        with trio.fail_after(PATIENCE):
            async with trio.open_nursery() as clients:

                async def client() -> None:
                    with pytest.raises(BackendUnavailable):
                        await backend.members(ChatId(1))

                clients.start_soon(client)
                await standing.asked.wait()
                backend.abandon()
        standing.go_on.set()

    assert (len(hostile.requests), hostile.connections) == (2, 1)


async def test_a_request_too_large_for_the_kernel_is_sent_whole_by_who_is_cancelled():
    """Half of a request would leave its outcome unknown."""
    ours, theirs = socket.socketpair()
    request = bytes(5_000_000)
    other = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    received = 0
    async with open_poller() as poller, trio.open_nursery() as both, other:
        pipe = BarePipe(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), poller)
        pipe.mind(trio.current_time() + PATIENCE)

        async def send() -> None:
            with trio.CancelScope() as leaving:
                leaving.cancel()
                await pipe.send(request)
            pipe.close()

        both.start_soon(send)
        async for piece in other:
            received += len(piece)

    assert received == len(request)


@pytest.mark.parametrize("then", ["waits", "half-closes"])
async def test_an_answer_that_comes_before_the_request_has_gone_is_read(then):
    """Also its end: whoever waits for room to send is told of both, and of neither again."""
    request = bytes(1_000_000)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ours = socket.create_connection(listener.getsockname())
        theirs, _ = listener.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    async with open_poller() as poller, trio.open_nursery() as both:
        pipe = BarePipe(trio.SocketStream(trio.socket.from_stdlib_socket(ours)), poller)
        pipe.mind(trio.current_time() + PATIENCE / 10)
        both.start_soon(pipe.send, request)
        await wait_all_tasks_blocked(0.01)
        theirs.send(STORED)
        if then == "half-closes":
            theirs.shutdown(socket.SHUT_WR)
        await wait_all_tasks_blocked(0.01)
        other = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
        received = 0
        while received < len(request):
            received += len(await other.receive_some())
        await wait_all_tasks_blocked(0.01)

        assert await pipe.receive() == STORED
        if then == "half-closes":
            assert await pipe.receive() == b""
        pipe.close()
        await other.aclose()

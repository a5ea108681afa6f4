"""One watchman keeps every call's deadline, and what stands is never left half read."""

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
from gogate_trio.backend.watch import open_watch
from gogate_trio.errors import BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId
from gogate_trio.protocol.commands import SendMessage

HELLO = SendMessage(ChatId(1), "hello")
STORED = http(201, b'{"id":1}')


# ── the watch ────────────────────────────────────────────────────────────────


class Task:
    """Something with a deadline, which notes when it was cut."""

    cut_at: float | None = None

    def cut(self) -> None:
        """Note it."""
        self.cut_at = trio.current_time()


async def test_each_is_cut_at_its_deadline_in_whatever_order_they_began(autojump_clock):
    """An earlier one that comes later is not overlooked; who has ended is left alone."""
    late, early, ended = Task(), Task(), Task()
    began = autojump_clock.current_time()
    async with open_watch() as watch:
        watch.begin(late, began + 10)
        watch.begin(ended, began + 3)
        await trio.sleep(1)
        watch.begin(early, began + 2)
        watch.end(ended)
        await trio.sleep(20)
        again = Task()
        watch.begin(again, began + 22)
        await trio.sleep(5)

    assert [early.cut_at, late.cut_at, again.cut_at] == [began + 2, began + 10, began + 22]
    assert ended.cut_at is None


async def test_a_watch_that_is_cancelled_goes_on_until_all_it_watches_has_ended(autojump_clock):
    """A call that nobody can cancel has no other deadline."""
    task = Task()
    began = autojump_clock.current_time()
    with trio.CancelScope() as scope:
        async with open_watch() as watch:
            watch.begin(task, began + 10)
            scope.cancel()

    assert task.cut_at == autojump_clock.current_time() == began + 10


async def test_a_watch_ends_at_once_when_the_last_it_watches_has(autojump_clock):
    """It does not wait for deadlines of what is over."""
    task = Task()
    began = autojump_clock.current_time()

    async def end() -> None:
        await trio.sleep(1)
        watch.end(task)

    async with trio.open_nursery() as others, open_watch() as watch:
        watch.begin(task, began + 10)
        others.start_soon(end)

    assert (task.cut_at, autojump_clock.current_time()) == (None, began + 1)


# ── calls on a connection that stands ────────────────────────────────────────


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
    pipe = BarePipe(trio.SocketStream(trio.socket.from_stdlib_socket(ours)))
    request = bytes(5_000_000)
    other = trio.SocketStream(trio.socket.from_stdlib_socket(theirs))
    received = 0
    async with trio.open_nursery() as both, other:

        async def send() -> None:
            with trio.CancelScope() as leaving:
                leaving.cancel()
                await pipe.send_shielded(request)
            pipe.close()

        both.start_soon(send)
        async for piece in other:
            received += len(piece)

    assert received == len(request)

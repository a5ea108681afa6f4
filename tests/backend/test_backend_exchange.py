"""How the calls to the backend travel: slots, deadlines, cancellation, connections."""

from __future__ import annotations

from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING

import httpx
import pytest
import structlog
import trio

from fakes.backend import open_fake_backend
from fakes.hostile import http, open_hostile_backend, says
from fakes.node import PATIENCE
from fakes.settings import backend_settings
from gogate_trio.backend.dialects import DIALECTS
from gogate_trio.backend.exchange import Exchange
from gogate_trio.backend.gate import Gate
from gogate_trio.backend.requests import Site
from gogate_trio.backend.rest import RestBackend, open_backend
from gogate_trio.errors import BackendError, BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId, MessageId
from gogate_trio.protocol.commands import MarkRead, SendMessage

if TYPE_CHECKING:
    from gogate_trio.backend.exchange import Endpoint
    from gogate_trio.backend.judging import Outcome

pytestmark = pytest.mark.usefixtures("transport")

HELLO = SendMessage(ChatId(1), "hello")
VALID = b'{"valid":true,"user":{"id":1,"name":"Jo"}}'


async def test_no_more_calls_at_once_than_allowed():
    """The backend never sees more than max_calls requests at the same time; all are answered."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url, max_calls=3)) as backend,
    ):
        fake.delay = 0.005
        async with trio.open_nursery() as callers:
            for _ in range(30):
                callers.start_soon(backend.members, ChatId(1))

    assert len(fake.calls) == 30
    assert fake.most_concurrent == 3


class Nowhere(httpx.AsyncBaseTransport):
    """A network on which nothing ever answers."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Take the whole request, and wait."""
        async for _ in request.stream:
            pass
        await trio.sleep_forever()
        raise AssertionError


def nowhere(*, slots: int) -> RestBackend:
    """The way to it, with ten seconds for a call."""
    settings = backend_settings("http://x")
    return RestBackend(
        Exchange(Nowhere(), httpx.URL("http://x")),
        Gate(slots=slots, queue=100),
        timeout=10,
        site=Site.of(settings),
        dialect=DIALECTS["guide"],
        observe=lambda *_: None,
    )


async def test_the_wait_for_a_slot_counts_against_the_deadline(autojump_clock):
    """A call ends when its time is over, wherever it is by then; without a slot unsent."""
    backend = nowhere(slots=1)
    ends: list[tuple[type[BackendError], float]] = []

    async def run() -> None:
        with pytest.raises(BackendError) as raised:
            await backend.mark_read("token-1", MarkRead((MessageId(1),)))
        ends.append((raised.type, autojump_clock.current_time() - began))

    began = autojump_clock.current_time()
    async with trio.open_nursery() as callers:
        callers.start_soon(run)
        callers.start_soon(run)
        await trio.sleep(4)
        callers.start_soon(run)

    assert set(ends) == {
        (BackendUnavailable, 10),
        (OutcomeUnknown, 10),
        (OutcomeUnknown, 14),
    }


async def test_a_caller_that_leaves_does_not_cancel_a_call_in_flight():
    """A cancelled caller waits for its call, and the deed is done and told."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
        trio.open_nursery() as clients,
    ):
        gate = fake.hold("send_message")
        stored = []

        async def client() -> None:
            stored.append(await backend.send_message("token-1", HELLO))

        clients.start_soon(client)
        await fake.wait_for_calls("send_message", 1)
        clients.cancel_scope.cancel()
        gate.set()

    assert stored[0].message_id == 1


async def test_thousands_of_cancelled_callers_leak_no_slot():
    """Callers that come and go at every moment leave every slot and connection usable."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url, max_calls=2)) as backend,
    ):

        async def impatient(patience: float) -> None:
            with trio.move_on_after(patience):
                await backend.members(ChatId(1))

        for _ in range(20):
            async with trio.open_nursery() as callers:
                for number in range(100):
                    callers.start_soon(impatient, number * 0.0002)
        fake.calls.clear()
        with trio.fail_after(5):
            async with trio.open_nursery() as callers:
                for _ in range(10):
                    callers.start_soon(backend.members, ChatId(1))

    assert len(fake.calls) == 10


async def test_calls_ended_by_the_deadline_leak_no_slot():
    """A backend that hung for a while is fully usable again when it is back."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url, max_calls=2, timeout=0.2)) as backend,
    ):
        gate = fake.hold("members")

        async def disappointed() -> None:
            with pytest.raises(BackendUnavailable):
                await backend.members(ChatId(1))

        for _ in range(4):
            async with trio.open_nursery() as callers:
                for _ in range(5):
                    callers.start_soon(disappointed)
        gate.set()

        async def answered() -> int:
            # On a busy machine an answer may miss a deadline as short as this one.
            while True:
                with suppress(BackendUnavailable):
                    return len((await backend.members(ChatId(1))).names)

        with trio.fail_after(PATIENCE):
            assert [await answered() for _ in range(5)] == [3] * 5


async def test_abandoning_ends_every_call_at_once():
    """At the very end nothing waits for the deadline of a call."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url, timeout=600)) as backend,
    ):
        fake.hold("send_message")
        fake.hold("members")

        async def cut(call, error: type[BackendError]) -> None:
            with pytest.raises(error):
                await call

        with trio.fail_after(5):
            async with trio.open_nursery() as callers:
                send = backend.send_message("token-1", HELLO)
                callers.start_soon(cut, send, OutcomeUnknown)
                callers.start_soon(cut, backend.members(ChatId(1)), BackendUnavailable)
                await fake.wait_for_calls("send_message", 1)
                await fake.wait_for_calls("members", 1)
                backend.abandon()


async def test_connections_are_reused():
    """Calls one after the other, answered or refused, travel on one connection."""
    async with (
        open_hostile_backend(says(http(404, b'{"error":"x"}'), keep=True)) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        for _ in range(5):
            with pytest.raises(BackendRejected):
                await backend.members(ChatId(1))
            with pytest.raises(BackendRejected):
                await backend.send_message("token-1", HELLO)

    assert (len(hostile.requests), hostile.connections) == (10, 1)


async def test_a_question_survives_a_connection_that_closed_under_it():
    """A kept-alive connection that the backend cuts at our next request costs one repetition."""
    numbers = count()

    async def cut_every_second(stream: trio.abc.Stream) -> bool:
        if next(numbers) % 2:
            return False
        await stream.send_all(http(200, VALID))
        return True

    async with (
        open_hostile_backend(cut_every_second) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        users = [await backend.validate("token-1") for _ in range(3)]

    assert [user.user_id for user in users] == [1, 1, 1]
    assert len(hostile.requests) == 5


async def test_a_deed_is_never_sent_twice():
    """The same cut leaves a deed's outcome unknown: the request had left."""
    numbers = count()

    async def cut_the_second(stream: trio.abc.Stream) -> bool:
        if next(numbers):
            return False
        await stream.send_all(http(201, b'{"id":1}'))
        return True

    async with (
        open_hostile_backend(cut_the_second) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        await backend.send_message("token-1", HELLO)
        with pytest.raises(OutcomeUnknown):
            await backend.send_message("token-1", HELLO)

    assert len(hostile.requests) == 2


async def test_every_end_of_a_call_is_observed_once():
    """The metrics hear of each call: which, how it ended, how long it took."""
    seen: list[tuple[Endpoint, Outcome]] = []

    def observe(endpoint: Endpoint, outcome: Outcome, seconds: float) -> None:
        assert 0 <= seconds < 5
        seen.append((endpoint, outcome))

    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url), observe) as backend,
    ):
        await backend.validate("token-1")
        fake.fail("members", status=503)
        fake.fail("send_message", cut=True)
        with pytest.raises(BackendRejected):
            await backend.validate("bad")
        with pytest.raises(BackendUnavailable):
            await backend.members(ChatId(1))
        with pytest.raises(OutcomeUnknown):
            await backend.send_message("token-1", HELLO)
        with trio.CancelScope() as scope:
            scope.cancel()
            await backend.mark_read("token-1", MarkRead((MessageId(1),)))

    assert seen == [
        ("validate", "ok"),
        ("validate", "rejected"),
        ("members", "unavailable"),
        ("send_message", "unknown"),
        ("mark_read", "cancelled"),
    ]


async def test_a_backend_that_is_not_there_is_dialled_once():
    """Trying again at once would only double what a dead backend costs."""
    async with open_fake_backend() as gone:
        settings = backend_settings(gone.url)

    with structlog.testing.capture_logs() as events:
        async with open_backend(settings) as backend:
            with pytest.raises(BackendUnavailable):
                await backend.members(ChatId(1))

    assert [event["error"] for event in events] == ["ConnectError"]

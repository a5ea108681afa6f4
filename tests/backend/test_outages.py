"""A backend that goes away and comes back, as the circuit breaker lets its callers see it."""

from __future__ import annotations

import pytest
import structlog

from fakes.backend import open_fake_backend
from fakes.hostile import http, open_hostile_backend, says
from fakes.settings import backend_settings
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import BackendError, BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId
from gogate_trio.limits import BREAKER_CALLS, BREAKER_PAUSE_SECONDS
from gogate_trio.protocol.commands import SendMessage
from gogate_trio.state.breaker import Circuit

pytestmark = pytest.mark.usefixtures("transport")

HELLO = SendMessage(ChatId(1), "hello")


async def _ends(backend, calls: int = BREAKER_CALLS) -> Circuit:
    """Return the state of the breaker after so many deeds."""
    for _ in range(calls):
        try:
            await backend.send_message("token-1", HELLO)
        except BackendError:
            continue
    return backend.statistics().circuit


@pytest.mark.parametrize(
    ("answer", "circuit"),
    [
        (http(201, b"{}"), Circuit.CLOSED),
        (http(400, b'{"error":"No."}'), Circuit.CLOSED),
        (http(401, b"{}"), Circuit.CLOSED),
        (http(429, b"{}"), Circuit.CLOSED),
        (http(500, b"{}"), Circuit.OPEN),
        (http(503, b"{}"), Circuit.OPEN),
        (http(302, b"", b"Location: /"), Circuit.OPEN),
        (http(200, b"<html>It works!</html>"), Circuit.OPEN),
        (b"SSH-2.0-OpenSSH_9.9\r\n", Circuit.OPEN),
        (b"", Circuit.OPEN),
    ],
    ids=["201", "400", "401", "429", "500", "503", "302", "a page", "no HTTP", "nothing"],
)
async def test_what_counts_as_away(answer, circuit):
    """A refusal is an answer. Ten answers of no use, or none at all, are no backend."""
    async with (
        open_hostile_backend(says(answer)) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        assert await _ends(backend) is circuit


async def test_questions_are_told_to_come_back_later_by_a_backend_that_is_there():
    """429 is no word about a token, but the backend is not away."""
    async with (
        open_hostile_backend(says(http(429, b"{}"))) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        for _ in range(2 * BREAKER_CALLS):
            with pytest.raises(BackendUnavailable):
                await backend.validate("token-1")

        assert backend.statistics().circuit is Circuit.CLOSED
        assert len(hostile.requests) == 2 * BREAKER_CALLS


async def test_a_backend_nobody_answers_for_is_dialled_no_more_than_needed():
    """After ten refused connections there is no eleventh, and a deed is safe to repeat."""
    async with open_fake_backend() as gone:
        settings = backend_settings(gone.url)

    async with open_backend(settings) as backend:
        assert await _ends(backend) is Circuit.OPEN
        with structlog.testing.capture_logs() as events, pytest.raises(BackendUnavailable):
            await backend.send_message("token-1", HELLO)

    assert events == []
    assert backend.statistics().held_back == 1


async def test_an_outage_ends_with_the_first_question_that_is_answered(mock_clock):
    """Nothing reaches a backend that is away; when it is back, a question finds out."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
    ):
        fake.fail("send_message", cut=True)
        assert await _ends(backend) is Circuit.OPEN
        sent = len(fake.calls)
        for ask in (backend.members(ChatId(1)), backend.send_message("token-1", HELLO)):
            with pytest.raises(BackendUnavailable):
                await ask
        assert len(fake.calls) == sent

        fake.heal("send_message")
        mock_clock.jump(BREAKER_PAUSE_SECONDS)
        with pytest.raises(BackendUnavailable):
            await backend.send_message("token-1", HELLO)
        assert (await backend.members(ChatId(1))).names
        assert (await backend.send_message("token-1", HELLO)).message_id

    figures = backend.statistics()
    assert (figures.circuit, figures.opened, figures.held_back) == (Circuit.CLOSED, 1, 3)


async def test_a_cut_deed_is_unknown_also_while_the_breaker_counts():
    """The breaker changes what happens to the next call, never what is said of this one."""
    async with (
        open_hostile_backend(says(b"")) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        for _ in range(BREAKER_CALLS):
            with pytest.raises(OutcomeUnknown):
                await backend.send_message("token-1", HELLO)
        with pytest.raises(BackendUnavailable):
            await backend.send_message("token-1", HELLO)

    assert len(hostile.requests) == BREAKER_CALLS


async def test_a_refusal_by_ourselves_is_none_of_the_backends():
    """A token that fits no header is refused without asking anybody, also by the breaker."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
    ):
        for _ in range(2 * BREAKER_CALLS):
            with pytest.raises(BackendRejected):
                await backend.send_message("\r\n", HELLO)

        assert backend.statistics().circuit is Circuit.CLOSED

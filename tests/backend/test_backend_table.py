"""What each way a call can end means to its caller: ``backend.judging``'s table, row by row."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest
import trio

from fakes.hostile import http, open_hostile_backend, says
from fakes.settings import backend_settings
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import BackendError, BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId, MessageId
from gogate_trio.limits import ANSWER_BYTES
from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fakes.hostile import Script
    from gogate_trio.backend.rest import RestBackend

    Ask = Callable[[RestBackend], Awaitable[object]]

pytestmark = pytest.mark.usefixtures("transport")

HARMLESS: dict[str, Ask] = {
    "validate": lambda backend: backend.validate("token-1"),
    "members": lambda backend: backend.members(ChatId(1)),
}
CHANGING: dict[str, Ask] = {
    "send_message": lambda backend: backend.send_message("token-1", SendMessage(ChatId(1), "hi")),
    "add_reaction": lambda backend: backend.add_reaction("token-1", AddReaction(MessageId(1), "+")),
    "mark_read": lambda backend: backend.mark_read("token-1", MarkRead((MessageId(1),))),
}
EVERY = HARMLESS | CHANGING

TOO_MUCH = b'{"a":"%b"}' % (b"x" * ANSWER_BYTES)
READABLE = b'{"valid":true,"user":{"id":1},"members":[]}'
"""An answer that every call would take."""

UNUSABLE = {
    "redirect": http(302, b"", b"Location: http://127.0.0.1:1/"),
    "see other": http(303, b"{}", b"Location: /"),
    "switching protocols": b"HTTP/1.1 101 Up\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
    "a page": http(200, b"<html>It works!</html>", b"Content-Type: text/html"),
    "a list": http(200, b"[]"),
    "a bare true": http(200, b"true"),
    "two documents": http(200, b"{}{}"),
    "half a document": http(200, b'{"id":'),
    "not UTF-8": http(200, b'{"valid":true,"a":"\xff"}'),
    "UTF-16": http(200, '{"id":1}'.encode("utf-16")),
    "a byte order mark": http(200, b'\xef\xbb\xbf{"id":1}'),
    "a lone surrogate": http(200, b'{"a":"\\ud800"}'),
    "an endless number": http(200, b'{"a":' + b"1" * 5000 + b"}"),
    "deep nesting": http(200, b'{"a":' * 100_000),
    "too much": http(200, TOO_MUCH),
    "too much after all was said": http(200, READABLE + b" " * ANSWER_BYTES),
    "too much, in chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    + b"%x\r\n%b\r\n" % (len(TOO_MUCH), TOO_MUCH)
    + b"0\r\n\r\n",
    "gzip": http(200, gzip.compress(b"{}"), b"Content-Encoding: gzip"),
    "a bomb": http(200, gzip.compress(bytes(10_000_000)), b"Content-Encoding: gzip"),
    "less than promised": b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{}",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
    "an endless head": b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000,
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
    "a status of letters": b"HTTP/1.1 abc OK\r\n\r\n",
    "nothing": b"",
}


async def _end_of(ask: Ask, script: Script, *, seconds: float = 5.0) -> tuple[BackendError, int]:
    """Return how a call ended against a script, and how many requests the script got."""
    async with open_hostile_backend(script) as hostile:
        async with open_backend(backend_settings(hostile.url, timeout=seconds)) as backend:
            with trio.fail_after(seconds + 5), pytest.raises(BackendError) as raised:
                await ask(backend)
        return raised.value, len(hostile.requests)


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("ask", HARMLESS.values(), ids=HARMLESS)
async def test_a_useless_answer_to_a_question_is_an_unavailable_backend(ask, answer):
    """What changes nothing may simply be asked again, however wrong the answer was."""
    error, requests = await _end_of(ask, says(answer))

    assert type(error) is BackendUnavailable
    assert requests <= 2


@pytest.mark.parametrize("answer", UNUSABLE.values(), ids=UNUSABLE)
@pytest.mark.parametrize("ask", CHANGING.values(), ids=CHANGING)
async def test_a_useless_answer_to_a_deed_leaves_its_outcome_unknown(ask, answer):
    """The backend may have done it: the call is neither repeated nor called refused."""
    error, requests = await _end_of(ask, says(answer))

    assert type(error) is OutcomeUnknown
    assert requests == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 413, 415, 422, 451, 499])
@pytest.mark.parametrize("ask", EVERY.values(), ids=EVERY)
async def test_a_4xx_is_a_refusal(ask, status):
    """The backend's no reaches the caller with its status and its words."""
    error, requests = await _end_of(ask, says(http(status, b'{"error":"No."}')))

    assert isinstance(error, BackendRejected)
    assert (error.status, error.reason, requests) == (status, "No.", 1)


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504, 599])
@pytest.mark.parametrize("ask", HARMLESS.values(), ids=HARMLESS)
async def test_come_back_later_is_no_refusal_of_a_question(ask, status):
    """A backend that is overloaded or broken has said nothing about a token or a chat."""
    error, requests = await _end_of(ask, says(http(status, b'{"error":"Later."}')))

    assert type(error) is BackendUnavailable
    assert requests == 1


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("ask", CHANGING.values(), ids=CHANGING)
async def test_a_5xx_to_a_deed_is_told_in_the_backends_words(ask, status):
    """The client learns what the backend said, as the Go program told it."""
    error, _ = await _end_of(ask, says(http(status, b'{"message":"Disk full"}')))

    assert isinstance(error, BackendRejected)
    assert str(error) == "backend error: Disk full"


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"{}", b'{"error":7}', b'{"error":"\\u0000 "}', TOO_MUCH, b"[" * 9**6]
)
async def test_a_refusal_without_words_shows_its_status(body):
    """Whatever stands in the place of the words, the status is known and is told."""
    error, _ = await _end_of(EVERY["send_message"], says(http(500, body)))

    assert str(error) == "backend error: status 500"


@pytest.mark.parametrize("ask", EVERY.values(), ids=EVERY)
async def test_no_backend_at_all_is_unavailable(ask):
    """A refused connection sent nothing, so even a deed may be repeated."""
    async with open_hostile_backend(says(b"")) as gone:
        settings = backend_settings(gone.url)

    async with open_backend(settings) as backend:
        with pytest.raises(BackendUnavailable):
            await ask(backend)


async def test_a_backend_that_never_ends_its_tls_handshake_cannot_have_acted():
    """Until a connection stands nothing was sent, so even a deed may be repeated."""
    async with open_hostile_backend(says(b"")) as plain:
        settings = backend_settings(plain.url.replace("http:", "https:"), timeout=0.3)

        async with open_backend(settings) as backend:
            with pytest.raises(BackendUnavailable):
                await EVERY["send_message"](backend)


async def _sleep(_stream: trio.abc.Stream) -> bool:
    await trio.sleep_forever()
    return False


async def _drip(stream: trio.abc.Stream) -> bool:
    await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n")
    while True:
        await stream.send_all(b" ")
        await trio.sleep(0.02)


async def _drip_head(stream: trio.abc.Stream) -> bool:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send_all(b"X: y\r\n")
        await trio.sleep(0.02)


async def _flood(stream: trio.abc.Stream) -> bool:
    await stream.send_all(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        await stream.send_all(b" " * 65536)


@pytest.mark.parametrize("script", [_sleep, _drip, _drip_head])
@pytest.mark.parametrize(
    ("ask", "expected"),
    [(EVERY["members"], BackendUnavailable), (EVERY["send_message"], OutcomeUnknown)],
    ids=["members", "send_message"],
)
async def test_an_answer_that_never_ends_is_ended(script, ask, expected):
    """Silence, drips of a head and drips of a body all meet the deadline."""
    began = trio.current_time()

    error, _ = await _end_of(ask, script, seconds=0.2)

    assert type(error) is expected
    assert trio.current_time() - began < 2


async def test_a_flood_is_cut_at_the_cap():
    """An endless answer ends when it is too large, long before the deadline."""
    with trio.fail_after(5):
        error, _ = await _end_of(EVERY["send_message"], _flood, seconds=600)

    assert type(error) is OutcomeUnknown


async def test_every_answer_of_the_table_would_be_taken_were_it_right():
    """The readable answer that the useless ones are made of is readable by every call."""
    for ask in EVERY.values():
        async with (
            open_hostile_backend(says(http(200, READABLE))) as hostile,
            open_backend(backend_settings(hostile.url)) as backend,
        ):
            assert await ask(backend)


async def test_a_refusal_whose_words_never_come_is_still_a_refusal():
    """Once the status is there, the outcome is known, however slow the rest."""

    async def drip(stream: trio.abc.Stream) -> bool:
        await stream.send_all(b"HTTP/1.1 422 No\r\nContent-Length: 99\r\n\r\n{")
        await trio.sleep_forever()
        return False

    error, _ = await _end_of(EVERY["send_message"], drip, seconds=0.2)

    assert str(error) == "backend error: status 422"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_an_empty_yes_confirms_a_reaction(status):
    """A reaction needs no body in the answer, only a yes."""
    async with (
        open_hostile_backend(says(http(status, b""))) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        confirmation = await backend.add_reaction("t", AddReaction(MessageId(1), "+"))

    assert confirmation.chat_id is None

"""A call on a connection that stands goes without httpx's objects, and ends as any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.hostile import http, open_hostile_backend
from fakes.settings import backend_settings
from gogate_trio.backend.rest import open_backend
from gogate_trio.backend.transport import H11Transport
from gogate_trio.errors import OutcomeUnknown
from gogate_trio.ids import ChatId
from gogate_trio.limits import ANSWER_BYTES
from gogate_trio.protocol.commands import SendMessage

if TYPE_CHECKING:
    import trio

HELLO = SendMessage(ChatId(1), "hello")
STORED = http(201, b'{"id":1}')
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
ANSWERS = {
    "a length, in pieces": (STORED[:-4], STORED[-4:]),
    "a head in pieces": (STORED[:9], STORED[9:]),
    "chunks with words of their own": (CHUNKED, b'8;x=y\r\n{"id":1}\r\n0\r\n\r\n'),
    "to the end of the connection": (b'HTTP/1.1 201 Created\r\n\r\n{"id":1}',),
}


@pytest.mark.parametrize("pieces", ANSWERS.values(), ids=ANSWERS)
async def test_whatever_the_answer_looks_like_it_is_read(monkeypatch, pieces):
    """The first call dials and the second does not; both read the same."""
    dialled = []
    dial = H11Transport.handle_async_request

    async def note(self, request):
        dialled.append(request.method)
        return await dial(self, request)

    monkeypatch.setattr(H11Transport, "handle_async_request", note)
    answers = iter([(STORED,), pieces])

    async def answer(stream: trio.abc.Stream) -> bool:
        said = next(answers)
        for piece in said:
            await stream.send_all(piece)
        return said != ANSWERS["to the end of the connection"]

    async with (
        open_hostile_backend(answer) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        for _ in range(2):
            assert (await backend.send_message("token-1", HELLO)).message_id == 1

    assert dialled == ["POST"]


async def test_an_answer_too_large_is_no_use_and_costs_the_connection():
    """However much of it is there, no more than the bound is taken."""
    answers = iter([STORED, http(201, bytes(5 * ANSWER_BYTES)), STORED])

    async def answer(stream: trio.abc.Stream) -> bool:
        await stream.send_all(next(answers))
        return True

    async with (
        open_hostile_backend(answer) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        await backend.send_message("token-1", HELLO)
        with pytest.raises(OutcomeUnknown):
            await backend.send_message("token-1", HELLO)
        assert (await backend.send_message("token-1", HELLO)).message_id == 1

    assert hostile.connections == 2


async def test_an_answer_cut_short_is_no_use():
    """Its status alone says nothing a client could be told."""
    answers = iter([STORED, STORED[:-4]])

    async def answer(stream: trio.abc.Stream) -> bool:
        said = next(answers)
        await stream.send_all(said)
        return said is STORED

    async with (
        open_hostile_backend(answer) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        await backend.send_message("token-1", HELLO)
        with pytest.raises(OutcomeUnknown):
            await backend.send_message("token-1", HELLO)

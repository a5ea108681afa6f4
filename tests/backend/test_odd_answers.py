"""Answers that no good backend gives: their cost has a bound, and nothing doubtful is kept."""

from __future__ import annotations

import pytest
import trio

from fakes.hostile import http, open_hostile_backend
from fakes.settings import backend_settings
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import OutcomeUnknown
from gogate_trio.ids import ChatId
from gogate_trio.limits import ANSWER_PIECES
from gogate_trio.protocol.commands import SendMessage

HELLO = SendMessage(ChatId(1), "hello")
STORED = http(201, b'{"id":1}')
CHUNKED = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n"
BOTH = b"HTTP/1.1 201 Created\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKS = b'8\r\n{"id":1}\r\n0\r\n\r\n'
HINT = b"HTTP/1.1 100 Continue\r\n\r\n"


def in_turn(*answers: bytes):
    """Answer each request with the next of these, and keep the connection."""
    left = iter(answers)

    async def script(stream: trio.abc.Stream) -> bool:
        await stream.send_all(next(left))
        return True

    return script


@pytest.mark.parametrize(
    "answer",
    [CHUNKED + b"1\r\n \r\n" * ANSWER_PIECES + CHUNKS, HINT * ANSWER_PIECES + STORED],
    ids=["chunks", "hints"],
)
@pytest.mark.parametrize("stands", [True, False])
async def test_an_answer_has_so_many_pieces(answer, stands):
    """ANSWER_PIECES: beyond it the connection is given up, whoever dialled it, at once."""
    answers = [STORED] * stands + [answer, STORED]
    async with (
        open_hostile_backend(in_turn(*answers)) as hostile,
        open_backend(backend_settings(hostile.url, timeout=30.0)) as backend,
    ):
        if stands:
            await backend.send_message("token-1", HELLO)
        with trio.fail_after(20), pytest.raises(OutcomeUnknown):
            await backend.send_message("token-1", HELLO)
        assert (await backend.send_message("token-1", HELLO)).message_id == 1

    assert hostile.connections == 2


async def test_many_pieces_leave_others_their_turns():
    """One that is within the bound is read, and nobody stands still for it."""
    turns = 0
    answer = CHUNKED + b"1\r\n \r\n" * (ANSWER_PIECES // 2) + CHUNKS
    async with (
        open_hostile_backend(in_turn(answer)) as hostile,
        open_backend(backend_settings(hostile.url, timeout=30.0)) as backend,
        trio.open_nursery() as others,
    ):

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await trio.lowlevel.checkpoint()
                turns += 1

        others.start_soon(count_turns)
        assert (await backend.send_message("token-1", HELLO)).message_id == 1
        others.cancel_scope.cancel()

    assert turns > ANSWER_PIECES // 1000


async def test_a_length_and_a_coding_are_the_last_answer_of_their_connection():
    """They disagree about where it ends, so whatever comes behind may be somebody's forgery."""
    async with (
        open_hostile_backend(in_turn(BOTH + CHUNKS, STORED)) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        for _ in range(2):
            assert (await backend.send_message("token-1", HELLO)).message_id == 1

    assert hostile.connections == 2

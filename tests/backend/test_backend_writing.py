"""What leaves for the backend, field by field, in each dialect."""

from __future__ import annotations

import pytest

from fakes.backend import open_fake_backend
from fakes.settings import backend_settings
from gogate_trio.backend.rest import open_backend
from gogate_trio.ids import ChatId, MessageId
from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

pytestmark = pytest.mark.usefixtures("transport")

BARE = SendMessage(ChatId(1), "hi")
FULL = SendMessage(ChatId(1), "é\n", MessageId(1), (5, 6))

BODIES = {
    "guide": (
        {"chatId": 1, "text": "hi"},
        {"chatId": 1, "text": "é\n", "replyToId": 1, "attachmentIds": [5, 6]},
        {"emoji": "👍🏽"},
        {"messageIds": [1, 2]},
    ),
    "symfony": (
        {"chat_id": 1, "content": "hi"},
        {"chat_id": 1, "content": "é\n", "reply_to_id": 1, "attachment_ids": [5, 6]},
        {"emoji": "👍🏽"},
        {"message_ids": [1, 2]},
    ),
}


@pytest.mark.parametrize("dialect", BODIES)
async def test_bodies_carry_exactly_the_dialects_fields(dialect):
    """Every field under its name in the dialect; what the client left out is left out."""
    async with (
        open_fake_backend(dialect=dialect) as fake,
        open_backend(backend_settings(fake.url, dialect=dialect)) as backend,
    ):
        await backend.send_message("token-1", BARE)
        await backend.send_message("token-1", FULL)
        await backend.add_reaction("token-1", AddReaction(MessageId(2), "👍🏽"))
        await backend.mark_read("token-1", MarkRead((MessageId(1), MessageId(2))))

    assert tuple(call.json for call in fake.calls) == BODIES[dialect]
    assert [(call.method, call.path) for call in fake.calls] == [
        ("POST", "/api/v1/messages"),
        ("POST", "/api/v1/messages"),
        ("POST", "/api/v1/messages/2/reactions"),
        ("POST", "/api/v1/messages/read"),
    ]


@pytest.mark.parametrize("dialect", BODIES)
async def test_internal_calls_are_the_same_in_both_dialects(dialect):
    """Validation sends the token in the body; the member list is a plain GET."""
    async with (
        open_fake_backend(dialect=dialect) as fake,
        open_backend(backend_settings(fake.url, dialect=dialect)) as backend,
    ):
        await backend.validate("token-1")
        await backend.members(ChatId(2))

    validate, members = fake.calls
    assert (validate.method, validate.path) == ("POST", "/api/internal/v1/auth/validate")
    assert validate.json == {"token": "token-1"}
    assert (members.method, members.path) == ("GET", "/api/internal/v1/chats/2/members")
    assert members.body == b""

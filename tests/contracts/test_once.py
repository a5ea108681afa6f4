"""What is done once: the key of a call that changes something, sent and understood."""

from __future__ import annotations

import httpx
import pytest

from fakes.backend import open_fake_backend
from fakes.settings import backend_settings
from fakes.worlds import GROUP, World, demo_world, said
from gogate_trio.backend.rest import open_backend
from gogate_trio.ids import MessageId
from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

pytestmark = pytest.mark.usefixtures("transport")


async def test_a_deed_carries_its_key_and_nothing_else_does(dialect):
    """All three calls that change something send ``Idempotency-Key``, when they have one."""
    async with (
        open_fake_backend(dialect=dialect) as fake,
        open_backend(backend_settings(fake.url, dialect=dialect)) as backend,
    ):
        for key in ("0123abcd", None):
            await backend.send_message("token-1", SendMessage(GROUP, "hello"), key=key)
            await backend.add_reaction("token-1", AddReaction(MessageId(1), "👍"), key=key)
            await backend.mark_read("token-1", MarkRead((MessageId(1),)), key=key)
        await backend.validate("token-1")
        await backend.members(GROUP)

    keys = [call.headers.get("idempotency-key") for call in fake.calls]
    assert keys == ["0123abcd"] * 3 + [None] * 5


async def test_a_backend_that_knows_keys_stores_once(dialect):
    """The same key again is answered with the message that is there; another key is another."""
    hello = SendMessage(GROUP, "hello")
    async with demo_world(dialect) as world:
        first, again, other = [
            await world.backend.send_message(world.johns, hello, key=key)
            for key in ("one", "one", "two")
        ]

    assert first.body == again.body
    assert first.message_id == again.message_id != other.message_id


async def test_a_reaction_or_a_read_mark_made_twice_is_made_once(dialect):
    """The demo needs no key for what cannot be done twice."""
    async with demo_world(dialect) as world:
        message_id = await said(world)
        for _ in range(2):
            await world.backend.add_reaction(world.johns, AddReaction(message_id, "👍"), key="a")
            await world.backend.mark_read(world.johns, MarkRead((message_id,)), key="b")
        reactions = await _reactions(world, message_id)

    assert reactions == [("👍", 1)]


async def _reactions(world: World, message_id: MessageId) -> list[tuple[str, int]]:
    """Read a message's reactions as John sees them."""
    async with httpx.AsyncClient(base_url=world.url, trust_env=False, verify=False) as browser:
        answer = await browser.get(
            f"/api/v1/chats/{GROUP}/messages", headers={"Authorization": f"Bearer {world.johns}"}
        )
    (message,) = [each for each in answer.json()["messages"] if each["id"] == message_id]
    return [(each["emoji"], each["count"]) for each in message["reactions"]]

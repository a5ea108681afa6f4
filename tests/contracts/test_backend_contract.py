"""What the gateway may rely on from any backend, in either dialect, through ``RestBackend``.

Every law runs against the fake of the guide's backend, the fake of the real Symfony, and
the embedded backend of the demo in both dialects. The last two are other people's code over
another HTTP server: what holds for all four is the contract, not an accident of a fake.
"""

from __future__ import annotations

import msgspec
import pytest

from fakes.settings import backend_settings
from fakes.worlds import ELSEWHERE, GROUP, JANE, JOHN, KENJI, said
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import BackendRejected
from gogate_trio.ids import MAX_ID, ChatId, MessageId
from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

pytestmark = pytest.mark.usefixtures("transport")


async def test_a_token_names_its_user(world):
    """Validation answers who it is: id, name, phone, active."""
    user = await world.backend.validate(world.johns)

    assert (user.user_id, user.name, user.active) == (JOHN, "John Doe", True)
    assert user.phone.startswith("+7999")


async def test_a_token_of_nobody_is_refused_in_words(world):
    """401, and a text to show."""
    with pytest.raises(BackendRejected) as raised:
        await world.backend.validate("header.payload.signature")

    assert raised.value.status == 401
    assert raised.value.reason


async def test_a_suspended_user_is_refused(world):
    """403: the token is good and the user is not."""
    with pytest.raises(BackendRejected) as raised:
        await world.backend.validate(world.suspended)

    assert raised.value.status == 403


async def test_a_wrong_key_opens_no_internal_door(world):
    """Both internal calls answer 401 to a key that is not theirs."""
    settings = backend_settings(world.url, dialect=world.dialect, key="wrong")
    async with open_backend(settings) as stranger:
        for ask in (stranger.validate(world.johns), stranger.members(GROUP)):
            with pytest.raises(BackendRejected) as raised:
                await ask
            assert raised.value.status == 401


async def test_members_have_ids_and_the_names_validation_gives(world):
    """Everybody in the chat is listed, each under the name their events will show."""
    members = await world.backend.members(GROUP)

    assert members.chat_id == GROUP
    assert {JOHN, JANE, KENJI} <= members.names.keys()
    assert all(members.names.values())
    assert members.names[JOHN] == (await world.backend.validate(world.johns)).name


async def test_a_chat_that_is_not_there_has_no_members(world):
    """404, up to the largest id."""
    for chat_id in (ChatId(999), ChatId(MAX_ID)):
        with pytest.raises(BackendRejected) as raised:
            await world.backend.members(chat_id)

        assert raised.value.status == 404


async def test_a_message_is_stored_and_comes_back_whole(world):
    """The answer is the MessageResponse itself: ids, author and text as they were sent."""
    text = 'Grüße 👋🏽 "quoted" <b>\n</b>\u2028'

    stored = await world.backend.send_message(world.johns, SendMessage(GROUP, text))

    message = msgspec.json.decode(stored.body)
    assert (stored.message_id, stored.chat_id) == (message["id"], GROUP)
    assert (message["user"]["id"], message["text"], message["type"]) == (JOHN, text, "text")
    assert message["reply_to"] is None
    assert message["attachments"] == []


async def test_each_message_has_an_id_of_its_own(world):
    """Two messages with the same words are two messages."""
    assert await said(world) != await said(world)


async def test_a_reply_names_what_it_answers(world):
    """``reply_to_id`` travels under the dialect's name for it."""
    first = await said(world, "who?")

    stored = await world.backend.send_message(world.johns, SendMessage(GROUP, "me", first))

    quoted = msgspec.json.decode(stored.body)["reply_to"]
    assert (quoted["id"], quoted["text"]) == (first, "who?")


async def test_attachments_travel_with_a_message(world):
    """``attachment_ids`` too."""
    command = SendMessage(GROUP, "look", attachment_ids=(world.attachment_id,))

    stored = await world.backend.send_message(world.johns, command)

    attached = msgspec.json.decode(stored.body)["attachments"]
    assert [each["id"] for each in attached] == [world.attachment_id]


async def test_a_stranger_cannot_speak_in_a_chat(world):
    """Who is no member is refused, in words."""
    with pytest.raises(BackendRejected) as raised:
        await world.backend.send_message(world.johns, SendMessage(ELSEWHERE, "hello"))

    assert raised.value.status in {403, 404}
    assert raised.value.reason


async def test_an_empty_message_is_refused_in_words(world):
    """A 4xx whose text is found in either error shape."""
    with pytest.raises(BackendRejected) as raised:
        await world.backend.send_message(world.johns, SendMessage(GROUP, " "))

    assert 400 <= raised.value.status < 500
    assert raised.value.reason


async def test_a_reaction_is_confirmed(world):
    """The confirmation names the right chat, or none."""
    message_id = await said(world)

    confirmation = await world.backend.add_reaction(world.johns, AddReaction(message_id, "👍"))

    assert confirmation.chat_id in {None, GROUP}


async def test_a_read_receipt_is_confirmed(world):
    """The same of messages that were read."""
    ids = (await said(world), await said(world))

    confirmation = await world.backend.mark_read(world.johns, MarkRead(ids))

    assert confirmation.chat_id in {None, GROUP}


async def test_deeds_without_a_good_token_are_refused(world):
    """All three public calls answer 401 to a bad token."""
    message_id = await said(world)
    for ask in (
        world.backend.send_message("bad", SendMessage(GROUP, "hello")),
        world.backend.add_reaction("bad", AddReaction(message_id, "👍")),
        world.backend.mark_read("bad", MarkRead((message_id,))),
    ):
        with pytest.raises(BackendRejected) as raised:
            await ask
        assert raised.value.status == 401
        assert raised.value.reason


async def test_a_message_that_is_not_there_takes_no_reaction(world):
    """404, in words."""
    with pytest.raises(BackendRejected) as raised:
        await world.backend.add_reaction(world.johns, AddReaction(MessageId(MAX_ID), "👍"))

    assert raised.value.status == 404
    assert raised.value.reason

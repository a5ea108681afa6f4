"""Reactions and read receipts: what is counted, and what is not."""

from __future__ import annotations

import pytest


@pytest.mark.parametrize("emoji", ["👍", "x" * 20, "👩🏽‍❤️‍💋‍👨🏿"])
async def test_a_reaction_is_added_once(api, emoji):
    """201 the first time, 200 the second, and counted once."""
    message_id = (await api.send(1, chat_id=1, text="Hello!")).json()["id"]
    first = await api.react(2, message_id, emoji=emoji)
    second = await api.react(2, message_id, emoji=emoji)

    assert (first.status_code, second.status_code) == (201, 200)
    message = (await api.history(1, 1)).json()["messages"][-1]
    assert message["reactions"] == [
        {"emoji": emoji, "count": 1, "users": [{"id": 2, "name": "Jane Smith"}]}
    ]


async def test_only_the_guide_tells_the_chat_of_a_reaction_or_receipt(api):
    """The guide's answers carry ``chat_id``; the real backend's carry nothing of the kind."""
    message_id = (await api.send(1, chat_id=1, text="Hello!")).json()["id"]
    reacted = (await api.react(2, message_id, emoji="👍")).json()
    read = (await api.read(2, [message_id])).json()

    chat = {"chat_id": 1} if api.dialect == "guide" else {}
    assert reacted == {"success": True, "message": "Reaction added", **chat}
    assert read == {"success": True, "message": "Messages marked as read", **chat}


async def test_receipts_over_two_chats_tell_neither(api):
    """Where the messages are of several chats no single one can be named."""
    ids = [(await api.send(1, chat_id=chat, text="x")).json()["id"] for chat in (1, 2)]

    assert "chat_id" not in (await api.read(2, ids)).json()


@pytest.mark.parametrize("emoji", ["", " ", "x" * 21, 7, None])
async def test_an_emoji_has_1_to_20_characters(api, emoji):
    """Anything else is 400."""
    assert (await api.react(1, 1, emoji=emoji)).status_code == 400


@pytest.mark.parametrize("ids", [[], [1] * 101, [0], [True], ["1"], "1", None, [2**63]])
async def test_a_receipt_names_1_to_100_ids(api, ids):
    """Anything else is 400."""
    assert (await api.read(1, ids)).status_code == 400


async def test_one_wrong_id_undoes_the_whole_receipt(api):
    """A receipt that is refused for one message marks none of the others."""
    message_id = (await api.send(1, chat_id=1, text="Hello!")).json()["id"]
    refused = await api.read(2, [message_id, 10**9])

    assert refused.status_code == 404
    assert (await api.history(1, 1)).json()["messages"][-1]["read_count"] == 0


async def test_reading_counts_people_and_not_the_author(api):
    """Twice by Jane is once, and John's own receipt for his message counts nothing."""
    message_id = (await api.send(1, chat_id=1, text="Hello!")).json()["id"]
    for reader in (2, 2, 3, 1):
        assert (await api.read(reader, [message_id])).status_code == 200

    assert (await api.history(1, 1)).json()["messages"][-1]["read_count"] == 2

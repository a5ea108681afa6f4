"""Reactions and read marks: to the whole chat where it is known, else to who made them."""

from __future__ import annotations

import pytest

from gogate_trio.errors import BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.protocol import refusals
from gogate_trio.protocol.commands import AddReaction, MarkRead


def reaction(message_id: int, user_id: int = 2, name: str = "Al") -> dict:
    """The event of a thumb under a message."""
    data = {"message_id": message_id, "user_id": user_id, "name": name, "emoji": "👍"}
    return {"event": "new_reaction", "data": data}


def read(*message_ids: int) -> dict:
    """The event that Al has read these."""
    data = {"message_ids": list(message_ids), "user_id": 2, "name": "Al"}
    return {"event": "message_read", "data": data}


FAILURES = [
    (BackendRejected(404, "No such message"), "backend error: No such message", None),
    (BackendRejected(500, None), "backend error: status 500", None),
    (BackendUnavailable(), "backend unavailable", "BACKEND_UNAVAILABLE"),
    (OutcomeUnknown(), "backend did not answer", "OUTCOME_UNKNOWN"),
]
"""How a call may end, what the client reads of it, and the code in place of the usual one."""


@pytest.fixture
async def people(node):
    """Jo, Al and Kim; Jo has written message 1 in chat 1 and message 2 in chat 2."""
    jo, al, kim = await node.clients(1, 2, 3)
    for chat in (1, 2):
        jo.say("send_message", chat_id=chat, text="hi")
    await node.settle()
    for client in (jo, al, kim):
        client.heard()
    return jo, al, kim


async def test_a_reaction_reaches_everybody_in_the_chat(node, people):
    """The chat is known from the message that passed."""
    jo, al, kim = people
    al.say("add_reaction", message_id=1, emoji="👍")
    await node.settle()

    assert jo.heard() == al.heard() == kim.heard() == [reaction(1)]
    assert node.backend.calls[-1] == ("add_reaction", "token-2", AddReaction(1, "👍"))


async def test_a_read_mark_reaches_everybody_in_the_chat(node, people):
    """One event for all messages of a chat, in the order given."""
    jo, al, kim = people
    jo.say("send_message", chat_id=1, text="more")
    await node.settle()
    for client in (jo, al, kim):
        client.heard()
    al.say("mark_read", message_ids=[3, 1])
    await node.settle()

    assert jo.heard() == al.heard() == kim.heard() == [read(3, 1)]
    assert node.backend.calls[-1] == ("mark_read", "token-2", MarkRead((3, 1)))


async def test_a_read_mark_over_several_chats_tells_each_its_own(node, people):
    """One call to the backend, one event a chat; messages nobody knows come back to the reader."""
    jo, al, kim = people
    al.say("mark_read", message_ids=[1, 99, 2, 98])
    await node.settle()

    assert jo.heard() == [read(1), read(2)]
    assert kim.heard() == [read(1)]
    assert al.heard() == [read(1), read(99, 98), read(2)]
    assert node.backend.count("mark_read") == 1


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        ("add_reaction", {"message_id": 99, "emoji": "👍"}, reaction(99)),
        ("mark_read", {"message_ids": [99]}, read(99)),
    ],
)
async def test_where_the_chat_is_not_known_the_sender_alone_is_told(
    node, people, event, data, expected
):
    """On every device; nobody else's chat is guessed."""
    jo, al, kim = people
    al_too = await node.client(2)
    al.say(event, **data)
    await node.settle()

    assert al.heard() == al_too.heard() == [expected]
    assert jo.heard() == kim.heard() == []


@pytest.mark.parametrize(
    ("event", "data", "expected"),
    [
        ("add_reaction", {"message_id": 1, "emoji": "👍"}, reaction(1)),
        ("mark_read", {"message_ids": [1]}, read(1)),
    ],
)
async def test_an_answer_that_names_the_chat_teaches_it(node, people, event, data, expected):
    """For this event, and for every later one about the message."""
    jo, al, _ = people
    node.router.messages = type(node.router.messages)()
    node.backend.confirms_chat = True
    al.say(event, **data)
    await node.settle()
    node.backend.confirms_chat = False
    al.say("add_reaction", message_id=1, emoji="👍")
    await node.settle()

    assert jo.heard()[-1] == reaction(1)
    assert expected in al.heard()


async def test_who_is_no_member_marks_nothing_for_the_others(node, people):
    """Message 2 is in a chat that Kim is not in."""
    jo, al, kim = people
    kim.say("add_reaction", message_id=2, emoji="👍")
    await node.settle()

    assert kim.heard() == [reaction(2, 3, "Kim")]
    assert jo.heard() == al.heard() == []


@pytest.mark.parametrize(
    ("event", "data", "refusal"),
    [
        ("add_reaction", {"message_id": 1, "emoji": "👍"}, refusals.REACTION_FAILED),
        ("mark_read", {"message_ids": [1, 2]}, refusals.READ_FAILED),
    ],
)
async def test_what_the_backend_does_not_take_is_answered_with_why(
    node, people, event, data, refusal
):
    """To the sender alone, once, with a code that says whether asking again is safe."""
    jo, al, kim = people
    for number, (failure, reason, code) in enumerate(FAILURES, 1):
        node.backend.fail(event, failure)
        al.say(event, **data)
        await node.settle()

        words = {"message": f"{refusal.message}: {reason}", "code": code or refusal.code}
        assert al.heard() == [{"event": "error", "data": words}]
        assert node.backend.count(event) == number
    assert jo.heard() == kim.heard() == []

"""Messages: from a command to everybody in the chat, whatever the backend does meanwhile."""

from __future__ import annotations

import pytest

from gogate_trio.errors import BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.limits import AUDIENCE_RETRY_SECONDS, PENDING_COMMANDS
from gogate_trio.protocol.commands import SendMessage

TTL = 10.0


async def test_a_stored_message_reaches_everybody_in_the_chat(node):
    """The backend's own words, to all members with all their devices, the sender's too."""
    jo, jo_too, al, kim = await node.clients(1, 1, 2, 3)
    jo.say("send_message", chat_id=2, text="hi", reply_to_id=7, attachment_ids=[8, 9])
    await node.settle()

    event = {"event": "new_message", "data": {"id": 1, "chat_id": 2, "text": "hi"}}
    assert jo.heard() == jo_too.heard() == al.heard() == [event]
    assert kim.heard() == []
    sent = SendMessage(2, "hi", 7, (8, 9))
    assert ("send_message", "token-1", sent) in node.backend.calls


@pytest.mark.parametrize(
    ("failure", "message", "code"),
    [
        (BackendRejected(403, "Not yours"), "backend error: Not yours", "SEND_FAILED"),
        (BackendRejected(422, None), "backend error: status 422", "SEND_FAILED"),
        (BackendUnavailable(), "backend unavailable", "BACKEND_UNAVAILABLE"),
        (OutcomeUnknown(), "backend did not answer", "OUTCOME_UNKNOWN"),
    ],
)
async def test_a_message_that_is_not_stored_is_answered_with_why(node, failure, message, code):
    """To the sender alone, with a code that says whether sending again is safe; once."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("send_message", failure)
    jo.say("send_message", chat_id=1, text="hi")
    await node.settle()

    text = f"Failed to send message: {message}"
    assert jo.heard() == [{"event": "error", "data": {"message": text, "code": code}}]
    assert al.heard() == []
    assert node.backend.count("send_message") == 1
    assert jo.hangup is None


# ── order ────────────────────────────────────────────────────────────────────


async def test_the_commands_of_one_connection_keep_their_order(node):
    """The second goes to the backend when the first is answered and published."""
    jo, al = await node.clients(1, 2)
    gate = node.backend.hold("send_message")
    jo.say("send_message", chat_id=1, text="one")
    await node.settle()
    node.backend.free("send_message")
    jo.say("send_message", chat_id=1, text="two")
    jo.say("mark_read", message_ids=[1])
    await node.settle()
    assert node.backend.count("send_message") == 1
    assert node.backend.count("mark_read") == 0
    gate.set()
    await node.settle()

    assert [each["event"] for each in al.heard()] == ["new_message", "new_message", "message_read"]


async def test_a_slow_call_keeps_nobody_else_waiting(node):
    """Neither another connection nor another of the same user's."""
    jo, jo_too, al = await node.clients(1, 1, 2)
    gate = node.backend.hold("send_message")
    jo.say("send_message", chat_id=1, text="slow")
    await node.settle()
    node.backend.free("send_message")
    jo_too.say("send_message", chat_id=1, text="mine")
    al.say("send_message", chat_id=1, text="his")
    await node.settle()

    assert sorted(jo.texts()) == ["his", "mine"]
    gate.set()
    await node.settle()
    assert jo.texts() == ["slow"]


async def test_more_commands_than_may_wait_are_refused(node):
    """The client is told, the others are done in their order, and it may go on."""
    jo = await node.client(1)
    gate = node.backend.hold("send_message")
    jo.say("send_message", chat_id=1, text="0")
    await node.settle()
    for number in range(1, PENDING_COMMANDS + 2):
        jo.say("send_message", chat_id=1, text=f"{number}")

    assert jo.names() == ["BUSY"]
    gate.set()
    await node.settle()
    assert jo.texts() == [f"{number}" for number in range(PENDING_COMMANDS + 1)]
    jo.say("send_message", chat_id=1, text="again")
    await node.settle()
    assert jo.texts() == ["again"]


async def test_a_sender_that_is_gone_has_still_sent(node):
    """What the backend has stored reaches the chat; what had not begun is done as well."""
    jo, al = await node.clients(1, 2)
    gate = node.backend.hold("send_message")
    for text in ("one", "two"):
        jo.say("send_message", chat_id=1, text=text)
    await node.settle()
    jo.vanish()
    gate.set()
    await node.settle()

    assert al.texts() == ["one", "two"]
    assert jo.heard() == []


# ── to whom ──────────────────────────────────────────────────────────────────


async def test_members_are_asked_for_once_and_not_for_every_message(node):
    """The list serves as long as it is fresh."""
    jo, al = await node.clients(1, 2)
    for number in range(5):
        jo.say("send_message", chat_id=1, text=f"{number}")
        al.say("send_message", chat_id=1, text=f"{number}")
    await node.settle()

    assert node.backend.count("members") == 1
    assert len(jo.texts()) == 10


async def test_who_is_no_member_writes_to_nobody_else(node):
    """What the backend allowed has happened; the sender is told, the members are not."""
    kim, jo = await node.clients(3, 1)
    kim.say("send_message", chat_id=2, text="let me in")
    await node.settle()

    assert kim.texts() == ["let me in"]
    assert jo.heard() == []


async def test_who_has_just_joined_a_chat_is_heard_in_it(node):
    """The backend has let the message in; a list from before the join does not shut it out."""
    jo, kim = await node.clients(1, 3)
    jo.say("send_message", chat_id=2, text="before")
    await node.settle()
    node.backend.chats[2].append(3)
    kim.say("send_message", chat_id=2, text="hello, I am new")
    await node.settle()

    assert jo.texts() == ["before", "hello, I am new"]
    assert kim.texts() == ["hello, I am new"]


async def test_a_stranger_to_a_chat_costs_one_look_up_a_message(node):
    """Asking afresh is for newcomers; others get no more than the call they made anyway."""
    jo, kim = await node.clients(1, 3)
    jo.say("send_message", chat_id=2, text="hi")
    await node.settle()
    for _ in range(3):
        kim.say("send_message", chat_id=2, text="me")
    await node.settle()

    assert jo.texts() == ["hi"]
    assert node.backend.count("members") == 1 + 3


async def test_the_backend_says_which_chat_a_message_is_in(node):
    """Its members hear of it, and of what is done to it later; the chat it was sent to does not."""
    node.backend.moves_to[1] = 2
    jo, al, kim = await node.clients(1, 2, 3)
    jo.say("send_message", chat_id=1, text="moved")
    jo.say("add_reaction", message_id=1, emoji="+")
    await node.settle()

    assert al.names() == ["new_message", "new_reaction"]
    assert kim.heard() == []


async def test_a_message_that_does_not_say_its_chat_goes_where_it_was_sent(node):
    """An answer without ids is no reason to lose it."""
    node.backend.names_messages = False
    jo, al = await node.clients(1, 2)
    jo.say("send_message", chat_id=2, text="hi")
    await node.settle()

    assert al.heard() == [{"event": "new_message", "data": {"text": "hi"}}]


@pytest.mark.parametrize("failures", [1, 2, 3])
async def test_members_that_cannot_be_learnt_at_once_are_asked_for_again(
    node, autojump_clock, failures
):
    """The message is late, not lost; the sender's next one stays behind it."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("members", *[BackendUnavailable()] * failures, None)
    began = autojump_clock.current_time()
    for text in ("one", "two"):
        jo.say("send_message", chat_id=1, text=text)
    await node.settle()
    assert al.heard() == []
    await node.calls.wait_idle()
    await node.settle()

    assert al.texts() == ["one", "two"]
    waited = autojump_clock.current_time() - began
    assert waited == pytest.approx(sum(AUDIENCE_RETRY_SECONDS[:failures]))


async def test_the_last_known_members_serve_while_the_backend_fails(node, autojump_clock):
    """Nobody waits: a list that is a little old is better than none."""
    jo, al = await node.clients(1, 2)
    jo.say("send_message", chat_id=1, text="one")
    await node.settle()
    autojump_clock.jump(TTL + 1)
    node.backend.fail("members", BackendUnavailable())
    jo.say("send_message", chat_id=1, text="two")
    await node.settle()

    assert al.texts() == ["one", "two"]
    assert node.backend.count("members") == 2


async def test_while_one_chat_waits_for_its_members_others_do_not(node, autojump_clock):
    """Only that sender's own commands stay behind."""
    jo, al = await node.clients(1, 2)
    al.say("send_message", chat_id=2, text="known")
    await node.settle()
    node.backend.fail("members", BackendUnavailable(), None)
    began = autojump_clock.current_time()
    jo.say("send_message", chat_id=1, text="waits")
    await node.settle()
    al.say("send_message", chat_id=2, text="does not")
    await node.settle()

    assert jo.texts() == ["known", "does not"]
    assert autojump_clock.current_time() == began
    await node.calls.wait_idle()
    await node.settle()
    assert jo.texts() == ["waits"]


async def test_what_is_published_has_the_name_of_its_command(node, monkeypatch):
    """The key the backend was given: it is told once, whichever node it is said on again."""
    jo, published = await node.client(1), []
    publish = node.router.publisher.broker.publish

    async def note(publication):
        published.append(publication)
        return await publish(publication)

    monkeypatch.setattr(node.router.publisher.broker, "publish", note)
    jo.ask("x", "send_message", chat_id=1, text="hi")
    await node.settle()
    jo.ask("y", "add_reaction", message_id=1, emoji="!")
    await node.settle()
    jo.ask("z", "mark_read", message_ids=[1])
    jo.say("send_message", chat_id=1, text="without an id")
    await node.settle()

    x, y, z, nobody = node.backend.idempotency_keys
    assert [each.key for each in published] == [x, y, f"{z}-1", nobody] == [x, y, f"{z}-1", None]
    assert [each.message_id for each in published] == [1, None, None, 2]

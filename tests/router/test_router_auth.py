"""Who a client is, and what it may do before that is known."""

from __future__ import annotations

import pytest

from gogate_trio.errors import BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.limits import EARLY_COMMANDS
from gogate_trio.protocol import close
from gogate_trio.protocol.commands import SendMessage

ANY_COMMAND = [
    ("send_message", {"chat_id": 1, "text": "hi"}),
    ("typing", {"chat_id": 1, "is_typing": True}),
    ("add_reaction", {"message_id": 1, "emoji": "+"}),
    ("mark_read", {"message_ids": [1]}),
    ("send_message", {"chat_id": "wrong"}),
    ("no_such_event", {}),
]


def error(message: str, code: str) -> dict:
    """The error event with this text."""
    return {"event": "error", "data": {"message": message, "code": code}}


async def test_a_good_token_is_answered_with_whose_it_is(node):
    """The guide's words, and nothing else."""
    client = node.stranger()
    client.say("auth", token="token-1")
    await node.settle()

    assert client.heard() == [
        {
            "event": "auth_success",
            "data": {"user_id": 1, "name": "Jo", "phone": "+79990000001"},
        }
    ]
    assert node.backend.calls == [("validate", "token-1")]


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (BackendRejected(401, "Expired"), "backend error: Expired"),
        (BackendRejected(403, None), "backend error: status 403"),
    ],
)
async def test_a_token_that_is_not_taken_leaves_the_client_outside(node, failure, message):
    """It is told why, and its commands are not obeyed."""
    node.backend.fail("validate", failure)
    client = node.stranger()
    client.say("auth", token="token-1")
    await node.settle()

    assert client.heard() == [error(f"Authentication failed: {message}", "AUTH_FAILED")]
    assert client.user is None
    client.say("send_message", chat_id=1, text="hi")
    await node.settle()
    assert node.backend.count("send_message") == 0


@pytest.mark.parametrize(
    ("failure", "message", "code"),
    [
        (BackendUnavailable(), "backend unavailable", "BACKEND_UNAVAILABLE"),
        (OutcomeUnknown(), "backend did not answer", "OUTCOME_UNKNOWN"),
    ],
)
async def test_who_cannot_be_known_now_is_asked_to_come_back(node, failure, message, code):
    """A stranger is told when; who is inside already stays with the token it had."""
    known = await node.client(2)
    node.backend.fail("validate", failure)
    stranger = node.stranger()
    for client in (stranger, known):
        client.say("auth", token="token-2.fresh")
    await node.settle()

    for client in (stranger, known):
        assert client.heard() == [error(f"Authentication failed: {message}", code)]
    assert stranger.hangup.code == 1013
    assert stranger.hangup.retry_after_ms
    assert known.hangup is None
    assert known.token == "token-2"


async def test_a_user_who_is_not_active_stays_outside(node):
    """Whatever its token is good for elsewhere."""
    client = node.stranger()
    client.say("auth", token="token-4")
    await node.settle()

    assert client.heard() == [error("Authentication failed: user is not active", "AUTH_FAILED")]
    assert client.user is None


@pytest.mark.parametrize(("event", "data"), ANY_COMMAND)
async def test_nothing_is_done_for_strangers(node, event, data):
    """Not even to tell them that they are wrong about something else."""
    client = node.stranger()
    client.say(event, **data)
    await node.settle()

    assert client.heard() == [error("Authentication required", "AUTH_REQUIRED")]
    assert node.backend.calls == []


async def test_a_stranger_who_does_not_learn_is_sent_away(node):
    """After so many commands without ``auth``; the backend has heard of none."""
    client = node.stranger()
    for _ in range(EARLY_COMMANDS):
        assert client.hangup is None
        client.say("send_message", chat_id=1, text="hi")
    await node.settle()

    assert client.hangup is close.AUTH_REQUIRED
    assert node.backend.calls == []


async def test_what_is_sent_behind_auth_waits_for_its_outcome(node):
    """A client need not wait for ``auth_success``: its order is kept."""
    jo, al = node.stranger(), await node.client(2)
    gate = node.backend.hold("validate")
    jo.say("auth", token="token-1")
    jo.say("typing", chat_id=1, is_typing=True)
    jo.say("send_message", chat_id=1, text="one")
    jo.say("typing", chat_id=1, is_typing=False)
    jo.say("send_message", chat_id=1, text="two")
    await node.settle()
    assert jo.heard() == []
    gate.set()
    await node.settle()

    assert jo.names() == ["auth_success", "new_message", "new_message"]
    assert al.texts() == ["one", "two"]


async def test_what_is_sent_behind_a_failed_auth_is_refused(node):
    """As if the client had never tried; then it may try again."""
    client = node.stranger()
    client.say("auth", token="no-token")
    client.say("send_message", chat_id=1, text="hi")
    client.say("typing", chat_id=1, is_typing=True)
    client.say("auth", token="token-1")
    client.say("send_message", chat_id=1, text="hi")
    await node.settle()

    assert client.names() == [
        "AUTH_FAILED",
        "AUTH_REQUIRED",
        "AUTH_REQUIRED",
        "auth_success",
        "new_message",
    ]
    assert node.backend.count("send_message") == 1


async def test_a_mistake_behind_a_running_auth_is_told_at_once(node):
    """It need not wait: whoever it is, it is wrong."""
    client = node.stranger()
    gate = node.backend.hold("validate")
    client.say("auth", token="token-1")
    client.say("send_message", chat_id="1")
    await node.settle()

    assert client.names() == ["INVALID_MESSAGE"]
    gate.set()
    await node.settle()
    assert client.names() == ["auth_success"]


async def test_a_fresh_token_is_used_from_then_on(node):
    """For the calls behind it; those before it go with the old one."""
    client = await node.client(1)
    client.say("send_message", chat_id=1, text="old")
    client.say("auth", token="token-1.fresh")
    client.say("send_message", chat_id=1, text="new")
    await node.settle()

    # An answer and what comes by way of the broker have no order between them.
    assert sorted(client.names()) == ["auth_success", "new_message", "new_message"]
    sends = [call[1:] for call in node.backend.calls if call[0] == "send_message"]
    assert sends == [
        ("token-1", SendMessage(1, "old")),
        ("token-1.fresh", SendMessage(1, "new")),
    ]


@pytest.mark.parametrize(
    ("token", "code"),
    [("token-2", "ALREADY_AUTHENTICATED"), ("no-token", "AUTH_FAILED"), ("token-4", "AUTH_FAILED")],
)
async def test_a_token_that_is_not_this_user_s_changes_nothing(node, token, code):
    """The connection stays who it was, with the token it had."""
    client = await node.client(1)
    client.say("auth", token=token)
    client.say("send_message", chat_id=1, text="still me")
    await node.settle()

    assert client.names() == [code, "new_message"]
    assert node.backend.calls[-2][:2] == ("send_message", "token-1")


async def test_auth_success_comes_before_any_event(node):
    """However soon the chat has news after it."""
    al, jo = await node.client(2), node.stranger()
    jo.say("auth", token="token-1")
    al.say("send_message", chat_id=1, text="hi")
    await node.settle()

    assert jo.names()[0] == "auth_success"


async def test_who_leaves_while_being_authenticated_never_joins(node):
    """And nothing is sent to a connection that is gone."""
    gate = node.backend.hold("validate")
    client = node.stranger()
    client.say("auth", token="token-1")
    await node.settle()
    client.vanish()
    gate.set()
    await node.settle()

    assert client.heard() == []
    assert len(node.directory) == 0


async def test_each_device_of_a_user_is_a_connection_of_its_own(node):
    """All hear what is said; each may come and go."""
    phone, desk = await node.clients(1, 1)
    desk.say("send_message", chat_id=1, text="one")
    await node.settle()
    desk.vanish()
    phone.say("send_message", chat_id=1, text="two")
    await node.settle()

    assert phone.names() == ["new_message", "new_message"]
    assert desk.names() == ["new_message"]

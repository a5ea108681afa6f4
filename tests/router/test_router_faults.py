"""What is wrong with what a client says, and what is wrong with us: one client's affair each."""

from __future__ import annotations

import pytest

from gogate_trio.protocol import close

WRONG = {
    "not JSON": (b"hello", "INVALID_FORMAT"),
    "two documents": (b'{"event":"auth"}\n{"event":"auth"}', "INVALID_FORMAT"),
    "no event": (b'{"data":{}}', "INVALID_FORMAT"),
    "unknown event": (b'{"event":"join","data":{}}', "UNKNOWN_EVENT"),
    "deep nesting": (b'{"event":"typing","data":' + b"[" * 100_000, "INVALID_FORMAT"),
    "lone surrogate": (
        b'{"event":"send_message","data":{"chat_id":1,"text":"\\ud800"}}',
        "INVALID_FORMAT",
    ),
    "true as a chat": (b'{"event":"typing","data":{"chat_id":true}}', "INVALID_TYPING"),
    "too large a chat": (
        b'{"event":"send_message","data":{"chat_id":%d,"text":"x"}}' % 2**70,
        "INVALID_MESSAGE",
    ),
    "5,000 digits": (
        b'{"event":"mark_read","data":{"message_ids":[%b]}}' % (b"9" * 5000),
        "INVALID_READ",
    ),
    "a path as a chat": (
        b'{"event":"send_message","data":{"chat_id":"../../internal","text":"x"}}',
        "INVALID_MESSAGE",
    ),
    "no chat": (b'{"event":"send_message","data":{"text":"x"}}', "INVALID_CHAT_ID"),
    "a header in a token": (b'{"event":"auth","data":{"token":"a\\r\\nX: y"}}', "INVALID_AUTH"),
    "a NUL in a token": (b'{"event":"auth","data":{"token":"a\\u0000"}}', "INVALID_AUTH"),
    "no token": (b'{"event":"auth","data":{}}', "TOKEN_REQUIRED"),
    "too long an emoji": (
        b'{"event":"add_reaction","data":{"message_id":1,"emoji":"%b"}}' % (b"x" * 21),
        "INVALID_REACTION",
    ),
    "no messages": (b'{"event":"mark_read","data":{"message_ids":[]}}', "INVALID_READ"),
}


@pytest.mark.parametrize(("text", "code"), WRONG.values(), ids=WRONG)
async def test_bad_input_is_one_clear_error(node, text, code):
    """The backend never hears of it, and the connection stays as good as it was."""
    client = await node.client(1)
    calls = len(node.backend.calls)
    client.say_raw(text)
    await node.settle()

    assert client.names() == [code]
    assert len(node.backend.calls) == calls
    assert client.hangup is None
    client.say("send_message", chat_id=1, text="still here")
    await node.settle()
    assert client.names() == ["new_message"]


@pytest.mark.parametrize(
    ("name", "event", "data"),
    [
        ("send_message", "send_message", {"chat_id": 1, "text": "x"}),
        ("add_reaction", "add_reaction", {"message_id": 1, "emoji": "+"}),
        ("mark_read", "mark_read", {"message_ids": [1]}),
        ("members", "send_message", {"chat_id": 1, "text": "x"}),
        ("members", "typing", {"chat_id": 1, "is_typing": True}),
        ("validate", "auth", {"token": "token-1"}),
    ],
)
async def test_a_bug_in_the_backend_client_ends_the_one_who_met_it(node, name, event, data):
    """With 1011, counted once; whoever asks next is served."""
    jo, al = await node.clients(1, 2)
    node.backend.fail(name, ZeroDivisionError())
    jo.say(event, **data)
    await node.settle()
    node.backend.heal(name)
    al.say("send_message", chat_id=1, text="undisturbed")
    al.say("typing", chat_id=1, is_typing=True)
    await node.settle()

    assert jo.hangup is close.INTERNAL_ERROR
    assert node.metrics.bugs == 1
    assert al.hangup is None
    assert "new_message" in al.names()


async def test_commands_are_counted_by_what_was_understood(node):
    """A wrong one counts as an error, not as a command; names come from our own catalogue."""
    client = await node.client(1)
    client.say("typing", chat_id=1, is_typing=True)
    client.say("typing", chat_id=0, is_typing=True)
    client.say("made_up", x=1)
    await node.settle()

    assert node.metrics.commands == {"auth": 1, "typing": 1}

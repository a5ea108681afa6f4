"""Whatever a client says wrong, it is told once and clearly, and the backend never hears of it."""

from __future__ import annotations

import pytest

from fakes.clients import TEXT, frame, open_client
from fakes.node import open_node, within

DEEP = b"[" * 100_000
DEEP_OBJECTS = b'{"a":' * 50_000
HUGE = b"9" * 5_000

FORMAT = ("INVALID_FORMAT", "Invalid message format")
EVENT = ("UNKNOWN_EVENT", "Unknown event type")
AUTH = ("INVALID_AUTH", "Invalid auth data")
NO_TOKEN = ("TOKEN_REQUIRED", "Token is required")
MESSAGE = ("INVALID_MESSAGE", "Invalid message data")
CHAT = ("INVALID_CHAT_ID", "Invalid chat_id")
TYPING = ("INVALID_TYPING", "Invalid typing data")
REACTION = ("INVALID_REACTION", "Invalid reaction data")
READ = ("INVALID_READ", "Invalid read data")
STRANGER = ("AUTH_REQUIRED", "Authentication required")


def said(event, data):
    """A message with its data as raw JSON."""
    return b'{"event":"%b","data":%b}' % (event, data)


def sending(chat_id=b"1", rest=b'"text":"x"'):
    """A ``send_message`` with raw JSON in it."""
    return said(b"send_message", b'{"chat_id":%b,%b}' % (chat_id, rest))


WRONG = {
    "nothing": (b"", FORMAT),
    "broken JSON": (b'{"event":"auth"', FORMAT),
    "two documents": (b'{"event":"x"}{"event":"y"}', FORMAT),
    "a comment": (b'{"event":"x"} // hello', FORMAT),
    "no object": (b'["auth"]', FORMAT),
    "null": (b"null", FORMAT),
    "a number": (HUGE, FORMAT),
    "no event": (b'{"data":{}}', FORMAT),
    "event is no text": (b'{"event":7,"data":{}}', FORMAT),
    "event is null": (b'{"event":null,"data":{}}', FORMAT),
    "deep nesting": (DEEP, FORMAT),
    "deep nesting in data": (b'{"event":"auth","data":' + DEEP, FORMAT),
    "deep objects": (DEEP_OBJECTS, FORMAT),
    "NUL": (b"\x00", FORMAT),
    "a byte order mark": (b'\xef\xbb\xbf{"event":"auth"}', FORMAT),
    "unknown event": (said(b"shutdown", b"{}"), EVENT),
    "empty event": (said(b"", b"{}"), EVENT),
    "event in capitals": (said(b"AUTH", b"{}"), EVENT),
    "data is a list": (said(b"send_message", b"[1]"), MESSAGE),
    "no data": (b'{"event":"send_message"}', MESSAGE),
    "true as a chat": (sending(b"true"), MESSAGE),
    "a text as a chat": (sending(b'"1"'), MESSAGE),
    "a path as a chat": (sending(b'"../../internal/secret"'), MESSAGE),
    "a fraction as a chat": (sending(b"1.5"), MESSAGE),
    "2**70 as a chat": (sending(b"%d" % 2**70), MESSAGE),
    "2**63 as a chat": (sending(b"%d" % 2**63), MESSAGE),
    "1e400 as a chat": (sending(b"1e400"), MESSAGE),
    "NaN as a chat": (sending(b"NaN"), FORMAT),
    "5,000 digits as a chat": (sending(HUGE), MESSAGE),
    "null as a chat": (sending(b"null"), MESSAGE),
    "no chat": (said(b"send_message", b'{"text":"x"}'), CHAT),
    "chat 0": (sending(b"0"), CHAT),
    "chat -1": (sending(b"-1"), CHAT),
    "-2**70 as a chat": (sending(b"-%d" % 2**70), CHAT),
    "text is a number": (sending(rest=b'"text":7'), MESSAGE),
    "a lone surrogate in the text": (sending(rest=b'"text":"\\ud800"'), FORMAT),
    "surrogates the wrong way round": (sending(rest=b'"text":"\\udc00\\ud800"'), FORMAT),
    "a raw newline in the text": (sending(rest=b'"text":"a\nb"'), FORMAT),
    "reply to true": (sending(rest=b'"text":"x","reply_to_id":true'), MESSAGE),
    "reply to 0": (sending(rest=b'"text":"x","reply_to_id":0'), MESSAGE),
    "reply to 2**70": (sending(rest=b'"text":"x","reply_to_id":%d' % 2**70), MESSAGE),
    "attachment true": (sending(rest=b'"text":"x","attachment_ids":[true]'), MESSAGE),
    "attachment -1": (sending(rest=b'"text":"x","attachment_ids":[-1]'), MESSAGE),
    "101 attachments": (sending(rest=b'"attachment_ids":[1%b]' % (b",1" * 100)), MESSAGE),
    "typing a number": (said(b"typing", b'{"chat_id":1,"is_typing":1}'), TYPING),
    "typing in true": (said(b"typing", b'{"chat_id":true,"is_typing":true}'), TYPING),
    "typing in chat 0": (said(b"typing", b'{"chat_id":0,"is_typing":true}'), CHAT),
    "reaction to a path": (said(b"add_reaction", b'{"message_id":"../1","emoji":"x"}'), REACTION),
    "reaction to 0": (said(b"add_reaction", b'{"message_id":0,"emoji":"x"}'), REACTION),
    "reaction to true": (said(b"add_reaction", b'{"message_id":true,"emoji":"x"}'), REACTION),
    "reaction to 2**70": (
        said(b"add_reaction", b'{"message_id":%d,"emoji":"x"}' % 2**70),
        REACTION,
    ),
    "no emoji": (said(b"add_reaction", b'{"message_id":1}'), REACTION),
    "empty emoji": (said(b"add_reaction", b'{"message_id":1,"emoji":""}'), REACTION),
    "21 characters of emoji": (
        said(b"add_reaction", b'{"message_id":1,"emoji":"%b"}' % (b"x" * 21)),
        REACTION,
    ),
    "a surrogate as emoji": (
        said(b"add_reaction", b'{"message_id":1,"emoji":"\\ud83d"}'),
        FORMAT,
    ),
    "reading nothing": (said(b"mark_read", b'{"message_ids":[]}'), READ),
    "reading one, not a list": (said(b"mark_read", b'{"message_ids":1}'), READ),
    "reading true": (said(b"mark_read", b'{"message_ids":[1,true]}'), READ),
    "reading a path": (said(b"mark_read", b'{"message_ids":["../1"]}'), READ),
    "reading 101": (said(b"mark_read", b'{"message_ids":[1%b]}' % (b",1" * 100)), READ),
    "reading 2**70": (said(b"mark_read", b'{"message_ids":[%d]}' % 2**70), READ),
    "auth without data": (b'{"event":"auth"}', AUTH),
    "auth without a token": (said(b"auth", b"{}"), NO_TOKEN),
    "empty token": (said(b"auth", b'{"token":""}'), NO_TOKEN),
    "token is a number": (said(b"auth", b'{"token":1}'), AUTH),
    "token with CR LF": (said(b"auth", b'{"token":"a\\r\\nX-Admin: 1"}'), AUTH),
    "token with NUL": (said(b"auth", b'{"token":"a\\u0000b"}'), AUTH),
    "token with a space": (said(b"auth", b'{"token":"a b"}'), AUTH),
    "token that is no ASCII": (said(b"auth", b'{"token":"\xc3\xa9"}'), AUTH),
    "token with a surrogate": (said(b"auth", b'{"token":"\\ud800"}'), FORMAT),
    "token too long": (said(b"auth", b'{"token":"%b"}' % (b"x" * 8193)), AUTH),
}


@pytest.mark.parametrize("case", WRONG)
async def test_bad_input_is_answered_with_one_error_and_goes_no_further(fake, case):
    """One event, its text word for word; no call; the next good command works as ever."""
    text, (code, message) = WRONG[case]

    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        fake.calls.clear()
        with within():
            await client.send(frame(TEXT, text))
            answer = await client.next_event()
            assert not fake.calls
            await client.say("send_message", chat_id=2, text="fine")
            after = await client.next_event()

        assert answer["event"] == "error"
        assert answer["data"].items() >= {"code": code, "message": message}.items()
        assert (after["event"], after["data"]["text"]) == ("new_message", "fine")
        assert node.metrics.bugs == 0


COMMANDS = {
    "send_message": {"chat_id": 1, "text": "x"},
    "typing": {"chat_id": 1, "is_typing": True},
    "add_reaction": {"message_id": 1, "emoji": "x"},
    "mark_read": {"message_ids": [1]},
}


@pytest.mark.parametrize("event", COMMANDS)
async def test_nothing_is_done_for_somebody_who_is_nobody(fake, event):
    """Before auth every command is refused, without a word to the backend."""
    async with open_node(fake) as node, open_client(node.port) as client:
        with within():
            await client.say(event, **COMMANDS[event])
            refused = await client.event("error")

        assert (refused["code"], refused["message"]) == STRANGER
        assert not fake.calls
        with within():
            assert (await client.authenticate(fake.token(1)))["user_id"] == 1


async def test_a_refused_token_is_told_apart_and_may_be_followed_by_a_good_one(fake):
    """Unknown, inactive, then right: each has its answer, on one connection."""
    async with open_node(fake) as node, open_client(node.port) as client:
        with within():
            await client.say("auth", token="token-99")
            unknown = await client.event("error")
            await client.say("auth", token=fake.token(4))
            inactive = await client.event("error")

            assert (await client.authenticate(fake.token(1)))["name"] == "John Doe"
    assert unknown["message"] == "Authentication failed: backend error: Invalid token"
    assert inactive["message"] == "Authentication failed: backend error: User is inactive"


async def test_typing_in_a_chat_of_others_reaches_nobody(fake):
    """Only members are told, and only by members; the outsider learns that it is one."""
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(5)) as outsider,
        open_client(node.port, fake.token(1)) as member,
    ):
        with within():
            await outsider.say("typing", chat_id=2, is_typing=True)
            assert (await outsider.event("error"))["code"] == "NOT_A_MEMBER"
            await member.say("send_message", chat_id=2, text="undisturbed")

            assert (await member.next_event())["event"] == "new_message"

"""What each command may say, and the text and code of each refusal."""

from __future__ import annotations

import json

import attrs
import pytest

from gogate_trio.ids import MAX_ID
from gogate_trio.limits import ATTACHMENTS, EMOJI_CHARACTERS, READ_BATCH, TOKEN_BYTES
from gogate_trio.protocol import refusals
from gogate_trio.protocol.codec import Refused, decode_command, open_envelope
from gogate_trio.protocol.commands import AddReaction, Auth, MarkRead, SendMessage, Typing
from gogate_trio.protocol.refusals import Refusal


def read(event, data):
    """Decode a command from its event name and data."""
    return decode_command(open_envelope(json.dumps({"event": event, "data": data}).encode()))


def refusal_of(event, data) -> Refusal:
    """Return why this is refused."""
    with pytest.raises(Refused) as refused:
        read(event, data)
    return refused.value.refusal


# ── the contract's words ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("refusal", "code", "message"),
    [
        (refusals.INVALID_FORMAT, "INVALID_FORMAT", "Invalid message format"),
        (refusals.AUTH_REQUIRED, "AUTH_REQUIRED", "Authentication required"),
        (refusals.UNKNOWN_EVENT, "UNKNOWN_EVENT", "Unknown event type"),
        (refusals.INVALID_AUTH, "INVALID_AUTH", "Invalid auth data"),
        (refusals.TOKEN_REQUIRED, "TOKEN_REQUIRED", "Token is required"),
        (refusals.AUTH_FAILED, "AUTH_FAILED", "Authentication failed"),
        (refusals.INVALID_MESSAGE, "INVALID_MESSAGE", "Invalid message data"),
        (refusals.INVALID_CHAT_ID, "INVALID_CHAT_ID", "Invalid chat_id"),
        (refusals.SEND_FAILED, "SEND_FAILED", "Failed to send message"),
        (refusals.INVALID_TYPING, "INVALID_TYPING", "Invalid typing data"),
        (refusals.INVALID_REACTION, "INVALID_REACTION", "Invalid reaction data"),
        (refusals.REACTION_FAILED, "REACTION_FAILED", "Failed to add reaction"),
        (refusals.INVALID_READ, "INVALID_READ", "Invalid read data"),
        (refusals.READ_FAILED, "READ_FAILED", "Failed to mark as read"),
    ],
)
def test_the_texts_are_those_that_deployed_clients_match_on(refusal, code, message):
    """Word for word; the code words never change their meaning."""
    assert (refusal.code, refusal.message) == (code, message)


def test_a_reason_stands_behind_a_colon():
    """``<text>: <reason>``, with the same code unless another says more."""
    refused = refusals.SEND_FAILED.because("no")

    assert refused == attrs.evolve(refusals.SEND_FAILED, message="Failed to send message: no")
    assert refusals.SEND_FAILED.because("no", code="X").code == "X"


def test_every_code_names_one_refusal():
    """No two refusals of the catalogue share a code word or a text."""
    catalogue = [value for value in vars(refusals).values() if isinstance(value, Refusal)]

    assert len({refusal.code for refusal in catalogue}) == len(catalogue)
    assert len({refusal.message for refusal in catalogue}) == len(catalogue)
    assert all(refusal.code == refusal.code.upper() for refusal in catalogue)


# ── the envelope ─────────────────────────────────────────────────────────────


def test_unknown_keys_are_no_mistake():
    """A client that says more than we know is understood, outside and inside."""
    text = b'{"v":2,"event":"typing","data":{"chat_id":1,"is_typing":true,"x":[{}]},"y":null}'

    assert decode_command(open_envelope(text)) == Typing(1, is_typing=True)


@pytest.mark.parametrize("event", ["", "Auth", "auth ", "new_message", "error", "\x00", "é"])
def test_other_event_names_are_unknown(event):
    """Names match exactly; what is said by the server is no command."""
    assert refusal_of(event, {}) is refusals.UNKNOWN_EVENT


@pytest.mark.parametrize(
    ("event", "refusal"),
    [
        ("auth", refusals.INVALID_AUTH),
        ("send_message", refusals.INVALID_MESSAGE),
        ("typing", refusals.INVALID_TYPING),
        ("add_reaction", refusals.INVALID_REACTION),
        ("mark_read", refusals.INVALID_READ),
    ],
)
def test_data_must_be_an_object(event, refusal):
    """No data, or data of another shape, is that event's own mistake."""
    with pytest.raises(Refused) as refused:
        decode_command(open_envelope(b'{"event":"%b"}' % event.encode()))
    assert refused.value.refusal is refusal
    for data in (None, 1, True, "x", [], [{}], 1.5):
        assert refusal_of(event, data) is refusal


# ── auth ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("token", ["t", "a.b-c_d~", "!" * TOKEN_BYTES, "~#{}"])
def test_tokens_of_visible_ascii_are_taken(token):
    """From one character to the limit."""
    assert read("auth", {"token": token}) == Auth(token)


@pytest.mark.parametrize("data", [{}, {"token": None}, {"token": ""}, {"Token": "t"}])
def test_a_token_is_required(data):
    """Without one the client is told so in the old words."""
    assert refusal_of("auth", data) is refusals.TOKEN_REQUIRED


@pytest.mark.parametrize(
    "token",
    [
        *("a b", " ", "a\rb", "a\nb", "a\r\nX-Internal-API-Key: k", "a\tb", "a\x00b", "\x7f"),
        *("é", "a\u2028b", "\u00a0", "a\u200bb", "😀", "\uff01", "t" * (TOKEN_BYTES + 1)),
        *(1, True, 1.5, [], ["t"], {}),
    ],
)
def test_what_cannot_be_a_header_is_no_token(token):
    """It would reach the backend's ``Authorization`` header."""
    assert refusal_of("auth", {"token": token}) is refusals.INVALID_AUTH


@pytest.mark.parametrize(
    ("asked", "chats"),
    [(None, None), ([], ()), ([7, 1, 7], (7, 1)), ([2**63 - 1], (2**63 - 1,))],
)
def test_presence_is_asked_for_chats_each_once(asked, chats):
    """No list leaves things as they are, an empty one ends it."""
    assert read("auth", {"token": "t", "presence": asked}) == Auth("t", presence=chats)


@pytest.mark.parametrize(
    "asked", [True, 1, "1", {}, [0], [-1], ["1"], [1.0], [True], [None], [2**63], [1] * 101]
)
def test_presence_of_what_is_no_chat_is_refused(asked):
    """So is a list longer than the limit, whatever is in it."""
    assert refusal_of("auth", {"token": "t", "presence": asked}) is refusals.INVALID_AUTH


def test_tokens_and_texts_are_not_in_reprs():
    """A command may end up in a traceback or a log line; what is secret in it may not."""
    assert "s3cret" not in repr(Auth("s3cret"))
    assert "s3cret" not in repr(read("send_message", {"chat_id": 1, "text": "s3cret"}))


# ── ids, everywhere ──────────────────────────────────────────────────────────

NO_IDS = [
    True,
    False,
    "1",
    "../",
    "",
    1.0,
    1.5,
    [],
    {},
    [1],
    2**63,
    2**64,
    2**70,
    -(2**70),
    10**400,
]
"""What is no id in any place. JSON knows one kind of number; an id has no point in it."""


@pytest.mark.parametrize("number", [1, 2, MAX_ID])
def test_ids_go_from_one_to_the_largest_bigint(number):
    """Both bounds are ids, in every place that takes one."""
    message = {"chat_id": number, "text": "", "reply_to_id": number, "attachment_ids": [number]}

    assert read("send_message", message) == SendMessage(number, "", number, (number,))
    assert read("typing", {"chat_id": number}) == Typing(number, is_typing=False)
    assert read("add_reaction", {"message_id": number, "emoji": "+"}) == AddReaction(number, "+")
    assert read("mark_read", {"message_ids": [number]}) == MarkRead((number,))


@pytest.mark.parametrize("number", NO_IDS)
def test_what_is_no_id_is_refused_in_every_place(number):
    """Before anything is built from it: a URL, a key, a body."""
    chat = {"chat_id": 1, "text": "x"}
    wrong_chat = refusal_of("send_message", {**chat, "chat_id": number})

    if not (isinstance(number, int) and number < 0):
        assert wrong_chat is refusals.INVALID_MESSAGE
        assert refusal_of("typing", {"chat_id": number}) is refusals.INVALID_TYPING
    for field in ({"reply_to_id": number}, {"attachment_ids": [number]}):
        assert refusal_of("send_message", {**chat, **field}) is refusals.INVALID_MESSAGE
    reaction = {"message_id": number, "emoji": "+"}
    assert refusal_of("add_reaction", reaction) is refusals.INVALID_REACTION
    assert refusal_of("mark_read", {"message_ids": [1, number]}) is refusals.INVALID_READ


@pytest.mark.parametrize("event", ["send_message", "typing"])
@pytest.mark.parametrize("data", [{"chat_id": 0}, {"chat_id": -1}, {"chat_id": -(2**70)}, {}])
def test_a_chat_id_below_one_has_words_of_its_own(event, data):
    """Missing counts as 0, as in the Go program."""
    assert refusal_of(event, data) is refusals.INVALID_CHAT_ID


@pytest.mark.parametrize("number", [0, -1])
def test_other_ids_below_one_are_refused(number):
    """They are that event's own mistake."""
    chat = {"chat_id": 1, "text": "x"}

    for field in ({"reply_to_id": number}, {"attachment_ids": [number]}):
        assert refusal_of("send_message", {**chat, **field}) is refusals.INVALID_MESSAGE
    reaction = {"message_id": number, "emoji": "+"}
    assert refusal_of("add_reaction", reaction) is refusals.INVALID_REACTION
    assert refusal_of("mark_read", {"message_ids": [number]}) is refusals.INVALID_READ


# ── one by one ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize("extra", [{}, {"reply_to_id": None, "attachment_ids": None}])
@pytest.mark.parametrize("text", ["Hello!", "", " ", "\x00\n\u2028", "😀 é", "a" * 100_000])
def test_a_message_is_its_text(text, extra):
    """Untouched; what is not there and what is null are the same."""
    assert read("send_message", {"chat_id": 1, "text": text, **extra}) == SendMessage(1, text)


def test_a_message_may_be_attachments_alone():
    """In their order, with no text at all; up to as many as may be."""
    numbers = list(range(ATTACHMENTS, 0, -1))
    command = read("send_message", {"chat_id": 1, "attachment_ids": numbers})

    assert command == SendMessage(1, "", None, tuple(numbers))
    numbers.append(1)
    refused = refusal_of("send_message", {"chat_id": 1, "attachment_ids": numbers})
    assert refused is refusals.INVALID_MESSAGE


@pytest.mark.parametrize(
    "wrong",
    [{"text": 1}, {"text": ["x"]}, {"text": True}, {"attachment_ids": 1}, {"attachment_ids": {}}],
)
def test_a_message_of_wrong_types_is_refused(wrong):
    """One wrong field is enough."""
    refused = refusal_of("send_message", {"chat_id": 1, "text": "x", **wrong})

    assert refused is refusals.INVALID_MESSAGE


@pytest.mark.parametrize("is_typing", [0, 1, "true", None, []])
def test_typing_is_true_or_false(is_typing):
    """Nothing else is."""
    refused = refusal_of("typing", {"chat_id": 1, "is_typing": is_typing})

    assert refused is refusals.INVALID_TYPING


FAMILY = "👨🏽\u200d👩🏿\u200d👧🏻\u200d👦🏼"


@pytest.mark.parametrize("emoji", ["👍", "x", FAMILY, "é" * EMOJI_CHARACTERS])
def test_an_emoji_is_up_to_twenty_characters(emoji):
    """Characters, not bytes: a family with skin tones is eleven of them."""
    assert read("add_reaction", {"message_id": 1, "emoji": emoji}) == AddReaction(1, emoji)


@pytest.mark.parametrize("emoji", ["", "x" * (EMOJI_CHARACTERS + 1), None, 1, True, ["x"]])
def test_other_emoji_are_refused(emoji):
    """Empty, too long, or no text."""
    refused = refusal_of("add_reaction", {"message_id": 1, "emoji": emoji})

    assert refused is refusals.INVALID_REACTION


@pytest.mark.parametrize("missing", ["message_id", "emoji"])
def test_a_reaction_needs_both_fields(missing):
    """Neither has a default."""
    data = {"message_id": 1, "emoji": "x"}
    del data[missing]

    assert refusal_of("add_reaction", data) is refusals.INVALID_REACTION


def test_a_read_mark_names_one_to_a_hundred_messages():
    """In the given order; repeats are the client's business."""
    most = [*range(READ_BATCH - 1, 0, -1), 7]

    assert read("mark_read", {"message_ids": most}) == MarkRead(tuple(most))
    for wrong in ([], [*most, 1], None, 1, "1", {}):
        assert refusal_of("mark_read", {"message_ids": wrong}) is refusals.INVALID_READ
    assert refusal_of("mark_read", {}) is refusals.INVALID_READ

"""Laws of the codec for any text a client may send."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gogate_trio.ids import MAX_ID
from gogate_trio.limits import ATTACHMENTS, EMOJI_CHARACTERS, READ_BATCH, TOKEN_BYTES
from gogate_trio.protocol import refusals
from gogate_trio.protocol.codec import Refused, decode_command, open_envelope
from gogate_trio.protocol.commands import AddReaction, Auth, Command, MarkRead, SendMessage, Typing
from gogate_trio.protocol.refusals import Refusal

LAWS = settings(deadline=None, max_examples=300)
NAMES = {
    Auth: "auth",
    SendMessage: "send_message",
    Typing: "typing",
    AddReaction: "add_reaction",
    MarkRead: "mark_read",
}

ids = st.integers(1, MAX_ID)
visible = st.characters(min_codepoint=0x21, max_codepoint=0x7E)
texts = st.text(st.characters(exclude_categories=["Cs"]))
commands = st.one_of(
    st.builds(Auth, st.text(visible, min_size=1, max_size=80) | st.just("~" * TOKEN_BYTES)),
    st.builds(
        SendMessage,
        ids,
        texts,
        st.none() | ids,
        st.lists(ids, max_size=ATTACHMENTS).map(tuple),
    ),
    st.builds(Typing, ids, st.booleans()),
    st.builds(
        AddReaction,
        ids,
        st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=EMOJI_CHARACTERS),
    ),
    st.builds(MarkRead, st.lists(ids, min_size=1, max_size=READ_BATCH).map(tuple)),
)

numbers = st.one_of(
    st.integers(), st.sampled_from([0, 1, MAX_ID, MAX_ID + 1, 2**70, -(2**70)]), st.floats()
)
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
fields = st.sampled_from(
    [
        *("token", "chat_id", "text", "reply_to_id", "attachment_ids", "is_typing"),
        *("message_id", "emoji", "message_ids"),
    ]
)
messages = st.fixed_dictionaries(
    {},
    optional={
        "event": st.sampled_from([*NAMES.values()]) | values,
        "data": st.dictionaries(fields, values | st.integers(1, 9), max_size=9) | values,
    },
)


def decode(text: bytes) -> Command | Refusal:
    """Both steps at once: what it is, or why it is nothing."""
    try:
        return decode_command(open_envelope(text))
    except Refused as refused:
        return refused.refusal


@LAWS
@given(commands, st.booleans())
def test_valid_commands_come_through_as_they_are(command, ascii_only):
    """Whatever is within its bounds is understood, escaped or not."""
    message = {"event": NAMES[type(command)], "data": attrs.asdict(command)}

    assert decode(json.dumps(message, ensure_ascii=ascii_only).encode()) == command


@LAWS
@given(
    st.one_of(
        st.binary(),
        st.text().map(str.encode),
        messages.map(lambda message: json.dumps(message).encode()),
        st.tuples(commands, st.integers(0, 200), st.binary(max_size=3)).map(
            lambda parts: _damaged(*parts)
        ),
    )
)
def test_decoding_refuses_and_never_raises_anything_else(text):
    """Whatever a client says, it gets a command or a reason; nothing unchecked gets through."""
    answer = decode(text)

    if isinstance(answer, Refusal):
        assert answer.code in vars(refusals)
        return
    assert isinstance(answer, Command)
    for value in attrs.astuple(answer):
        _check(value)


def _check(value):
    """Every number is an id or a flag; every text can be sent on as UTF-8."""
    if isinstance(value, str):
        value.encode()
    elif isinstance(value, tuple):
        for inner in value:
            _check(inner)
    elif value is not None and not isinstance(value, bool):
        assert 1 <= value <= MAX_ID


def _damaged(command: Command, at: int, noise: bytes) -> bytes:
    text = json.dumps({"event": NAMES[type(command)], "data": attrs.asdict(command)}).encode()
    at %= len(text)
    return text[:at] + noise + text[at + len(noise) :]


# ── the hostile list ─────────────────────────────────────────────────────────

DEEP = {
    "arrays": b"[" * 100_000,
    "closed arrays": b"[" * 100_000 + b"]" * 100_000,
    "objects": b'{"a":' * 100_000,
    "closed objects": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
}
PLACES = {
    "outermost": b"%b",
    "beside": b'{"x":%b,"event":"typing","data":{"chat_id":1}}',
    "as the event": b'{"event":%b}',
    "as the data": b'{"event":"typing","data":%b}',
    "as an id": b'{"event":"typing","data":{"chat_id":%b}}',
    "in a list of ids": b'{"event":"mark_read","data":{"message_ids":[1,%b]}}',
    "beside an id": b'{"event":"typing","data":{"chat_id":1,"x":%b}}',
}


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("deep", DEEP.values(), ids=DEEP)
def test_deep_nesting_is_a_format_error_everywhere(deep, place):
    """It neither overflows the stack nor gets as far as the command."""
    assert decode(place % deep) is refusals.INVALID_FORMAT


BROKEN = {
    "nothing": b"",
    "blanks": b" \n",
    "no JSON": b"hello",
    "half an object": b'{"event":"auth"',
    "two documents": b'{"event":"auth","data":{}}{"event":"auth"}',
    "two lines": b'{"event":"auth","data":{}}\n{"event":"auth","data":{}}',
    "byte order mark": b'\xef\xbb\xbf{"event":"auth"}',
    "single quotes": b"{'event':'auth'}",
    "trailing comma": b'{"event":"auth",}',
    "an array": b'["auth",{}]',
    "null": b"null",
    "a string": b'"auth"',
    "no event": b'{"data":{}}',
    "event null": b'{"event":null}',
    "event a number": b'{"event":1}',
    "NaN": b'{"event":"typing","data":{"chat_id":NaN}}',
    "Infinity": b'{"event":"typing","data":{"chat_id":Infinity}}',
    "leading zero": b'{"event":"typing","data":{"chat_id":01}}',
    "control character": b'{"event":"send_message","data":{"chat_id":1,"text":"a\nb"}}',
    "lone high surrogate": b'{"event":"send_message","data":{"chat_id":1,"text":"\\ud800"}}',
    "lone low surrogate": b'{"event":"send_message","data":{"chat_id":1,"text":"\\udfff"}}',
    "surrogates reversed": b'{"event":"send_message","data":{"chat_id":1,"text":"\\udc00\\ud800"}}',
    "surrogate in emoji": b'{"event":"add_reaction","data":{"message_id":1,"emoji":"\\ud83d"}}',
    "surrogate in token": b'{"event":"auth","data":{"token":"\\ud800"}}',
    "surrogate in event": b'{"event":"\\ud800"}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_what_is_not_one_json_object_with_an_event_is_a_format_error(text):
    """One clear answer, whatever was meant."""
    assert decode(text) is refusals.INVALID_FORMAT


@pytest.mark.parametrize("digits", [19, 20, 309, 5_000, 400_000])
@pytest.mark.parametrize("form", [b"%b", b"-%b", b"%b.5", b"%be5", b"1e%b"])
@pytest.mark.parametrize("place", ["as an id", "in a list of ids"])
def test_numbers_of_any_length_are_no_ids(digits, form, place):
    """One clear refusal; Python's own limit on reading numbers is never met."""
    assert isinstance(decode(PLACES[place] % (form % (b"9" * digits))), Refusal)


@pytest.mark.parametrize("digits", [19, 20, 5_000, 400_000])
def test_numbers_nobody_asked_for_are_not_read(digits):
    """Beside what matters, a number may be as long as the message."""
    assert decode(PLACES["beside an id"] % (b"9" * digits)) == Typing(1, is_typing=False)


def test_the_last_of_two_equal_keys_counts():
    """JSON leaves it open; two readers of one message must not differ, so it is fixed here."""
    text = b'{"event":"auth","event":"typing","data":{"chat_id":1,"chat_id":2}}'

    assert decode(text) == Typing(2, is_typing=False)


@example("\ud83d\ude00")
@given(st.text(st.characters(min_codepoint=0x10000)))
def test_escaped_pairs_are_characters(text):
    """What JavaScript escapes as two halves is one character here."""
    escaped = json.dumps({"event": "send_message", "data": {"chat_id": 1, "text": text}})

    if "\ud83d\ude00" in text:
        text = text.encode("utf-16", "surrogatepass").decode("utf-16")
    assert decode(escaped.encode()) == SendMessage(1, text)

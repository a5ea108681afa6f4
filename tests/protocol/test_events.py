"""What a client is told is one JSON document with the guide's keys, in the guide's order."""

from __future__ import annotations

import json

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gogate_trio.ids import MAX_ID
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.events import (
    AuthSuccess,
    Error,
    MessageRead,
    NewMessage,
    NewReaction,
    UserTyping,
)

ids = st.integers(1, MAX_ID)
texts = st.text(st.characters(exclude_categories=["Cs"]))
events = st.one_of(
    st.builds(AuthSuccess, ids, texts, texts),
    st.builds(UserTyping, ids, ids, texts, st.booleans()),
    st.builds(NewReaction, ids, ids, texts, texts),
    st.builds(MessageRead, st.lists(ids, min_size=1).map(tuple), ids, texts),
    st.builds(Error, texts, texts),
)


@pytest.mark.parametrize(
    ("event", "name", "data"),
    [
        (
            AuthSuccess(1, "John Doe", "+79991234567"),
            "auth_success",
            '{"user_id":1,"name":"John Doe","phone":"+79991234567"}',
        ),
        (
            NewMessage(b'{"id": 7,\n "text": "\xe2\x9c\x93"}'),
            "new_message",
            '{"id": 7,\n "text": "✓"}',
        ),
        (
            UserTyping(1, 2, "Jane", is_typing=True),
            "user_typing",
            '{"chat_id":1,"user_id":2,"name":"Jane","is_typing":true}',
        ),
        (
            NewReaction(7, 2, "Jane", "👍"),
            "new_reaction",
            '{"message_id":7,"user_id":2,"name":"Jane","emoji":"👍"}',
        ),
        (
            MessageRead((7, 8), 2, "Jane"),
            "message_read",
            '{"message_ids":[7,8],"user_id":2,"name":"Jane"}',
        ),
        (
            Error("Unknown event type", "UNKNOWN_EVENT"),
            "error",
            '{"message":"Unknown event type","code":"UNKNOWN_EVENT"}',
        ),
    ],
)
def test_events_are_what_the_guide_shows(event, name, data):
    """To the byte: people compare what they see with it, and a message passes untouched."""
    assert encode_event(event).decode() == f'{{"event":"{name}","data":{data}}}'


@settings(deadline=None)
@given(events)
def test_an_event_is_one_document_on_one_line(event):
    """Whatever is in it comes back out, keys in order, and nothing can end the document."""
    text = encode_event(event)
    read = json.loads(text)

    assert read == {"event": event.NAME, "data": json.loads(json.dumps(attrs.asdict(event)))}
    assert list(read) == ["event", "data"]
    assert list(read["data"]) == [field.name for field in attrs.fields(type(event))]
    assert b"\n" not in text


@given(texts)
def test_messages_are_not_in_reprs(text):
    """The words of people stay out of tracebacks and logs."""
    assert "NewMessage()" in repr(NewMessage(text.encode()))

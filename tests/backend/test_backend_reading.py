"""Reading the backend's answers: tolerant of names, strict about types, nothing skipped."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.backend.reading import (
    Unreadable,
    error_text,
    read_confirmation,
    read_members,
    read_stored,
    read_user,
)
from gogate_trio.errors import BackendRejected
from gogate_trio.ids import MAX_ID, ChatId
from gogate_trio.limits import ERROR_TEXT_CHARACTERS

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=12,
)
NO_IDS = [None, True, False, 0, -1, MAX_ID + 1, 2**70, 1.0, "12", "", [1], {}]
SYMFONY_USER = {
    "id": 7,
    "email": "j@example.com",
    "phone": "+7999",
    "first_name": "John",
    "last_name": "Doe",
    "full_name": "John Doe",
    "roles": ["ROLE_USER"],
    "is_active": True,
}


def _user(person, *, valid=True):
    return read_user(msgspec.json.encode({"valid": valid, "user": person, "more": [1]}))


def _names(people, **more):
    body = msgspec.json.encode({"chat_id": 1, "members": people, **more})
    return read_members(body, chat_id=ChatId(1)).names


@pytest.mark.parametrize(
    "person",
    [
        {"id": 7, "name": "John Doe", "phone": "+7999", "active": True},
        {"user_id": 7, "name": "John Doe", "phone": "+7999"},
        {"userId": 7, "full_name": "John Doe", "phone": "+7999", "is_active": True},
        {"id": 55, "user_id": 7, "name": "John Doe", "phone": "+7999"},
        {"id": 7, "first_name": "John", "last_name": "Doe", "phone": "+7999"},
        {"id": 7, "name": None, "full_name": "", "first_name": "John Doe", "phone": "+7999"},
        SYMFONY_USER,
    ],
)
def test_a_user_is_read_under_any_of_the_documented_names(person):
    """The guide's shape, the real backend's, the older document's: one user."""
    user = _user(person)

    assert (user.user_id, user.name, user.phone, user.active) == (7, "John Doe", "+7999", True)


def test_a_user_needs_no_more_than_an_id():
    """Who has neither name nor phone is still somebody; absent activity means active."""
    user = _user({"id": 7})

    assert (user.name, user.phone, user.active) == ("", "", True)


@pytest.mark.parametrize("flags", [{"active": False}, {"is_active": False}])
def test_one_word_of_inactivity_is_enough(flags):
    """Where the two names for it disagree, the user is inactive."""
    assert not _user({"id": 7, "active": True, "is_active": True} | flags).active


@pytest.mark.parametrize("number", NO_IDS)
@pytest.mark.parametrize("key", ["id", "user_id", "userId"])
def test_what_is_no_id_names_nobody(key, number):
    """An id is a whole number from 1 to MAX_ID: neither true, nor a string, nor a fraction."""
    with pytest.raises(Unreadable):
        _user({key: number, "name": "John"})
    with pytest.raises(Unreadable):
        _names([{"user_id": 1, "name": "Jane"}, {key: number, "name": "John"}])


@pytest.mark.parametrize(
    "broken",
    [
        {"name": 7},
        {"full_name": ["John"]},
        {"first_name": True},
        {"phone": 7999},
        {"active": "yes"},
        {"active": None},
        {"is_active": 1},
    ],
)
def test_a_user_with_a_field_of_the_wrong_type_is_unreadable(broken):
    """A field that means something else than we think is not guessed at."""
    with pytest.raises(Unreadable):
        _user({"id": 7} | broken)


def test_valid_false_is_a_refusal():
    """A no under a 200 is a 401 with the backend's words."""
    with pytest.raises(BackendRejected) as raised:
        read_user(b'{"valid":false,"error":"Token expired"}')

    assert (raised.value.status, raised.value.reason) == (401, "Token expired")


@pytest.mark.parametrize("valid", [None, 1, "true", 0, "false"])
def test_only_true_is_a_yes(valid):
    """A user is let in by ``true`` alone; anything else but ``false`` says nothing."""
    with pytest.raises(Unreadable):
        _user({"id": 7}, valid=valid)
    with pytest.raises(Unreadable):
        read_user(b'{"user":{"id":7}}')


def test_members_are_read_in_all_three_shapes():
    """The guide's member, the real backend's, and the older document's without a name."""
    people = [{"user_id": 5, "name": "Jane"}, SYMFONY_USER, {"userId": 9, "role": "admin"}]

    assert _names(people) == {5: "Jane", 7: "John Doe", 9: ""}


def test_an_empty_chat_is_readable():
    """A chat nobody is in has an empty list, which is an answer."""
    assert _names([]) == {}


def test_a_large_chat_is_readable():
    """The real backend is built for chats of over 500."""
    assert len(_names([SYMFONY_USER | {"id": number} for number in range(1, 2001)])) == 2000


@pytest.mark.parametrize("person", [None, 7, "John", [], {}, {"name": "John"}])
def test_one_unreadable_member_makes_the_list_unreadable(person):
    """A list with a hole would lose messages silently."""
    with pytest.raises(Unreadable):
        _names([{"user_id": 1}, person])


@pytest.mark.parametrize("named", [{"chat_id": 2}, {"chat_id": "1"}, {"chat_id": True}])
def test_the_members_of_another_chat_are_not_taken_for_ours(named):
    """An answer that names another chat than the one asked would send words to strangers."""
    with pytest.raises(Unreadable):
        _names([{"user_id": 1}], **named)


def test_a_list_that_names_no_chat_is_taken():
    """Only a contradiction is refused."""
    assert read_members(b'{"members":[{"user_id":1}]}', chat_id=ChatId(1)).names == {1: ""}


@pytest.mark.parametrize(
    "body", [b' {"id": 12, "chat_id":3,\n "text":"\\u00e9\xc3\xa9"}\n', b'{"chatId":3,"id":12}']
)
def test_a_stored_message_keeps_its_bytes(body):
    """What the backend wrote is passed on byte for byte; the ids are only looked at."""
    stored = read_stored(body)

    assert stored.body is body
    assert (stored.message_id, stored.chat_id) == (12, 3)


@pytest.mark.parametrize("number", NO_IDS)
def test_a_stored_message_without_readable_ids_is_still_stored(number):
    """The chat is then known from the command; the message must not be lost for it."""
    stored = read_stored(msgspec.json.encode({"id": number, "chat_id": number}))

    assert (stored.message_id, stored.chat_id) == (None, None)


def test_a_confirmation_carries_the_chat_where_the_answer_does():
    """Both names for it, and an answer without any."""
    assert read_confirmation(b'{"success":true,"chat_id":3}').chat_id == 3
    assert read_confirmation(b'{"chatId":3}').chat_id == 3
    assert read_confirmation(b'{"success":true,"message":"Done"}').chat_id is None
    assert read_confirmation(b" \n").chat_id is None


def test_success_false_is_a_refusal():
    """The real backend may say no under a 200."""
    with pytest.raises(BackendRejected) as raised:
        read_confirmation(b'{"success":false,"message":"Already reacted"}')

    assert str(raised.value) == "backend error: Already reacted"


def test_the_backends_words_are_found_in_either_shape():
    """``error`` first, then ``message``; what is no text is passed over."""
    assert error_text(b'{"error":"No","message":"Other"}') == "No"
    assert error_text(b'{"message":"No","details":{}}') == "No"
    assert error_text(b'{"error":{"code":1},"message":"No"}') == "No"
    assert error_text(b'{"error":" ","message":"No"}') == "No"
    assert error_text(b'{"code":401}') is None


@given(st.text())
def test_shown_words_are_one_short_printable_line(text):
    """Whatever a backend sends as its words fits one line of an error event."""
    shown = error_text(msgspec.json.encode({"error": text}))

    assert shown is None or 0 < len(shown) <= ERROR_TEXT_CHARACTERS
    assert not shown or not any(
        ord(c) < 32 or 127 <= ord(c) < 160 or c in "\u2028\u2029" for c in shown
    )


@given(JSON)
def test_no_json_breaks_a_reader(value):
    """Any JSON is read, refused or unreadable; nothing else comes out."""
    _try_all(msgspec.json.encode(value))


@given(st.binary(max_size=40))
def test_no_bytes_break_a_reader(body):
    """Nor do any bytes."""
    _try_all(body)


@given(st.dictionaries(st.sampled_from(["valid", "user", "members", "chat_id", "error"]), JSON))
def test_no_almost_right_answer_breaks_a_reader(value):
    """Nor objects that are nearly what was promised."""
    _try_all(msgspec.json.encode(value))


def _try_all(body):
    for read in (
        read_user,
        lambda body: read_members(body, chat_id=ChatId(1)),
        read_stored,
        read_confirmation,
        error_text,
    ):
        try:
            read(body)
        except (Unreadable, BackendRejected):
            continue

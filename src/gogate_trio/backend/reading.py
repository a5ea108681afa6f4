"""What we read from the backend: bytes in, values of the port out. Pure.

Tolerant of names (the guide, the real Symfony and an older document disagree) and of
fields we do not know; strict about types: an id is a whole number from 1 to ``MAX_ID``,
never ``true`` and never ``"12"``. Nothing is skipped: one member that cannot be read makes
the whole list unreadable, for a list with a hole would lose messages silently.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING, Final

import msgspec

from gogate_trio.backend.base import Confirmation, Members, StoredMessage, User
from gogate_trio.errors import BackendRejected
from gogate_trio.ids import MAX_ID, ChatId, MessageId, UserId
from gogate_trio.limits import ERROR_TEXT_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    Object = Mapping[str, object]


class Unreadable(Exception):
    """The answer is not what the contract promises."""


def read_user(body: bytes) -> User:
    """Read the answer of ``auth/validate``.

    Raises ``BackendRejected`` for ``{"valid": false}``, ``Unreadable`` for anything that
    says neither yes nor no.
    """
    answer = _object(body)
    if answer.get("valid") is False:
        raise BackendRejected(401, error_text(body))
    person = answer.get("user")
    if answer.get("valid") is not True or not isinstance(person, dict):
        raise Unreadable
    return User(
        user_id=_user_id(person),
        name=_name(person),
        phone=_text(person, "phone"),
        active=_active(person),
    )


def read_members(body: bytes, *, chat_id: ChatId) -> Members:
    """Read a member list; a list that names another chat than the one asked is unreadable."""
    answer = _object(body)
    people = answer.get("members")
    named = answer.get("chat_id", answer.get("chatId", chat_id))
    if not isinstance(people, list) or _id(named) != chat_id:
        raise Unreadable
    names: dict[UserId, str] = {}
    for person in people:
        if not isinstance(person, dict):
            raise Unreadable
        names[_user_id(person)] = _name(person)
    return Members(chat_id, names)


def read_stored(body: bytes) -> StoredMessage:
    """Check that the answer is one JSON object in UTF-8, and keep its bytes as they are."""
    answer = _object(body)
    number = _id(answer.get("id"))
    return StoredMessage(
        body=body,
        message_id=None if number is None else MessageId(number),
        chat_id=_chat_id(answer),
    )


def read_confirmation(body: bytes) -> Confirmation:
    """Read the answer to a reaction or a read receipt; an empty one (204) is a yes.

    Raises ``BackendRejected`` for ``{"success": false}``, which the real backend may say
    under a 200.
    """
    if not body.strip():
        return Confirmation(chat_id=None)
    answer = _object(body)
    if answer.get("success") is False:
        raise BackendRejected(200, error_text(body))
    return Confirmation(chat_id=_chat_id(answer))


def error_text(body: bytes) -> str | None:
    """Return the backend's own words, fit to be shown to a client, or None without any."""
    try:
        answer = _object(body)
    except Unreadable:
        return None
    for key in ("error", "message"):
        text = answer.get(key)
        if isinstance(text, str) and (shown := _showable(text)):
            return shown
    return None


# ── the parts ────────────────────────────────────────────────────────────────

_UNSHOWN: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
"""Unicode categories that break lines, terminals or encoders: controls, surrogates, separators."""


def _object(body: bytes) -> Object:
    try:
        answer = msgspec.json.decode(body)
    # Bad UTF-8 and endless numbers are ValueErrors of several kinds; deep nesting is the other.
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(answer, dict):
        raise Unreadable
    return answer


def _id(number: object) -> int | None:
    # ``type`` and not ``isinstance``: True is an int.
    return number if type(number) is int and 1 <= number <= MAX_ID else None


def _user_id(person: Object) -> UserId:
    # A membership row may carry an ``id`` of its own beside the user's: the longer names win.
    key = next((key for key in ("user_id", "userId", "id") if key in person), "id")
    number = _id(person.get(key))
    if number is None:
        raise Unreadable
    return UserId(number)


def _chat_id(answer: Object) -> ChatId | None:
    number = _id(answer.get("chat_id", answer.get("chatId")))
    return None if number is None else ChatId(number)


def _name(person: Object) -> str:
    for key in ("name", "full_name"):
        if name := _text(person, key):
            return name
    return f"{_text(person, 'first_name')} {_text(person, 'last_name')}".strip()


def _text(person: Object, key: str) -> str:
    text = person.get(key)
    if text is None:
        return ""
    if not isinstance(text, str):
        raise Unreadable
    return text


def _active(person: Object) -> bool:
    flags = [person[key] for key in ("active", "is_active") if key in person]
    if not all(isinstance(flag, bool) for flag in flags):
        raise Unreadable
    return all(flags)


def _showable(text: str) -> str:
    head = text[: 4 * ERROR_TEXT_CHARACTERS]
    shown = "".join(" " if unicodedata.category(c) in _UNSHOWN else c for c in head)
    return " ".join(shown.split())[:ERROR_TEXT_CHARACTERS]

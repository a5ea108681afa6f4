"""Who there is, and who is in which chat. Functions for ``Store.run``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gogate_trio.demo.records import Person
from gogate_trio.demo.refusal import FORBIDDEN, NOT_FOUND, Refused
from gogate_trio.ids import UserId

if TYPE_CHECKING:
    import sqlite3

    from gogate_trio.ids import ChatId

PersonRow = tuple[int, str, str, str, str, str, int]
"""A row of ``users``, its columns in the order of the table."""


def person(db: sqlite3.Connection, user_id: UserId) -> Person | None:
    """Whose id this is, if anybody's."""
    row = db.execute("SELECT * FROM users WHERE id = ?", (user_id,)).fetchone()
    return None if row is None else person_of(row)


def cast(db: sqlite3.Connection) -> list[Person]:
    """Everybody with a title: whom one can be on the page. The extras are left out."""
    rows = db.execute("SELECT * FROM users WHERE title <> '' ORDER BY id")
    return [person_of(row) for row in rows]


def members(db: sqlite3.Connection, chat_id: ChatId) -> list[Person]:
    """Everybody in the chat, by id. ``Refused`` (404) when there is no such chat."""
    require_chat(db, chat_id)
    rows = db.execute(
        "SELECT users.* FROM members JOIN users ON users.id = members.user_id"
        " WHERE members.chat_id = ? ORDER BY users.id",
        (chat_id,),
    )
    return [person_of(row) for row in rows]


def require_chat(db: sqlite3.Connection, chat_id: ChatId) -> None:
    """``Refused`` (404) when there is no such chat."""
    if db.execute("SELECT 1 FROM chats WHERE id = ?", (chat_id,)).fetchone() is None:
        raise Refused(NOT_FOUND, "Chat not found")


def require_member(db: sqlite3.Connection, chat_id: ChatId, user_id: UserId) -> None:
    """``Refused`` when there is no such chat (404) or the user is not in it (403)."""
    require_chat(db, chat_id)
    row = db.execute(
        "SELECT 1 FROM members WHERE chat_id = ? AND user_id = ?", (chat_id, user_id)
    ).fetchone()
    if row is None:
        raise Refused(FORBIDDEN, "You are not a member of this chat")


def person_of(row: PersonRow) -> Person:
    """The person in a row of ``users``."""
    user_id, first_name, last_name, email, phone, title, active = row
    return Person(UserId(user_id), first_name, last_name, email, phone, title, bool(active))

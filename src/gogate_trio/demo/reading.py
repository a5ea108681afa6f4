"""What people see: messages with all that hangs on them, history, chat lists.

Functions for ``Store.run``. Each loads a page of messages with a fixed number of statements.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from gogate_trio.demo.directory import person_of, require_member
from gogate_trio.demo.records import (
    Attachment,
    ChatEntry,
    HistoryPage,
    Message,
    Named,
    Quote,
    Reaction,
)
from gogate_trio.ids import ChatId, MessageId, UserId

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence


def message(db: sqlite3.Connection, message_id: MessageId) -> Message:
    """One message that is known to exist."""
    (found,) = _messages(db, [message_id])
    return found


def history(
    db: sqlite3.Connection,
    user_id: UserId,
    chat_id: ChatId,
    *,
    before: MessageId | None,
    limit: int,
) -> HistoryPage:
    """The latest ``limit`` messages of a chat, or the latest before another one, oldest first.

    ``Refused``: 404 for an unknown chat, 403 for somebody who is not in it.
    """
    require_member(db, chat_id, user_id)
    rows = db.execute(
        "SELECT id FROM messages WHERE chat_id = ? AND (? IS NULL OR id < ?)"
        " ORDER BY id DESC LIMIT ?",
        (chat_id, before, before, limit + 1),
    ).fetchall()
    ids = [MessageId(message_id) for (message_id,) in rows[:limit]]
    return HistoryPage(tuple(_messages(db, ids[::-1])), has_more=len(rows) > limit)


def chat_list(db: sqlite3.Connection, user_id: UserId) -> list[ChatEntry]:
    """The chats the user is in, the one with the latest message first."""
    rows = db.execute(
        "SELECT chats.id, chats.kind, chats.name,"
        " (SELECT count(*) FROM members WHERE chat_id = chats.id),"
        " (SELECT max(id) FROM messages WHERE chat_id = chats.id) AS latest"
        " FROM members JOIN chats ON chats.id = members.chat_id"
        " WHERE members.user_id = ? ORDER BY latest DESC NULLS LAST, chats.id",
        (user_id,),
    ).fetchall()
    return [_entry(db, user_id, row) for row in rows]


def _entry(
    db: sqlite3.Connection, user_id: UserId, row: tuple[int, str, str, int, int | None]
) -> ChatEntry:
    chat_id, kind, name, member_count, latest = row
    unread_count, first_unread = db.execute(
        "SELECT count(*), min(id) FROM messages"
        " WHERE chat_id = ? AND user_id <> ? AND NOT EXISTS"
        " (SELECT 1 FROM receipts WHERE message_id = messages.id AND user_id = ?)",
        (chat_id, user_id, user_id),
    ).fetchone()
    peer = _peer(db, chat_id, user_id) if kind == "direct" else None
    return ChatEntry(
        chat_id=ChatId(chat_id),
        kind=kind,
        name=peer.name if peer is not None else name,
        peer=peer,
        member_count=member_count,
        unread_count=unread_count,
        first_unread_id=first_unread,
        last_message=message(db, MessageId(latest)) if latest is not None else None,
    )


def _peer(db: sqlite3.Connection, chat_id: int, user_id: UserId) -> Named | None:
    row = db.execute(
        "SELECT users.* FROM members JOIN users ON users.id = members.user_id"
        " WHERE members.chat_id = ? AND members.user_id <> ?",
        (chat_id, user_id),
    ).fetchone()
    if row is None:
        return None
    peer = person_of(row)
    return Named(peer.user_id, peer.name)


def _messages(db: sqlite3.Connection, ids: Sequence[MessageId]) -> list[Message]:
    """Load these messages, in this order."""
    attachments = _attachments(db, ids)
    reactions = _reactions(db, ids)
    rows = db.execute(
        "SELECT m.id, m.chat_id, m.text, m.created_at,"
        " q.id, q.text, quoted.id, quoted.first_name || ' ' || quoted.last_name,"
        " (SELECT count(*) FROM receipts WHERE message_id = m.id), author.*"
        " FROM messages AS m JOIN users AS author ON author.id = m.user_id"
        " LEFT JOIN messages AS q ON q.id = m.reply_to_id"
        " LEFT JOIN users AS quoted ON quoted.id = q.user_id"
        " WHERE m.id IN (SELECT value FROM json_each(?))",
        (json.dumps(ids),),
    )
    found = {}
    for own_id, chat_id, text, created_at, quote_id, quote_text, *rest in rows:
        quoted_id, quoted_name, read_count, *author = rest
        quote = None
        if quote_id is not None:
            quote = Quote(MessageId(quote_id), Named(UserId(quoted_id), quoted_name), quote_text)
        found[own_id] = Message(
            message_id=MessageId(own_id),
            chat_id=ChatId(chat_id),
            author=person_of((*author,)),
            text=text,
            created_at=created_at,
            reply_to=quote,
            attachments=tuple(attachments.get(own_id, ())),
            reactions=tuple(reactions.get(own_id, ())),
            read_count=read_count,
        )
    return [found[message_id] for message_id in ids]


def _attachments(db: sqlite3.Connection, ids: Sequence[MessageId]) -> dict[int, list[Attachment]]:
    rows = db.execute(
        "SELECT link.message_id, file.id, file.file_name, file.file_type, length(file.content)"
        " FROM message_attachments AS link JOIN attachments AS file"
        " ON file.id = link.attachment_id"
        " WHERE link.message_id IN (SELECT value FROM json_each(?))"
        " ORDER BY link.message_id, link.place",
        (json.dumps(ids),),
    )
    found: dict[int, list[Attachment]] = {}
    for message_id, *columns in rows:
        found.setdefault(message_id, []).append(Attachment(*columns))
    return found


def _reactions(db: sqlite3.Connection, ids: Sequence[MessageId]) -> dict[int, list[Reaction]]:
    rows = db.execute(
        "SELECT r.message_id, r.emoji, users.id, users.first_name || ' ' || users.last_name"
        " FROM reactions AS r JOIN users ON users.id = r.user_id"
        " WHERE r.message_id IN (SELECT value FROM json_each(?)) ORDER BY r.rowid",
        (json.dumps(ids),),
    )
    people: dict[tuple[int, str], list[Named]] = {}
    for message_id, emoji, user_id, name in rows:
        people.setdefault((message_id, emoji), []).append(Named(UserId(user_id), name))
    found: dict[int, list[Reaction]] = {}
    for (message_id, emoji), named in people.items():
        found.setdefault(message_id, []).append(Reaction(emoji, tuple(named)))
    return found

"""Messages and what is done with them: store, react, read. Functions for ``Store.run``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from gogate_trio.demo.directory import require_member
from gogate_trio.demo.refusal import FORBIDDEN, NOT_FOUND, Refused
from gogate_trio.ids import ChatId, MessageId

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

    from gogate_trio.demo.records import Draft
    from gogate_trio.ids import UserId


def store_message(db: sqlite3.Connection, author: UserId, draft: Draft) -> MessageId:
    """Store the draft in its author's name.

    ``Refused``: 404 for an unknown chat, a reply to a message that is not in this chat, or an
    attachment that is not the author's; 403 for somebody who is not in the chat.
    """
    require_member(db, draft.chat_id, author)
    _require_in_chat(db, draft)
    _require_own_attachments(db, author, draft.attachment_ids)

    now = datetime.now(UTC).isoformat(timespec="seconds")
    (message_id,) = db.execute(
        "INSERT INTO messages (chat_id, user_id, text, reply_to_id, created_at)"
        " VALUES (?, ?, ?, ?, ?) RETURNING id",
        (draft.chat_id, author, draft.text, draft.reply_to_id, now),
    ).fetchone()
    db.executemany(
        "INSERT INTO message_attachments VALUES (?, ?, ?)",
        [(message_id, place, file_id) for place, file_id in enumerate(draft.attachment_ids)],
    )
    return MessageId(message_id)


def add_reaction(
    db: sqlite3.Connection, user_id: UserId, message_id: MessageId, *, emoji: str
) -> tuple[ChatId, bool]:
    """Put an emoji on a message: its chat, and whether that changed anything.

    ``Refused``: 404 for an unknown message, 403 for somebody who is not in its chat.
    """
    chat_id = _chat_of(db, message_id, user_id)
    added = db.execute(
        "INSERT OR IGNORE INTO reactions VALUES (?, ?, ?)", (message_id, user_id, emoji)
    )
    return chat_id, added.rowcount > 0


def mark_read(
    db: sqlite3.Connection, user_id: UserId, message_ids: Sequence[MessageId]
) -> set[ChatId]:
    """Note that the user has read all of these: their chats.

    ``Refused``, and nothing noted: 404 for any unknown message, 403 for any in a chat the user
    is not in. One's own messages need no receipt and get none.
    """
    chats = {_chat_of(db, message_id, user_id) for message_id in message_ids}
    db.executemany(
        "INSERT OR IGNORE INTO receipts SELECT id, ? FROM messages WHERE id = ? AND user_id <> ?",
        [(user_id, message_id, user_id) for message_id in message_ids],
    )
    return chats


def earlier_answer(db: sqlite3.Connection, user_id: UserId, idempotency_key: str) -> str | None:
    """The answer this user was given under this key, if any."""
    row = db.execute(
        "SELECT body FROM answers WHERE user_id = ? AND idempotency_key = ?",
        (user_id, idempotency_key),
    ).fetchone()
    return None if row is None else row[0]


def keep_answer(
    db: sqlite3.Connection, user_id: UserId, idempotency_key: str, *, body: str
) -> None:
    """Remember an answer for good: call it in the transaction that stores what it answers."""
    db.execute("INSERT INTO answers VALUES (?, ?, ?)", (user_id, idempotency_key, body))


def attachment_content(db: sqlite3.Connection, attachment_id: int) -> tuple[str, str, bytes] | None:
    """A file's name, type and bytes, if there is such a file."""
    row: tuple[str, str, bytes] | None = db.execute(
        "SELECT file_name, file_type, content FROM attachments WHERE id = ?", (attachment_id,)
    ).fetchone()
    return row


def _chat_of(db: sqlite3.Connection, message_id: MessageId, user_id: UserId) -> ChatId:
    """The chat of a message the user may see."""
    row = db.execute(
        "SELECT chat_id, EXISTS (SELECT 1 FROM members"
        " WHERE members.chat_id = messages.chat_id AND members.user_id = ?)"
        " FROM messages WHERE id = ?",
        (user_id, message_id),
    ).fetchone()
    if row is None:
        raise Refused(NOT_FOUND, "Message not found")
    chat_id, is_member = row
    if not is_member:
        raise Refused(FORBIDDEN, "You are not a member of this chat")
    return ChatId(chat_id)


def _require_in_chat(db: sqlite3.Connection, draft: Draft) -> None:
    """A reply quotes a message of its own chat: anything else would leak another chat's text."""
    if draft.reply_to_id is None:
        return
    row = db.execute("SELECT chat_id FROM messages WHERE id = ?", (draft.reply_to_id,)).fetchone()
    if row is None or row[0] != draft.chat_id:
        raise Refused(NOT_FOUND, "Message to reply to not found")


def _require_own_attachments(
    db: sqlite3.Connection, user_id: UserId, attachment_ids: Sequence[int]
) -> None:
    for attachment_id in attachment_ids:
        row = db.execute(
            "SELECT 1 FROM attachments WHERE id = ? AND user_id = ?", (attachment_id, user_id)
        ).fetchone()
        if row is None:
            raise Refused(NOT_FOUND, "Attachment not found")

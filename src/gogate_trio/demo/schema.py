"""The tables of a demo data file, and the marks that tell it from anybody else's file."""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x476F4761
"""``GoGa`` in SQLite's application_id, the place in its header meant for this."""

VERSION: Final = 1
"""Counts up with every change of the tables; a file of another version is refused."""

TABLES: Final = """
CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE users (
    id INTEGER PRIMARY KEY,
    first_name TEXT NOT NULL,
    last_name TEXT NOT NULL,
    email TEXT NOT NULL UNIQUE,
    phone TEXT NOT NULL,
    title TEXT NOT NULL,
    active INTEGER NOT NULL
) STRICT;

CREATE TABLE chats (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('group', 'direct')),
    name TEXT NOT NULL
) STRICT;

CREATE TABLE members (
    chat_id INTEGER NOT NULL REFERENCES chats (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    PRIMARY KEY (chat_id, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX chats_of_user ON members (user_id, chat_id);

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    chat_id INTEGER NOT NULL REFERENCES chats (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    text TEXT,
    reply_to_id INTEGER REFERENCES messages (id),
    created_at TEXT NOT NULL
) STRICT;
CREATE INDEX messages_of_chat ON messages (chat_id, id);

CREATE TABLE attachments (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    file_name TEXT NOT NULL,
    file_type TEXT NOT NULL,
    content BLOB NOT NULL
) STRICT;

CREATE TABLE message_attachments (
    message_id INTEGER NOT NULL REFERENCES messages (id),
    place INTEGER NOT NULL,
    attachment_id INTEGER NOT NULL REFERENCES attachments (id),
    PRIMARY KEY (message_id, place)
) STRICT, WITHOUT ROWID;

-- With a rowid, so that reactions can be read back in the order they came.
CREATE TABLE reactions (
    message_id INTEGER NOT NULL REFERENCES messages (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    emoji TEXT NOT NULL,
    UNIQUE (message_id, emoji, user_id)
) STRICT;

CREATE TABLE receipts (
    message_id INTEGER NOT NULL REFERENCES messages (id),
    user_id INTEGER NOT NULL REFERENCES users (id),
    PRIMARY KEY (message_id, user_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE answers (
    user_id INTEGER NOT NULL REFERENCES users (id),
    idempotency_key TEXT NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (user_id, idempotency_key)
) STRICT, WITHOUT ROWID;
"""

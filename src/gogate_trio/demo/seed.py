"""Plants people, chats and messages into an empty database. Once, at its creation."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import attrs

from gogate_trio.demo import people, script
from gogate_trio.demo.script import Line

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence

    from gogate_trio.demo.records import Person

EVERYBODY_MEMBERS: Final = 500
"""people in the large chat: what the customer's backend was built for."""

EVERYBODY_MESSAGES: Final = 84
"""messages in the large chat: enough for some pages of history."""

UNREAD: Final = {script.TEAM: 3, script.JOHN_AND_JANE: 2, script.EVERYBODY: 4}
"""chat → how many of its latest messages nobody has read but their authors."""

READING_EXTRAS: Final = 7
"""One extra in so many has read what was said in the large chat."""


@attrs.frozen
class Chat:
    """A chat to plant."""

    chat_id: int
    name: str
    """Empty for a direct chat."""
    members: Sequence[int]
    lines: Sequence[Line]


def plant(db: sqlite3.Connection) -> None:
    """Fill the empty tables. The caller owns the transaction."""
    cast = people.cast()
    active = [person for person in cast if person.active]
    extras = list(people.extras(EVERYBODY_MEMBERS - len(active)))
    db.executemany(
        "INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)", map(_user_row, [*cast, *extras])
    )
    for number, file in enumerate(script.FILES, start=1):
        db.execute(
            "INSERT INTO attachments VALUES (?, ?, ?, ?, ?)",
            (number, file.owner, file.file_name, file.file_type, file.content.encode()),
        )

    team = [int(person.user_id) for person in active]
    everybody = team + [int(person.user_id) for person in extras]
    chats = (
        Chat(script.TEAM, "Launch team", team, script.TEAM_LINES),
        Chat(script.JOHN_AND_JANE, "", [script.JOHN, script.JANE], script.JOHN_AND_JANE_LINES),
        Chat(script.JANE_AND_KENJI, "", [script.JANE, script.KENJI], script.JANE_AND_KENJI_LINES),
        Chat(script.EVERYBODY, "All of BuzzChat", everybody, tuple(_greetings(extras))),
    )
    for chat in chats:
        _open(db, chat)
    ids = _say(db, chats)
    for chat in chats:
        _read(db, chat, ids=[ids[chat.chat_id, place] for place in range(len(chat.lines))])


def _user_row(person: Person) -> tuple[int, str, str, str, str, str, bool]:
    return (
        person.user_id,
        person.first_name,
        person.last_name,
        person.email,
        person.phone,
        person.title,
        person.active,
    )


def _greetings(extras: Sequence[Person]) -> Iterator[Line]:
    """One line every hour and a half, each by another extra; a few get a reaction."""
    for number in range(EVERYBODY_MESSAGES):
        author = extras[number * 37 % len(extras)]
        fans = tuple(int(extras[(number * 11 + fan) % len(extras)].user_id) for fan in range(3))
        yield Line(
            int(author.user_id),
            script.GREETINGS[number % len(script.GREETINGS)],
            minutes_ago=(EVERYBODY_MESSAGES - number) * 90 - number % 7 * 11,
            reactions=(("🎉", (*fans, script.JOHN)),) if number % 5 == 0 else (),
        )


def _open(db: sqlite3.Connection, chat: Chat) -> None:
    kind = "group" if chat.name else "direct"
    db.execute("INSERT INTO chats VALUES (?, ?, ?)", (chat.chat_id, kind, chat.name))
    db.executemany(
        "INSERT INTO members VALUES (?, ?)", [(chat.chat_id, user) for user in chat.members]
    )


def _say(db: sqlite3.Connection, chats: Sequence[Chat]) -> dict[tuple[int, int], int]:
    """Store all lines in the order of time, as ids count up with it: (chat, place) → id."""
    spoken = [
        (line, chat.chat_id, place) for chat in chats for place, line in enumerate(chat.lines)
    ]
    spoken.sort(key=lambda said: -said[0].minutes_ago)
    ids: dict[tuple[int, int], int] = {}
    for line, chat_id, place in spoken:
        reply_to = None if line.reply_to is None else ids[chat_id, line.reply_to]
        ids[chat_id, place] = _line(db, chat_id, line, reply_to=reply_to)
    return ids


def _read(db: sqlite3.Connection, chat: Chat, *, ids: Sequence[int]) -> None:
    """Receipts of the cast, and of a few extras, for all but the latest messages."""
    read = ids[: len(ids) - UNREAD.get(chat.chat_id, 0)]
    cast = [user for user in chat.members if user < people.FIRST_EXTRA]
    some = [user for user in chat.members if user % READING_EXTRAS == 0]
    db.executemany(
        "INSERT OR IGNORE INTO receipts SELECT id, ? FROM messages WHERE id = ? AND user_id <> ?",
        [(reader, message_id, reader) for message_id in read for reader in {*cast, *some}],
    )


def _line(db: sqlite3.Connection, chat_id: int, line: Line, *, reply_to: int | None) -> int:
    said_at = datetime.now(UTC) - timedelta(minutes=line.minutes_ago)
    (message_id,) = db.execute(
        "INSERT INTO messages (chat_id, user_id, text, reply_to_id, created_at)"
        " VALUES (?, ?, ?, ?, ?) RETURNING id",
        (chat_id, line.author, line.text, reply_to, said_at.isoformat(timespec="seconds")),
    ).fetchone()
    for place, attachment_id in enumerate(line.attachments):
        db.execute(
            "INSERT INTO message_attachments VALUES (?, ?, ?)", (message_id, place, attachment_id)
        )
    for emoji, fans in line.reactions:
        db.executemany(
            "INSERT INTO reactions VALUES (?, ?, ?)", [(message_id, fan, emoji) for fan in fans]
        )
    return int(message_id)

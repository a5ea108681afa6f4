"""The values the demo's rooms hand each other. No SQL, no JSON, no I/O."""

from __future__ import annotations

import attrs

from gogate_trio.ids import ChatId, MessageId, UserId


@attrs.frozen
class Person:
    """Somebody with an account."""

    user_id: UserId
    first_name: str
    last_name: str
    email: str
    phone: str
    title: str
    """What they do. Empty for the extras, who are only there to fill a chat."""
    active: bool

    @property
    def name(self) -> str:
        """The name that is shown."""
        return f"{self.first_name} {self.last_name}"


@attrs.frozen
class Named:
    """As much of a person as a quote or a reaction shows."""

    user_id: UserId
    name: str


@attrs.frozen
class Quote:
    """The message another one replies to."""

    message_id: MessageId
    author: Named
    text: str | None


@attrs.frozen
class Attachment:
    """A file that hangs on a message."""

    attachment_id: int
    file_name: str
    file_type: str
    file_size: int


@attrs.frozen
class Reaction:
    """One emoji on one message, and who put it there, first come first."""

    emoji: str
    people: tuple[Named, ...]


@attrs.frozen
class Message:
    """A stored message with everything that hangs on it."""

    message_id: MessageId
    chat_id: ChatId
    author: Person
    text: str | None
    created_at: str
    """ISO-8601 in UTC, to the second."""
    reply_to: Quote | None
    attachments: tuple[Attachment, ...]
    reactions: tuple[Reaction, ...]
    read_count: int
    """How many people other than the author have read it."""


@attrs.frozen
class Draft:
    """A message that somebody asks to store, its shape already checked."""

    chat_id: ChatId
    text: str | None
    reply_to_id: MessageId | None
    attachment_ids: tuple[int, ...]


@attrs.frozen
class ChatEntry:
    """One line of somebody's chat list."""

    chat_id: ChatId
    kind: str
    """``group`` or ``direct``."""
    name: str
    """The group's name, or the other person's."""
    peer: Named | None
    """The other person of a direct chat."""
    member_count: int
    unread_count: int
    first_unread_id: MessageId | None
    last_message: Message | None


@attrs.frozen
class HistoryPage:
    """Some messages of a chat, oldest first."""

    messages: tuple[Message, ...]
    has_more: bool
    """Whether older ones exist."""

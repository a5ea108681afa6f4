"""What a client may ask for, after checking: every value in here is within its bounds."""

from __future__ import annotations

import attrs

from gogate_trio.ids import ChatId, MessageId

CommandId = str | int
"""What a client calls a command, to know its reply by and to repeat it by."""


@attrs.frozen
class Resume:
    """Go on where an earlier connection ended; without a session, begin one."""

    session: str | None = None
    position: str | None = None


@attrs.frozen
class Auth:
    """Prove who you are."""

    token: str = attrs.field(repr=False)
    """The user's JWT: 1 to ``limits.TOKEN_BYTES`` visible ASCII characters."""
    notices: bool = False
    """Whether the client wants to be told when its token is about to end."""
    resume: Resume | None = None
    """None for a client that does not know of sessions."""
    presence: tuple[ChatId, ...] | None = None
    """The chats whose members' comings and goings it wants to hear of, ``limits.PRESENCE_CHATS``
    at most; None to leave that as it is."""


@attrs.frozen
class SendMessage:
    """Store a message and tell the chat."""

    chat_id: ChatId
    text: str = attrs.field(repr=False)
    reply_to_id: MessageId | None = None
    attachment_ids: tuple[int, ...] = ()


@attrs.frozen
class Typing:
    """Tell the other members of the chat that the user types, or no longer does."""

    chat_id: ChatId
    is_typing: bool


@attrs.frozen
class AddReaction:
    """React to a message."""

    message_id: MessageId
    emoji: str
    """1 to ``limits.EMOJI_CHARACTERS`` characters."""


@attrs.frozen
class MarkRead:
    """Mark messages as read."""

    message_ids: tuple[MessageId, ...]
    """1 to ``limits.READ_BATCH`` ids."""


Command = Auth | SendMessage | Typing | AddReaction | MarkRead

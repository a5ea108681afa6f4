"""The two ways the backend is known to speak: as the guide says, and as the real one does.

A dialect knows the names of fields in requests and the shapes of answers, and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from gogate_trio.demo.records import Attachment, Message, Named, Person, Quote
    from gogate_trio.ids import ChatId

DialectName = Literal["guide", "symfony"]

Json = dict[str, object]
"""A JSON object on its way out."""

FILES_PATH: Final = "/api/v1/demo/files"
"""Where the bytes of attachments are (see ``playground``)."""


class Dialect(Protocol):
    """One way to speak."""

    chat_id_field: str
    text_field: str
    reply_to_id_field: str
    attachment_ids_field: str
    message_ids_field: str

    def user(self, person: Person) -> Json:
        """The user that ``auth/validate`` names."""

    def member(self, person: Person) -> Json:
        """A member of a chat."""

    def author(self, person: Person) -> Json:
        """The ``user`` of a MessageResponse."""

    def error(self, text: str, details: Mapping[str, str] | None) -> Json:
        """What a public endpoint says no with."""

    def confirmation(self, text: str, chat_ids: Collection[ChatId]) -> Json:
        """What a reaction or a read receipt is answered with."""


class Guide:
    """As the integration guide has it."""

    chat_id_field = "chatId"
    text_field = "text"
    reply_to_id_field = "replyToId"
    attachment_ids_field = "attachmentIds"
    message_ids_field = "messageIds"

    def user(self, person: Person) -> Json:
        """``id``, ``name``, ``phone``, ``active``."""
        return {
            "id": person.user_id,
            "name": person.name,
            "phone": person.phone,
            "active": person.active,
        }

    def member(self, person: Person) -> Json:
        """``user_id`` and ``name``."""
        return {"user_id": person.user_id, "name": person.name}

    def author(self, person: Person) -> Json:
        """``id`` and ``name``."""
        return {"id": person.user_id, "name": person.name}

    def error(self, text: str, details: Mapping[str, str] | None) -> Json:
        """``error``, like the internal endpoints."""
        return internal_error(text, details)

    def confirmation(self, text: str, chat_ids: Collection[ChatId]) -> Json:
        """Carries ``chat_id`` as well, where all the messages are of one chat."""
        answer: Json = {"success": True, "message": text}
        if len(chat_ids) == 1:
            (answer["chat_id"],) = chat_ids
        return answer


class Symfony:
    """As the customer's real backend has it."""

    chat_id_field = "chat_id"
    text_field = "content"
    reply_to_id_field = "reply_to_id"
    attachment_ids_field = "attachment_ids"
    message_ids_field = "message_ids"

    def user(self, person: Person) -> Json:
        """One shape for a person everywhere, without ``user_id`` and without ``name``."""
        return {
            "id": person.user_id,
            "email": person.email,
            "phone": person.phone,
            "first_name": person.first_name,
            "last_name": person.last_name,
            "full_name": person.name,
            "roles": ["ROLE_USER"],
            "is_active": person.active,
        }

    def member(self, person: Person) -> Json:
        """The one shape."""
        return self.user(person)

    def author(self, person: Person) -> Json:
        """The one shape."""
        return self.user(person)

    def error(self, text: str, details: Mapping[str, str] | None) -> Json:
        """``message``, where the internal endpoints say ``error``."""
        return {"message": text} if details is None else {"message": text, "details": details}

    def confirmation(self, text: str, chat_ids: Collection[ChatId]) -> Json:
        """Does not tell the chat: whoever asks must know it from elsewhere."""
        del chat_ids
        return {"success": True, "message": text}


def dialect_of(name: DialectName) -> Dialect:
    """The dialect of this name."""
    return Guide() if name == "guide" else Symfony()


def internal_error(text: str, details: Mapping[str, str] | None) -> Json:
    """What an internal endpoint says no with, in either dialect."""
    return {"error": text} if details is None else {"error": text, "details": details}


def message_response(dialect: Dialect, message: Message) -> Json:
    """A MessageResponse. Nobody is mentioned and nothing is edited in the demo."""
    return {
        "id": message.message_id,
        "chat_id": message.chat_id,
        "user": dialect.author(message.author),
        "type": "text",
        "text": message.text,
        "reply_to": None if message.reply_to is None else _quote(message.reply_to),
        "attachments": [_attachment(attachment) for attachment in message.attachments],
        "reactions": [
            {
                "emoji": reaction.emoji,
                "count": len(reaction.people),
                "users": [named(person) for person in reaction.people],
            }
            for reaction in message.reactions
        ],
        "read_count": message.read_count,
        "mentions": None,
        "created_at": message.created_at,
        "edited_at": None,
        "is_edited": False,
    }


def named(person: Named) -> Json:
    """``id`` and ``name``: what reactions, quotes and direct chats show of a person."""
    return {"id": person.user_id, "name": person.name}


def _quote(quote: Quote) -> Json:
    return {
        "id": quote.message_id,
        "user": named(quote.author),
        "text": quote.text,
        "type": "text",
    }


def _attachment(attachment: Attachment) -> Json:
    url = f"{FILES_PATH}/{attachment.attachment_id}"
    return {
        "id": attachment.attachment_id,
        "file_url": url,
        "file_name": attachment.file_name,
        "file_size": attachment.file_size,
        "file_type": attachment.file_type,
        "thumbnail_url": url if attachment.file_type.startswith("image/") else None,
    }

"""What we write to the backend: the guide and the real Symfony name their fields differently.

Only the names differ, so a dialect is a table of names. Reading needs no dialect: see
``reading``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gogate_trio.protocol.commands import MarkRead, SendMessage

DialectName = Literal["guide", "symfony"]


@attrs.frozen
class Dialect:
    """The names of the fields of a request body."""

    chat_id: str
    text: str
    reply_to_id: str
    attachment_ids: str
    message_ids: str

    def message(self, command: SendMessage) -> dict[str, object]:
        """Return the body that stores a message; what the client left out stays out."""
        body: dict[str, object] = {self.chat_id: command.chat_id, self.text: command.text}
        if command.reply_to_id is not None:
            body[self.reply_to_id] = command.reply_to_id
        if command.attachment_ids:
            body[self.attachment_ids] = command.attachment_ids
        return body

    def receipt(self, command: MarkRead) -> dict[str, object]:
        """Return the body that marks messages as read."""
        return {self.message_ids: command.message_ids}


DIALECTS: Final[Mapping[DialectName, Dialect]] = {
    "guide": Dialect(
        chat_id="chatId",
        text="text",
        reply_to_id="replyToId",
        attachment_ids="attachmentIds",
        message_ids="messageIds",
    ),
    "symfony": Dialect(
        chat_id="chat_id",
        text="content",
        reply_to_id="reply_to_id",
        attachment_ids="attachment_ids",
        message_ids="message_ids",
    ),
}
"""By the value of ``BACKEND_DIALECT``."""

"""Which chat a message is in, as far as the traffic has shown it.

The backend's answer to a reaction or a read receipt does not say; so the chat of every
message that passes is remembered, the most recent ones only.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from gogate_trio.ids import ChatId, MessageId
from gogate_trio.limits import KNOWN_MESSAGES


class KnownMessages:
    """A bounded map from message to chat; the oldest entry goes first."""

    def __init__(self, capacity: int = KNOWN_MESSAGES) -> None:
        self._capacity = capacity
        self._chats: OrderedDict[MessageId, ChatId] = OrderedDict()

    def __len__(self) -> int:
        """Return how many messages are known."""
        return len(self._chats)

    def all(self) -> Iterator[tuple[MessageId, ChatId]]:
        """Yield what is known, the oldest first."""
        return iter(self._chats.items())

    def learn(self, message_id: MessageId, chat_id: ChatId) -> None:
        """Remember the chat of a message."""
        self._chats[message_id] = chat_id
        self._chats.move_to_end(message_id)
        if len(self._chats) > self._capacity:
            self._chats.popitem(last=False)

    def chat_of(self, message_id: MessageId) -> ChatId | None:
        """Return the chat of a message, or None when it is not known."""
        return self._chats.get(message_id)

    def by_chat(
        self, message_ids: Iterable[MessageId]
    ) -> dict[ChatId | None, tuple[MessageId, ...]]:
        """Group messages by their chat, unknown ones under None, each group in the given order."""
        groups: dict[ChatId | None, tuple[MessageId, ...]] = {}
        for message_id in message_ids:
            chat_id = self._chats.get(message_id)
            groups[chat_id] = (*groups.get(chat_id, ()), message_id)
        return groups

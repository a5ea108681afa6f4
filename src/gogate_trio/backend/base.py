"""The port to the REST backend: what the gateway asks of it, in its own words.

Promise of every implementation: each call ends within the deadline of the settings with
its answer or exactly one of

- ``BackendRejected``: the backend answered and said no;
- ``BackendUnavailable``: nothing was sent, or a call that changes nothing failed: safe to repeat
  (``BackendBusy`` when too many calls were waiting already);
- ``OutcomeUnknown``: the request left and no usable answer came: it may have happened.

Not promised: that a call cancelled by its caller did not happen. Callers therefore run
calls that change something outside the cancel scope of any client's connection.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gogate_trio.ids import ChatId, MessageId, UserId
    from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage


@attrs.frozen
class User:
    """Who a token belongs to, as ``auth/validate`` said."""

    user_id: UserId
    name: str
    phone: str
    """Empty when the backend names none."""
    active: bool


@attrs.frozen(eq=False)
class Members:
    """The members of one chat at one moment. Compared by identity: a new list is a new object."""

    chat_id: ChatId
    names: Mapping[UserId, str]
    """Every member's id and display name (empty when the backend names none)."""


@attrs.frozen
class StoredMessage:
    """A message the backend has stored."""

    body: bytes
    """The backend's JSON object, byte for byte: checked to be one JSON object in UTF-8."""
    message_id: MessageId | None
    chat_id: ChatId | None
    """Both read from ``body``; None where it does not carry them."""


@attrs.frozen
class Confirmation:
    """A reaction or a read receipt the backend has taken."""

    chat_id: ChatId | None
    """The chat of the message(s), where the answer carries it."""


class Backend(Protocol):
    """What the router may ask of the backend. Tokens are the user's own JWT.

    ``key`` names a call that changes something (``Idempotency-Key``): a backend that knows
    the header does what it names once.
    """

    async def validate(self, token: str) -> User:
        """Whose token this is. ``BackendRejected`` (401, 403) when it is nobody's."""

    async def members(self, chat_id: ChatId) -> Members:
        """Who is in the chat, asked afresh (the cache is ``backend.membership``)."""

    async def send_message(
        self, token: str, command: SendMessage, *, key: str | None = None
    ) -> StoredMessage:
        """Store a message in the name of the token's user."""

    async def add_reaction(
        self, token: str, command: AddReaction, *, key: str | None = None
    ) -> Confirmation:
        """Add a reaction in the name of the token's user."""

    async def mark_read(
        self, token: str, command: MarkRead, *, key: str | None = None
    ) -> Confirmation:
        """Mark messages as read in the name of the token's user."""

"""Publish: an event of the backend's own, told to users or to a chat."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from gogate_trio.broker.base import Publication
from gogate_trio.errors import BackendError
from gogate_trio.ids import MAX_ID, MessageId, UserId
from gogate_trio.internal.api.asked import UNREADABLE, Asked
from gogate_trio.internal.api.problems import (
    BACKEND_UNAVAILABLE,
    CHAT_NOT_FOUND,
    INVALID_BODY,
    Refused,
)
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.shapes import Publish, Published
from gogate_trio.protocol.codec import encode_told
from gogate_trio.protocol.events import OWN_EVENTS, NewMessage

_NAME: Final = re.compile(r"[a-z_]+")
"""``$`` in the schema's pattern would let a line break pass."""


async def publish(rooms: Rooms, asked: Asked) -> Published:
    """Tell an event; returns when its place in the stream is settled."""
    wish = asked.read_body(Publish)
    data = _read_data(wish)
    chat_id = None if wish.chat_id is msgspec.UNSET else wish.chat_id
    audience = await _audience(rooms, wish)
    publication = Publication(
        encode_told(wish.event, bytes(wish.data)),
        audience,
        is_durable=not wish.ephemeral,
        except_user=None if wish.except_user is msgspec.UNSET else wish.except_user,
        chat_id=chat_id,
        key=asked.key and f"api:{asked.key}",
        trace=asked.trace,
        message_id=_message_id(wish, data),
    )
    if wish.ephemeral:
        rooms.broker.publish_ephemeral(publication)
        return Published(len(audience), duplicate=False)
    is_new = await rooms.broker.publish(publication)
    if chat_id is not None and publication.message_id is not None:
        # It was sent over REST: somebody will react to it.
        rooms.messages.learn(publication.message_id, chat_id)
    return Published(len(audience), duplicate=not is_new)


def _read_data(wish: Publish) -> Mapping[str, object]:
    """Check what the schema alone does not: the name to its end, the data to its depth."""
    if wish.event in OWN_EVENTS or not _NAME.fullmatch(wish.event):
        raise Refused(INVALID_BODY, field="$.event", expected="a name that is not the gateway's")
    if (wish.users is msgspec.UNSET) == (wish.chat_id is msgspec.UNSET):
        raise Refused(INVALID_BODY, field="$", expected="either users or chat_id")
    try:
        data = msgspec.json.decode(wish.data)
    except UNREADABLE:
        raise Refused(INVALID_BODY, field="$.data", expected="readable JSON") from None
    if not isinstance(data, dict):
        raise Refused(INVALID_BODY, field="$.data", expected="Expected `object`")
    return data


async def _audience(rooms: Rooms, wish: Publish) -> Mapping[UserId, str]:
    if wish.chat_id is msgspec.UNSET:
        return dict.fromkeys(wish.users or (), "")
    if rooms.publisher.is_behind(wish.chat_id):
        raise Refused(BACKEND_UNAVAILABLE)
    try:
        return (await rooms.membership.get(wish.chat_id)).names
    except BackendError as error:
        raise Refused(CHAT_NOT_FOUND if error.is_gone else BACKEND_UNAVAILABLE) from None


def _message_id(wish: Publish, data: Mapping[str, object]) -> MessageId | None:
    """Return which message is told of, where it is one that the backend has numbered."""
    number = data.get("id")
    if wish.event != NewMessage.NAME or not isinstance(number, int) or number is True:
        return None
    return MessageId(number) if 1 <= number <= MAX_ID else None

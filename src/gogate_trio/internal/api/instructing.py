"""What every node is told to do: hang up on a user, doubt their tokens, forget a chat's members."""

from __future__ import annotations

from gogate_trio.broker.base import Disconnect, ForgetMembers, Revalidate
from gogate_trio.ids import ChatId, UserId
from gogate_trio.internal.api import shapes
from gogate_trio.internal.api.asked import Asked
from gogate_trio.internal.api.problems import INVALID_BODY, Refused
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.shapes import Accepted
from gogate_trio.log import get_logger
from gogate_trio.protocol.close import is_legal

_log = get_logger(__name__)


async def disconnect(rooms: Rooms, asked: Asked) -> Accepted:
    """Hang up on all connections of a user."""
    user_id = UserId(asked.ids["user_id"])
    how = asked.read_body(shapes.Disconnect) if asked.body else shapes.Disconnect()
    if not is_legal(how.code) or how.code in _NOT_OURS:
        raise Refused(INVALID_BODY, field="$.code", expected="a close code a server may send")
    if not how.reason.isprintable():
        raise Refused(INVALID_BODY, field="$.reason", expected="visible ASCII")
    await rooms.broker.instruct(Disconnect(user_id, how.code, how.reason))
    _log.info("told_to_disconnect", user=user_id, code=how.code)
    return Accepted()


async def revalidate(rooms: Rooms, asked: Asked) -> Accepted:
    """Have the backend asked at once whether a user's tokens are still good."""
    user_id = UserId(asked.ids["user_id"])
    await rooms.broker.instruct(Revalidate(user_id))
    _log.info("told_to_revalidate", user=user_id)
    return Accepted()


async def invalidate(rooms: Rooms, asked: Asked) -> Accepted:
    """Forget who is in a chat: somebody joined or left."""
    await rooms.broker.instruct(ForgetMembers(ChatId(asked.ids["chat_id"])))
    return Accepted()


_NOT_OURS = frozenset({1002, 1003, 1007, 1009, 1010, 1011})
"""Codes that blame the client's frames, its extensions, or a bug of ours."""

"""What goes in and out of the internal API, as JSON. The OpenAPI document is made of these."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from gogate_trio.ids import MAX_ID, ChatId, ConnectionId, UserId
from gogate_trio.limits import API_PAGE, API_USERS
from gogate_trio.protocol.events import OWN_EVENTS

AUDIENCES: Final = {"oneOf": [{"required": ["users"]}, {"required": ["chat_id"]}]}
"""What is true of ``Publish`` beside its fields."""
_CODES: Final = {
    "anyOf": [{"enum": [1000, 1001, 1008, 1012, 1013]}, {"minimum": 3000, "maximum": 4999}]
}

User = Annotated[UserId, Meta(ge=1, le=MAX_ID)]
Chat = Annotated[ChatId, Meta(ge=1, le=MAX_ID)]
EventName = Annotated[
    str,
    Meta(
        pattern="^[a-z_]{1,64}$",
        description="Any name but those that only the gateway says.",
        extra_json_schema={"not": {"enum": sorted(OWN_EVENTS)}},
    ),
]
EventData = Annotated[
    msgspec.Raw,
    Meta(
        description="The event's data, passed on byte for byte.",
        extra_json_schema={"type": "object"},
    ),
]
CloseCode = Annotated[
    int,
    Meta(
        ge=1000,
        le=4999,
        description="The close code: 1000, 1001, 1008, 1012, 1013 or 3000 to 4999. GoGate's own"
        ' 4000 to 4499 mean "do reconnect", 4500 to 4999 "not as you are".',
        extra_json_schema=_CODES,
    ),
]
CloseReason = Annotated[
    str,
    Meta(
        pattern="^[ -~]{1,123}$",
        description="The reason in the close frame: visible ASCII.",
    ),
]


class In(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What comes in: fields that are not known are refused, for they are misspelt."""


class Publish(In, frozen=True, kw_only=True):
    """An event, and who shall hear it: these users, or the members of a chat."""

    event: EventName
    data: EventData
    users: Annotated[list[User], Meta(min_length=1, max_length=API_USERS)] | UnsetType = UNSET
    chat_id: Chat | UnsetType = UNSET
    except_user: (
        Annotated[User, Meta(description="Whose connections are left out.")] | UnsetType
    ) = UNSET
    ephemeral: Annotated[
        bool,
        Meta(
            description="Whether it may be missed, as typing may: not told to who falls behind,"
            " not kept for who comes back."
        ),
    ] = False


class Disconnect(In, frozen=True, kw_only=True):
    """How to hang up."""

    code: CloseCode = 1008
    reason: CloseReason = "disconnected"


class ConnectionsQuery(In, frozen=True, kw_only=True):
    """Which connections."""

    user_id: Annotated[User, Meta(description="Only those of this user.")] | UnsetType = UNSET
    after: Annotated[int, Meta(ge=0, le=MAX_ID, description="Only those with a higher number.")] = 0
    limit: Annotated[int, Meta(ge=1, le=API_PAGE, description="How many at most.")] = 100


class PresenceQuery(In, frozen=True, kw_only=True):
    """Which chat."""

    chat_id: Chat


class Nothing(In, frozen=True, kw_only=True):
    """No parameters."""


# ── what goes out ────────────────────────────────────────────────────────────


class Published(msgspec.Struct, frozen=True):
    """It is on its way to everybody in the audience who is connected."""

    audience: Annotated[int, Meta(ge=0, description="Users it is for, connected or not.")]
    duplicate: Annotated[
        bool,
        Meta(description="Whether its Idempotency-Key was used before: it is not told again."),
    ]


class Accepted(msgspec.Struct, frozen=True):
    """Every node does it."""

    accepted: Literal[True] = True


class Draining(msgspec.Struct, frozen=True):
    """The node drains."""

    node: Annotated[str, Meta(description="Its name.")]
    pid: Annotated[int, Meta(ge=1, description="Its process.")]
    connections: Annotated[int, Meta(ge=0, description="Clients that are still here.")]
    timeout: Annotated[float, Meta(ge=0, description="Seconds after which it ends in any case.")]


class ConnectionShown(msgspec.Struct, frozen=True):
    """One connection."""

    number: Annotated[ConnectionId, Meta(description="Its name in the log of this node.")]
    user_id: UserId | None
    name: str | None
    address: str
    since: datetime
    state: Literal["authenticated", "unauthenticated", "leaving"]
    waiting_frames: Annotated[int, Meta(description="Frames that wait for it.")]
    waiting_bytes: int
    resumes: Annotated[bool, Meta(description="Whether it has a session.")]


class Elsewhere(msgspec.Struct, frozen=True):
    """Connections of another node, which shows them when it is asked."""

    node: str
    id: str
    connections: int


class Connections(msgspec.Struct, frozen=True):
    """Connections of the node that was asked, by number."""

    node: str
    total: Annotated[int, Meta(description="All there are on this node.")]
    connections: list[ConnectionShown]
    next: Annotated[
        int | None, Meta(description="What `after` must be for the next page; null: no more.")
    ]
    elsewhere: Annotated[
        list[Elsewhere] | None,
        Meta(
            description="Which other nodes have connections, of the user if one is named, and how"
            " many. null: Redis is away, so nobody knows."
        ),
    ]


class NodeShown(msgspec.Struct, frozen=True):
    """One node."""

    id: str
    name: str
    version: str
    started: datetime
    connections: int
    users: int
    state: Annotated[str, Meta(description="starting, serving or draining.")]
    here: Annotated[bool, Meta(description="Whether it is the node that was asked.")]


class Nodes(msgspec.Struct, frozen=True):
    """All nodes, this one first."""

    nodes: list[NodeShown]


class PresenceShown(msgspec.Struct, frozen=True):
    """Who of a chat is connected, to whatever node."""

    chat_id: ChatId
    online: list[UserId]

"""The settings of what a client is told beside what happens: what it missed, who is online."""

# setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

import attrs

from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Duration, Switch, Whole


@attrs.frozen(kw_only=True)
class ResumeSettings:
    """What is kept for clients that come back."""

    window: float = setting(
        "RESUME_WINDOW",
        Duration(0.0, 86_400.0),
        default=300.0,
        help="How long a client may be away and still be told exactly what it missed. Later it is"
        " told to fetch everything anew.",
    )
    events: int = setting(
        "RESUME_EVENTS",
        Whole(0, 1_000_000),
        default=10_000,
        help="How many events are kept for that; a node also keeps at most 64 MiB of them.",
    )


@attrs.frozen(kw_only=True)
class PresenceSettings:
    """Who is online, for clients that ask."""

    on: bool = setting(
        "PRESENCE",
        Switch(),
        default=False,
        help="Whether clients that ask are told who of a chat is online. All gateways of a chat"
        " must say the same.",
    )
    members: int = setting(
        "PRESENCE_MEMBERS",
        Whole(1, 1000),
        default=200,
        help="How many members a chat may have whose presence is told: each change is told to each"
        " of them, and a list of hundreds is read by nobody. Over it: error `CHAT_TOO_BIG`.",
    )

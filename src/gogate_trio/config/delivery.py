"""The settings of what a client that was away is brought up to date with."""

# setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

import attrs

from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Duration, Whole


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

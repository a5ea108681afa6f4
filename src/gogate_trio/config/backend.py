"""The settings of the way to the REST backend."""

# ruff: noqa: RUF009  # setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

from typing import Final, Literal

import attrs

from gogate_trio.config.addresses import BaseUrl
from gogate_trio.config.declare import required, setting
from gogate_trio.config.kinds import Choice, Duration, FileName, Whole
from gogate_trio.config.secret import Key, Secret

Dialect = Literal["guide", "symfony"]
Transport = Literal["h11", "httpx"]

_SHORTEST: Final = 0.001
"""seconds. Less than a turn of the event loop means nothing."""
_HOUR: Final = 3600.0


@attrs.frozen(kw_only=True)
class BackendSettings:
    """The REST backend behind the gateway."""

    url: str = setting(
        "BACKEND_API_URL",
        BaseUrl(),
        default="http://localhost:8000",
        help="Where the backend's API lives. A path is put before every call.",
    )
    internal_api_key: Secret = required(
        "INTERNAL_API_KEY",
        Key(),
        example="your_secure_random_key_here",
        help="The key for the backend's internal endpoints. It must equal the backend's own.",
    )
    internal_api_key_file: str = setting(
        "INTERNAL_API_KEY_FILE",
        FileName(),
        default="",
        help="A file that holds that key, in place of INTERNAL_API_KEY. When neither is set, the"
        " systemd credential internal_api_key serves, if there is one.",
    )
    dialect: Dialect = setting(
        "BACKEND_DIALECT",
        Choice[Dialect](("guide", "symfony")),
        default="guide",
        help="What the backend wants to be sent: the integration guide's names, or the Symfony"
        " backend's. Answers are understood in both.",
    )
    timeout: float = setting(
        "BACKEND_TIMEOUT",
        Duration(_SHORTEST, _HOUR),
        default=10.0,
        help="How long one call may take, all in all. The Go program's figure.",
    )
    max_calls: int = setting(
        "BACKEND_MAX_CALLS",
        Whole(1, 10_000),
        default=64,
        help="How many calls may be under way at once; more wait for their turn. Set it to what"
        " the backend has workers for.",
    )
    queue: int = setting(
        "BACKEND_QUEUE",
        Whole(0, 1_000_000),
        default=1000,
        help="How many calls may wait for their turn; the next is refused with BUSY. With 64 at"
        " once and 50 ms a call, 1000 wait 0.8 s.",
    )
    transport: Transport = setting(
        "BACKEND_TRANSPORT",
        Choice[Transport](("h11", "httpx")),
        default="h11",
        help="What carries the calls: GoGate's own connections, or httpx's, which cost several"
        " times the CPU and take whatever a backend sends unasked for the answer to the next call."
        " To rule one out when something is odd.",
    )

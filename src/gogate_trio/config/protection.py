"""The settings that keep the gateway standing: who may come in, from where, how often."""

# ruff: noqa: RUF009  # setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

from typing import Final, Literal

import attrs

from gogate_trio.config.allowances import (
    Network,
    NetworkKind,
    OrAuto,
    OriginKind,
    RateKind,
)
from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Choice, Several, Switch, Whole
from gogate_trio.protocol.origins import OriginRule
from gogate_trio.state.ratelimit import Rate

UserPolicy = Literal["newest", "oldest"]

_MANY: Final = 1_000_000


@attrs.frozen(kw_only=True)
class AdmissionSettings:
    """How many connections may be open, and from whom."""

    total: int | None = setting(
        "MAX_CONNECTIONS",
        OrAuto(Whole(1, _MANY)),
        default=None,
        help="How many connections may be open at once. auto: what the limit on open files"
        " (RLIMIT_NOFILE, raised to its hard value) leaves after 256 kept in reserve. A connection"
        " costs about 25 kB of memory. Over it: 503.",
    )
    unauthenticated: int | None = setting(
        "MAX_UNAUTHENTICATED",
        OrAuto(Whole(1, _MANY)),
        default=None,
        help="How many of these may be without a user: still in the handshake or before auth."
        " auto: half of MAX_CONNECTIONS. Over it: 503.",
    )
    per_address: int | None = setting(
        "MAX_CONNECTIONS_PER_IP",
        OrAuto(Whole(0, _MANY)),
        default=None,
        help="How many connections one address may have; an IPv6 address counts with its /64."
        " auto: 512, and addresses of this machine are not counted. 0: no limit. Over it: 503."
        " Behind a proxy set TRUSTED_PROXIES.",
    )
    per_user: int = setting(
        "MAX_CONNECTIONS_PER_USER",
        Whole(0, 100_000),
        default=16,
        help="How many connections one user may have: tabs and devices. 0: no limit. Over it: close"
        " code 4509.",
    )
    user_policy: UserPolicy = setting(
        "USER_CONNECTIONS_KEEP",
        Choice[UserPolicy](("newest", "oldest")),
        default="newest",
        help="Which connections of a user over the limit stay: the newest (the oldest is closed) or"
        " the oldest (the newest is refused).",
    )
    handshakes: Rate | None = setting(
        "RATE_HANDSHAKES",
        RateKind(),
        default=Rate(50.0, 500),
        help="How often one address may connect. Counted as MAX_CONNECTIONS_PER_IP counts. Over"
        " it: 503.",
    )
    trusted_proxies: tuple[Network, ...] = setting(
        "TRUSTED_PROXIES",
        Several[Network](NetworkKind()),
        default=(),
        help="Addresses of the proxies in front, whose X-Forwarded-For is believed. Nobody else's"
        " is.",
    )


@attrs.frozen(kw_only=True)
class OriginSettings:
    """Which web pages may connect."""

    allowed: tuple[OriginRule | str, ...] = setting(
        "ALLOWED_ORIGINS",
        Several[OriginRule | str](OriginKind()),
        default=(),
        help="Which pages may connect. Unset: those whose host is the host the gateway was reached"
        " under, on any port. *: all, also hostile ones. Others get 403.",
    )
    missing: bool = setting(
        "ALLOW_MISSING_ORIGIN",
        Switch(),
        default=True,
        help="Whether a client that names no origin may connect: no browser, but an app or wscat.",
    )


@attrs.frozen(kw_only=True)
class RateSettings:
    """How often a client may ask. Over it: an error with retry_after_ms; for ever over it: 4429."""

    messages: Rate | None = setting(
        "RATE_MESSAGES",
        RateKind(),
        default=Rate(100.0, 200),
        help="How many messages a user may send, over all connections. Nobody types 100 a second;"
        " a script that pastes may.",
    )
    typing: Rate | None = setting(
        "RATE_TYPING",
        RateKind(),
        default=Rate(10.0, 20),
        help="How many typing events of a user are passed on. More are merged: the latest one goes"
        " out when there is room.",
    )
    reactions: Rate | None = setting(
        "RATE_REACTIONS",
        RateKind(),
        default=Rate(20.0, 40),
        help="How many reactions a user may add.",
    )
    reads: Rate | None = setting(
        "RATE_READS",
        RateKind(),
        default=Rate(20.0, 40),
        help="How many read marks a user may set. Each covers up to 100 messages.",
    )
    auth: Rate | None = setting(
        "RATE_AUTH",
        RateKind(),
        default=Rate(1.0, 5),
        help="How often a connection may authenticate: each is a call to the backend.",
    )
    control: Rate | None = setting(
        "RATE_CONTROL",
        RateKind(),
        default=Rate(20.0, 100),
        help="How many pings and pongs a connection may send. More pings are not answered.",
    )

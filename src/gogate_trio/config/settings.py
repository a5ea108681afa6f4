"""The settings, their defaults and the reason of each.

To add one, add one attribute: a name, a kind with its bounds, a default, a help text.
Names and defaults that the Go program had are kept (the contract, section 4).
"""

# ruff: noqa: RUF009  # setting() and group() return attrs fields, as attrs.field() does
from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

import attrs

from gogate_trio.config.addresses import Host
from gogate_trio.config.allowances import OrAuto
from gogate_trio.config.backend import BackendSettings
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.declare import Source, build, entries, group, setting
from gogate_trio.config.delivery import PresenceSettings, ResumeSettings
from gogate_trio.config.internal import InternalSettings
from gogate_trio.config.keyfile import KeyFile
from gogate_trio.config.kinds import Choice, Duration, FileName, Switch, Whole
from gogate_trio.config.load import Apart, Order, Together, load
from gogate_trio.config.protection import AdmissionSettings, OriginSettings, RateSettings
from gogate_trio.config.secret import Secret
from gogate_trio.config.tokens import AuthSettings
from gogate_trio.config.tracing import TracingSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

LogLevel = Literal["debug", "info", "warning", "error"]
LogFormat = Literal["auto", "pretty", "json", "journald"]

_SHORTEST: Final = 0.001
"""seconds. Less than a turn of the event loop means nothing."""
_HOUR: Final = 3600.0
_MEBIBYTE: Final = 1024 * 1024


@attrs.frozen(kw_only=True)
class ListenSettings:
    """Where the gateway listens."""

    host: str = setting(
        "HOST",
        Host(),
        default="",
        help="The address to listen on. Empty: every interface, IPv4 and IPv6.",
    )
    port: int = setting(
        "PORT",
        Whole(0, 65535),
        default=8080,
        help="The TCP port of the WebSocket and of /health. 0 takes any free one.",
    )
    reuse_port: bool = setting(
        "REUSE_PORT",
        Switch(),
        default=False,
        help="Whether further gateways of the same user may listen on the same port"
        " (SO_REUSEPORT); the kernel spreads new connections over them. What systemd has opened"
        " already is its own affair.",
    )


@attrs.frozen(kw_only=True)
class TlsSettings:
    """TLS on the same port: https:// and wss:// in place of http:// and ws://."""

    cert: str = setting(
        "TLS_CERT",
        FileName(),
        default="",
        help="The PEM file of the certificate with its chain. Set, the port speaks TLS and nothing"
        " else. The files are read again when they change, and on SIGHUP.",
    )
    key: str = setting(
        "TLS_KEY",
        FileName(),
        default="",
        help="The PEM file of the certificate's private key, not encrypted.",
    )


@attrs.frozen(kw_only=True)
class WebSocketSettings:
    """The connections of the clients."""

    max_message_size: int = setting(
        "MAX_MESSAGE_SIZE",
        Whole(1024, 64 * _MEBIBYTE),
        default=512_000,
        help="The largest message a client may send, in bytes.",
    )
    read_buffer_size: int = setting(
        "READ_BUFFER_SIZE",
        Whole(128, _MEBIBYTE),
        default=1024,
        help="How many bytes are taken from a connection in one read. A chat message fits into"
        " the default; raise it when clients send much.",
    )
    write_buffer_size: int = setting(
        "WRITE_BUFFER_SIZE",
        Whole(128, _MEBIBYTE),
        default=1024,
        help="Up to how many bytes the events that wait for a client who has fallen behind are"
        " joined into one write.",
    )
    ping_period: float = setting(
        "PING_PERIOD",
        Duration(_SHORTEST, _HOUR),
        default=54.0,
        help="How often a silent client is asked whether it is still there. Below the 60 s after"
        " which common proxies cut a silent connection.",
    )
    pong_wait: float = setting(
        "PONG_WAIT",
        Duration(_SHORTEST, _HOUR),
        default=60.0,
        help="How long a client may be silent before it is hung up.",
    )
    write_wait: float = setting(
        "WRITE_WAIT",
        Duration(_SHORTEST, _HOUR),
        default=10.0,
        help="How long a write may wait for a client before it is hung up.",
    )
    auth_timeout: float = setting(
        "AUTH_TIMEOUT",
        Duration(_SHORTEST, _HOUR),
        default=10.0,
        help="How long a new connection has to authenticate. A backend call must fit in.",
    )


@attrs.frozen(kw_only=True)
class MembershipSettings:
    """What is remembered of who is in which chat."""

    ttl: float = setting(
        "MEMBERSHIP_TTL",
        Duration(0.0, _HOUR),
        default=10.0,
        help="How long a chat's member list is taken from memory before the backend is asked"
        " again. As long may somebody who left a chat still hear it. 0 asks every time.",
    )
    stale: float = setting(
        "MEMBERSHIP_STALE",
        Duration(0.0, 24 * _HOUR),
        default=60.0,
        help="How old a member list may be that serves when the backend cannot be asked. A"
        " stored message then still reaches the chat.",
    )


@attrs.frozen(kw_only=True)
class DrainSettings:
    """The end of the process."""

    timeout: float = setting(
        "DRAIN_TIMEOUT",
        Duration(0.0, _HOUR),
        default=20.0,
        help="How long SIGTERM waits for calls under way and for the clients' goodbyes. Below"
        " the 30 s after which Kubernetes kills, above BACKEND_TIMEOUT.",
    )
    spread: float | None = setting(
        "DRAIN_SPREAD",
        OrAuto(Duration(0.0, _HOUR)),
        default=None,
        help="Over how long the clients are then hung up on, one after the other, so that they do"
        " not come back all at once. auto: 500 clients a second, 10 s at most. It shrinks when"
        " DRAIN_TIMEOUT leaves less.",
    )


@attrs.frozen(kw_only=True)
class StateSettings:
    """What is left on disk for the next process."""

    folder: str = setting(
        "STATE_DIR",
        FileName(),
        default="",
        help="The directory in which a drained node that is alone leaves its window and sessions,"
        " message texts among them, to the next process: so its clients resume after a restart."
        " Unset: systemd's StateDirectory=, if the unit has one. Empty: off.",
    )


@attrs.frozen(kw_only=True)
class LogSettings:
    """The log on standard error."""

    level: LogLevel = setting(
        "LOG_LEVEL",
        Choice[LogLevel](("debug", "info", "warning", "error")),
        default="info",
        help="The least severe event that is logged.",
    )
    format: LogFormat = setting(
        "LOG_FORMAT",
        Choice[LogFormat](("auto", "pretty", "json", "journald")),
        default="auto",
        help="How an event is written: for people, as one JSON object a line, or with its fields"
        " into systemd's journal. auto: pretty on a terminal, journald under systemd, else JSON.",
    )


ORDERS: Final = (
    Order(
        smaller="PING_PERIOD",
        larger="PONG_WAIT",
        may_be_equal=False,
        reason="a silent client would be hung up before it was asked",
    ),
    Order(
        smaller="MEMBERSHIP_TTL",
        larger="MEMBERSHIP_STALE",
        may_be_equal=True,
        reason="a list that is still fresh would be too old to serve",
    ),
    Order(
        smaller="DRAIN_SPREAD",
        larger="DRAIN_TIMEOUT",
        may_be_equal=False,
        reason="there would be no time left for the last goodbyes",
    ),
)
"""What must hold between two settings."""

PAIRS: Final = (
    Together(
        names=("TLS_CERT", "TLS_KEY"),
        reason="a certificate is of no use without its key, nor the key without it",
    ),
    Apart(
        name="AUTH_COOKIE",
        other="ALLOWED_ORIGINS",
        item="*",
        reason="any page on the web could chat as whoever looks at it",
    ),
)
"""What is given together or not at all, and what is never given together."""

KEY_FILES: Final = (
    KeyFile(
        secret="INTERNAL_API_KEY",  # noqa: S106  # its name
        setting="INTERNAL_API_KEY_FILE",
        credential="internal_api_key",
    ),
    KeyFile(secret="REDIS_URL", setting="REDIS_URL_FILE", credential="redis_url"),  # noqa: S106  # its name
)
"""Secrets that may stand in a file."""

HANDED_OVER: Final = {"STATE_DIR": "STATE_DIRECTORY"}
"""Settings for which a variable of systemd's serves when they are not set."""


@attrs.frozen(kw_only=True)
class Settings:
    """Everything an operator can change. ``backend`` has a required setting, the rest defaults."""

    listen: ListenSettings = group(ListenSettings)
    tls: TlsSettings = group(TlsSettings)
    backend: BackendSettings = group(BackendSettings)
    websocket: WebSocketSettings = group(WebSocketSettings)
    auth: AuthSettings = group(AuthSettings)
    admission: AdmissionSettings = group(AdmissionSettings)
    origins: OriginSettings = group(OriginSettings)
    rates: RateSettings = group(RateSettings)
    membership: MembershipSettings = group(MembershipSettings)
    resume: ResumeSettings = group(ResumeSettings)
    cluster: ClusterSettings = group(ClusterSettings)
    presence: PresenceSettings = group(PresenceSettings)
    internal: InternalSettings = group(InternalSettings)
    drain: DrainSettings = group(DrainSettings)
    state: StateSettings = group(StateSettings)
    log: LogSettings = group(LogSettings)
    tracing: TracingSettings = group(TracingSettings)

    @property
    def internal_api_keys(self) -> tuple[Secret, ...]:
        """The keys that the internal API takes."""
        return self.internal.tokens or (self.backend.internal_api_key,)

    sources: Mapping[str, Source] = attrs.field(factory=dict, eq=False, repr=False)
    """Where each value came from, by variable; empty when no operator was involved."""

    @classmethod
    def load(cls, environ: Mapping[str, str], dotenv: Path | None) -> Settings:
        """Read all settings, the environment over the file over the defaults.

        Raises:
            ConfigError: with every mistake there is.
        """
        loaded = load(
            entries(cls),
            (*ORDERS, *PAIRS),
            environ=environ,
            dotenv=dotenv,
            key_files=KEY_FILES,
            handed_over=HANDED_OVER,
        )
        return build(cls, loaded.values, sources=loaded.sources)

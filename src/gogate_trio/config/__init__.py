"""The settings: what an operator can change, where it came from, and what is wrong with it.

- ``settings``: the tree of settings itself, one line of code per setting.
- ``backend``: the part of the tree about the way to the backend.
- ``protection``: the part of the tree that keeps the gateway standing.
- ``tokens``: the part about who a client is, and for how long.
- ``cluster``: the part about Redis and the other nodes; ``redis``: its address.
- ``internal``: the part about the port for the operator's machines.
- ``tracing``: the part about the traces.
- ``declare``: how such a line is written, and how the tree is walked.
- ``kinds``, ``addresses``, ``allowances``, ``secret``: from an operator's text to a checked
  value and back.
- ``load``: environment over ``.env`` over default; every mistake in one go.
- ``dotenv``: the ``.env`` file; ``keyfile``: a secret in a file of its own.
- ``change``: what differs between two trees, for a reload.
- ``spelling``: which name was meant; ``problems``: what is said.
- ``printing``: ``.env.example``, the table for the docs, the effective settings.

Nothing else in the program reads the environment. Nothing here logs.
"""

from gogate_trio.config.backend import BackendSettings, Dialect, Transport
from gogate_trio.config.change import differences, with_values_of
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.declare import Source
from gogate_trio.config.delivery import PresenceSettings, ResumeSettings
from gogate_trio.config.internal import InternalSettings
from gogate_trio.config.printing import (
    EffectiveSetting,
    effective_settings,
    env_example,
    settings_table,
    with_settings_table,
)
from gogate_trio.config.problems import ConfigError, Problem
from gogate_trio.config.protection import AdmissionSettings, OriginSettings, RateSettings
from gogate_trio.config.redis import RedisAddress
from gogate_trio.config.secret import Secret
from gogate_trio.config.settings import (
    DrainSettings,
    ListenSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    MembershipSettings,
    Settings,
    StateSettings,
    TlsSettings,
    WebSocketSettings,
)
from gogate_trio.config.tokens import AuthSettings
from gogate_trio.config.tracing import TracingSettings

__all__ = [
    "AdmissionSettings",
    "AuthSettings",
    "BackendSettings",
    "ClusterSettings",
    "ConfigError",
    "Dialect",
    "DrainSettings",
    "EffectiveSetting",
    "InternalSettings",
    "ListenSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "MembershipSettings",
    "OriginSettings",
    "PresenceSettings",
    "Problem",
    "RateSettings",
    "RedisAddress",
    "ResumeSettings",
    "Secret",
    "Settings",
    "Source",
    "StateSettings",
    "TlsSettings",
    "TracingSettings",
    "Transport",
    "WebSocketSettings",
    "differences",
    "effective_settings",
    "env_example",
    "settings_table",
    "with_settings_table",
    "with_values_of",
]

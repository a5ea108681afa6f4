"""The settings of a gateway of several nodes."""

# ruff: noqa: RUF009  # setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

import re
import socket
from typing import ClassVar, Final

import attrs

from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Duration, FileName
from gogate_trio.config.problems import Unusable, quote
from gogate_trio.config.redis import RedisAddress, RedisUrl

_NAME_CHARACTERS: Final = 64
_WORD: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")


@attrs.frozen
class Word:
    """A name of letters, digits, dots, underscores and dashes."""

    bounds: ClassVar[str] = "1 to 64 letters, digits, . _ -"
    may_be_empty: bool = False

    def parse(self, text: str) -> str:
        """The name as written."""
        if not _WORD.fullmatch(text) and not (self.may_be_empty and not text):
            raise Unusable(f"{quote(text)} is not a name of {self.bounds}")
        return text

    def show(self, value: str) -> str:
        """The name."""
        return value


@attrs.frozen(kw_only=True)
class ClusterSettings:
    """Several gateways that are one to their clients, joined by Redis."""

    redis: RedisAddress | None = setting(
        "REDIS_URL",
        RedisUrl(),
        default=None,
        help="The Redis (6.2 or later) or Valkey that joins all gateways of a chat:"
        " redis://user:password@host:6379/0, rediss:// for TLS, unix:///run/redis.sock, or"
        " redis+sentinel://host1,host2,host3/mymaster. off: this gateway is alone.",
    )
    redis_url_file: str = setting(
        "REDIS_URL_FILE",
        FileName(),
        default="",
        help="A file that holds REDIS_URL instead, so that its password stands in no"
        " environment. Under systemd the credential `redis_url` does the same unasked.",
    )
    ca: str = setting(
        "REDIS_CA",
        FileName(),
        default="",
        help="The PEM file of the authorities that vouch for a Redis over TLS. Empty: the"
        " machine's own.",
    )
    prefix: str = setting(
        "REDIS_PREFIX",
        Word(),
        default="gogate",
        help="What the names of all keys in Redis begin with: {gogate}:stream and so on. One"
        " prefix is one chat.",
    )
    timeout: float = setting(
        "REDIS_TIMEOUT",
        Duration(0.05, 60.0),
        default=1.0,
        help="How long a publication may wait for Redis. Beyond it this gateway serves its own"
        " clients alone, until Redis is back.",
    )
    node: str = setting(
        "NODE_NAME",
        Word(may_be_empty=True),
        default="",
        help="What this gateway is called among the others. Empty: the name of the machine.",
    )

    @property
    def name(self) -> str:
        """What this gateway is called: NODE_NAME, or the name of the machine."""
        if self.node:
            return self.node
        machine = "".join(c if c.isalnum() or c in "._-" else "-" for c in socket.gethostname())
        return machine.encode("ascii", "replace").decode()[:_NAME_CHARACTERS] or "node"

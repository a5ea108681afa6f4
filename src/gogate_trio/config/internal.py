"""The settings of the internal port."""

# setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

import attrs

from gogate_trio.config.addresses import Host
from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Several, Whole
from gogate_trio.config.secret import Key, Secret


@attrs.frozen
class OrOff:
    """A whole number, or ``off``."""

    of: Whole

    @property
    def bounds(self) -> str:
        """The number's bounds, and the word."""
        return f"off | {self.of.bounds}"

    def parse(self, text: str) -> int | None:
        """The number; None for ``off``."""
        return None if text.lower() == "off" else self.of.parse(text)

    def show(self, value: int | None) -> str:
        """The number or the word."""
        return "off" if value is None else self.of.show(value)


@attrs.frozen(kw_only=True)
class InternalSettings:
    """The internal port: metrics and readiness for the operator, the API for the backend."""

    host: str = setting(
        "INTERNAL_HOST",
        Host(),
        default="127.0.0.1",
        help="The address the internal port listens on. Nobody is asked for a key to see /metrics"
        " there, so give it one that only your own machines reach. Empty: every interface.",
    )
    port: int | None = setting(
        "INTERNAL_PORT",
        OrOff(Whole(0, 65535)),
        default=None,
        help="The TCP port of /metrics, /ready, /health and of the internal API, such as 9090; one"
        " of its own for each gateway on a machine. 0 takes any free one.",
    )
    tokens: tuple[Secret, ...] = setting(
        "INTERNAL_API_TOKENS",
        Several(Key()),
        default=(),
        help="The keys that the internal API takes as X-Internal-API-Key, in place of"
        " INTERNAL_API_KEY: to change a key, list the old and the new one for a while.",
    )

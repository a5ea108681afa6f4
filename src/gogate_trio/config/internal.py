"""The settings of the internal port."""

# setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

import attrs

from gogate_trio.config.addresses import Host
from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Whole


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
    """The internal port: /metrics, /ready and /health for the operator's machines."""

    host: str = setting(
        "INTERNAL_HOST",
        Host(),
        default="127.0.0.1",
        help="The address the internal port listens on. Nobody is asked for a key there, so give"
        " it one that only your own machines reach. Empty: every interface.",
    )
    port: int | None = setting(
        "INTERNAL_PORT",
        OrOff(Whole(0, 65535)),
        default=None,
        help="The TCP port of /metrics, /ready and /health, such as 9090; one of its own for each"
        " gateway on a machine. 0 takes any free one.",
    )

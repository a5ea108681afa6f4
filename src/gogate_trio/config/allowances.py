"""Kinds of settings that say how much, how often and from where."""

from __future__ import annotations

import ipaddress
import re
from typing import ClassVar, Final, Generic, TypeVar

import attrs

from gogate_trio.config.kinds import Kind
from gogate_trio.config.problems import Unusable, quote
from gogate_trio.protocol.origins import ANY, Origin, OriginRule
from gogate_trio.state.ratelimit import Rate

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
T = TypeVar("T")

_RATE: Final = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)/(s|m|h)(?: +burst +([0-9]{1,6}))?")
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600}
_DIGITS: Final = 3
"""behind the point"""
_MOST: Final = 1_000_000


@attrs.frozen
class OrAuto(Generic[T]):
    """A value, or ``auto`` for one that is worked out when it is needed."""

    of: Kind[T]

    @property
    def bounds(self) -> str:
        """The value's bounds, and the word."""
        return f"auto | {self.of.bounds}"

    def parse(self, text: str) -> T | None:
        """The value; None for ``auto``."""
        return None if text.lower() == "auto" else self.of.parse(text)

    def show(self, value: T | None) -> str:
        """The value or the word."""
        return "auto" if value is None else self.of.show(value)


@attrs.frozen
class RateKind:
    """So many in a second, minute or hour: ``20/s``, ``20/s burst 40``, ``300/m``; or ``off``.

    Without a burst, as many may come at once as the number says.
    """

    bounds: ClassVar[str] = "N/s | N/m | N/h [burst N] | off"

    def parse(self, text: str) -> Rate | None:
        """The rate; None for ``off``."""
        if text.lower() == "off":
            return None
        match = _RATE.fullmatch(text.lower())
        if match is None:
            raise Unusable(f"{quote(text)} is no rate: write 20/s, 20/s burst 40, 300/m or off")
        number, unit, burst = match.groups()
        per_second = float(number) / _SECONDS[unit]
        at_once = int(burst) if burst else max(1, int(float(number)))
        if not per_second or not at_once:
            raise Unusable(f"{quote(text)} would let nothing pass: write off for no limit")
        return Rate(per_second, at_once)

    def show(self, value: Rate | None) -> str:
        """As it was written, in the shortest unit that keeps the number whole."""
        if value is None:
            return "off"
        for digits in (0, _DIGITS):
            for unit, seconds in _SECONDS.items():
                number = round(value.per_second * seconds, digits)
                if number < _MOST and number / seconds == value.per_second:
                    return f"{number:.{digits}f}/{unit} burst {value.burst}"
        return f"{value.per_second:.{_DIGITS}f}/s burst {value.burst}"


@attrs.frozen
class OriginKind:
    """An origin a page may come from: exact, with all its subdomains, or ``*`` for any."""

    bounds: ClassVar[str] = "https://host[:port] | https://*.host[:port] | *"

    def parse(self, text: str) -> OriginRule | str:
        """The rule, or the star."""
        if text == ANY:
            return ANY
        origin = Origin.read(text.replace("://*.", "://", 1))
        subdomains = "://*." in text
        if origin is None or (subdomains and origin.host.startswith("[")):
            raise Unusable(f"{quote(text)} is no origin: write https://chat.example.org")
        return OriginRule(origin.scheme, origin.host, origin.port, subdomains)

    def show(self, value: OriginRule | str) -> str:
        """As it was written."""
        if isinstance(value, str):
            return value
        star = "*." if value.subdomains else ""
        port = f":{value.port}" if value.port else ""
        return f"{value.scheme}://{star}{value.host}{port}"


@attrs.frozen
class NetworkKind:
    """An address, or a network in CIDR form."""

    bounds: ClassVar[str] = "address or network"

    def parse(self, text: str) -> Network:
        """The network; a single address is one of its own."""
        try:
            return ipaddress.ip_network(text)
        except ValueError:
            raise Unusable(
                f"{quote(text)} is neither an address nor a network such as 10.0.0.0/8"
            ) from None

    def show(self, value: Network) -> str:
        """A single address without its prefix length."""
        single = value.prefixlen == value.max_prefixlen
        return str(value.network_address) if single else str(value)

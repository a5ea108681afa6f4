"""Which pages may open a WebSocket: the Origin header (RFC 6454, RFC 6455 10.2).

A browser lets any page open a WebSocket to anywhere and says in ``Origin`` which page it
is. Without a list, a page is welcome when its host is the host the request was sent to,
whatever the ports: a front end on :3000 and the gateway on :8080 are one product.
"""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

import attrs

from gogate_trio.protocol.handshake import Head

ANY: Final = "*"

_ORIGIN: Final = re.compile(
    r"([a-z][a-z0-9+.-]*)://(\[[0-9a-f:.]+\]|[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)(?::([0-9]{1,5}))?"
)
_DEFAULT_PORTS: Final = {"http": "80", "https": "443"}


@attrs.frozen
class Origin:
    """A scheme, a host and a port, as a browser writes them: lower case, no default port."""

    scheme: str
    host: str
    port: str

    @classmethod
    def read(cls, text: str) -> Origin | None:
        """Read an origin, or None when it is none: ``null``, a path behind it, an odd character."""
        # Some letters become ASCII when they are made small: the Kelvin sign is one.
        match = _ORIGIN.fullmatch(text.lower()) if text.isascii() else None
        if match is None:
            return None
        scheme, host, port = match.groups(default="")
        return cls(scheme, host, "" if _DEFAULT_PORTS.get(scheme) == port else port)


@attrs.frozen
class OriginRule:
    """One entry of a list: an exact origin, or all subdomains of a host."""

    scheme: str
    host: str
    port: str
    subdomains: bool

    def allows(self, origin: Origin) -> bool:
        """Whether the entry stands for this origin."""
        if (origin.scheme, origin.port) != (self.scheme, self.port):
            return False
        if self.subdomains:
            return origin.host.endswith(f".{self.host}")
        return origin.host == self.host


@attrs.frozen
class OriginPolicy:
    """Which origins may connect."""

    rules: tuple[OriginRule, ...] = ()
    """Empty: the host must be the request's own."""
    any_origin: bool = False
    missing: bool = True
    """Whether a client that names no origin (no browser) may connect."""

    def permits(self, head: Head) -> bool:
        """Whether the page behind this request may connect."""
        values = head.values(b"origin")
        if not values:
            return self.missing
        if len(values) > 1:
            return False
        if self.any_origin:
            return True
        origin = Origin.read(values[0].decode("latin-1"))
        if origin is None:
            return False
        if self.rules:
            return any(rule.allows(origin) for rule in self.rules)
        return origin.scheme in _DEFAULT_PORTS and origin.host == _own_host(head)


def _own_host(head: Head) -> str | None:
    """Return the host a request was sent to, in lower case and without its port."""
    (host,) = head.values(b"host") or [b""]
    try:
        name = urlsplit(f"//{host.decode('ascii')}").hostname
    except (UnicodeDecodeError, ValueError):
        return None
    return f"[{name}]" if name and ":" in name else name

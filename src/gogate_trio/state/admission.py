"""May this socket come in: totals, per address, the share of the unauthenticated, and pace.

Pure counting; the server asks when it accepts, when it knows the real address behind a
proxy, when a client has authenticated, and when it is gone.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from enum import Enum

import attrs

from gogate_trio.state.ratelimit import Limiter, Rate


class Full(Enum):
    """Why a socket may not come in. The values are metric labels."""

    TOTAL = "total"
    UNAUTHENTICATED = "unauthenticated"
    ADDRESS = "address"
    PACE = "pace"


@attrs.frozen
class Caps:
    """The bounds of one node, in sockets."""

    total: int
    unauthenticated: int
    per_address: int
    """0: not counted."""
    handshakes: Rate | None
    """of one address"""
    spares_loopback: bool
    """Whether sockets from this machine are free of ``per_address`` and ``handshakes``."""


@attrs.define(eq=False)
class Ticket:
    """One socket that is in."""

    address: str | None
    """The address it is counted under; None when it is not."""
    is_authenticated: bool = False


class Admission:
    """Counts the sockets of one node."""

    def __init__(self, caps: Caps) -> None:
        self._caps = caps
        self._total = 0
        self._unauthenticated = 0
        self._by_address: Counter[str] = Counter()
        self._pace = Limiter[str](caps.handshakes)

    def adjust(self, caps: Caps) -> None:
        """Let these be the bounds from now on. Nobody who is in has to go."""
        self._caps = caps
        self._pace.adjust(caps.handshakes)

    @property
    def handshakes(self) -> Rate | None:
        """How often one address may connect; None: as often as it likes."""
        return self._caps.handshakes

    @property
    def most(self) -> int:
        """Sockets that may be in."""
        return self._caps.total

    @property
    def total(self) -> int:
        """Sockets that are in."""
        return self._total

    @property
    def unauthenticated(self) -> int:
        """Of these, those that have not authenticated."""
        return self._unauthenticated

    def enter(self, address: str | None, now: float) -> Ticket | Full:
        """Let a socket in, or say why not. ``address`` None: a proxy's, counted later."""
        if self._total >= self._caps.total:
            return Full.TOTAL
        if self._unauthenticated >= self._caps.unauthenticated:
            return Full.UNAUTHENTICATED
        ticket = Ticket(None)
        if address is not None and (full := self.count_under(ticket, address, now)):
            return full
        self._total += 1
        self._unauthenticated += 1
        return ticket

    def count_under(self, ticket: Ticket, address: str, now: float) -> Full | None:
        """Count a socket under its real address, or say why it may not stay."""
        counted, is_loopback = _read(address)
        if self._caps.spares_loopback and is_loopback:
            return None
        if self._caps.per_address and self._by_address[counted] >= self._caps.per_address:
            return Full.ADDRESS
        if self._pace.take(counted, now):
            return Full.PACE
        ticket.address = counted
        self._by_address[counted] += 1
        return None

    def authenticated(self, ticket: Ticket) -> None:
        """Take a socket out of the share of the unauthenticated."""
        if not ticket.is_authenticated:
            ticket.is_authenticated = True
            self._unauthenticated -= 1

    def leave(self, ticket: Ticket) -> None:
        """Take a socket out, once."""
        self._total -= 1
        if not ticket.is_authenticated:
            self._unauthenticated -= 1
        if ticket.address is None:
            return
        self._by_address[ticket.address] -= 1
        if not self._by_address[ticket.address]:
            del self._by_address[ticket.address]


def _read(address: str) -> tuple[str, bool]:
    """Return what an address is counted as, and whether it is this machine's.

    An IPv6 address counts as its /64: that is what every customer of a provider is given.
    """
    if ":" not in address:
        # Parsing it would take longer than all else here.
        return address, address.startswith("127.")
    try:
        parsed = ipaddress.IPv6Address(address)
    except ValueError:
        return address, False
    return f"{int(parsed) >> _OWN_BITS:x}/64", parsed.is_loopback


_OWN_BITS = 64
"""bits of an IPv6 address that its owner chooses"""

"""Whose request a proxy brings: the X-Forwarded-For header.

Every proxy appends the address it was reached from, so only the right end can be trusted,
and only as far as trusted proxies wrote it. What a client itself put to the left is ignored.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from gogate_trio.protocol.handshake import Head

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_within(address: str, networks: Collection[Network]) -> bool:
    """Whether an address is in one of these networks. What is no address is in none."""
    parsed = _parse(address) if networks else None
    return parsed is not None and _is_within(parsed, networks)


def client_address(head: Head, peer: str, trusted: Collection[Network]) -> str:
    """Return the address of the client behind a trusted proxy at ``peer``.

    The first from the right that is no trusted proxy; what is no address ends the search.
    """
    address = peer
    hops = b",".join(head.values(b"x-forwarded-for")).split(b",")
    for hop in reversed(hops):
        parsed = _parse(hop.strip().decode("latin-1"))
        if parsed is None:
            return address
        address = str(parsed)
        if not _is_within(parsed, trusted):
            return address
    return address


def _is_within(address: Address, networks: Collection[Network]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


def _parse(text: str) -> Address | None:
    try:
        parsed = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(parsed, ipaddress.IPv6Address):
        # How a socket for both kinds writes an IPv4 address.
        return parsed.ipv4_mapped or parsed
    return parsed

"""Whose request a proxy brings: the X-Forwarded-For header.

Every proxy appends the address it was reached from, so only the right end can be trusted,
and only as far as trusted proxies wrote it. What a client itself put to the left is ignored.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection

from gogate_trio.protocol.handshake import Head

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def is_within(address: str, networks: Collection[Network]) -> bool:
    """Whether an address is in one of these networks. What is no address is in none."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks if network.version == parsed.version)


def client_address(head: Head, peer: str, trusted: Collection[Network]) -> str:
    """Return the address of the client behind a trusted proxy at ``peer``.

    The first from the right that is no trusted proxy; what is no address ends the search.
    """
    address = peer
    hops = b",".join(head.values(b"x-forwarded-for")).split(b",")
    for hop in reversed(hops):
        try:
            parsed = ipaddress.ip_address(hop.strip().decode("ascii"))
        except ValueError:
            return address
        address = str(parsed)
        if not is_within(address, trusted):
            return address
    return address

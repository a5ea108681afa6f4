"""Laws of X-Forwarded-For: only what trusted proxies wrote counts."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.protocol.forwarded import client_address, is_within
from gogate_trio.protocol.handshake import Head

PROXIES = (ip_network("10.0.0.0/8"), ip_network("2001:db8:ffff::/48"))
PROXY = "10.0.0.9"
LIE = "203.0.113.66"


def head(*lines: str | bytes) -> Head:
    """A request with these X-Forwarded-For lines."""
    values = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return Head(b"GET", b"/ws", tuple((b"x-forwarded-for", value) for value in values), b"1.1")


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        (["198.51.100.7"], "198.51.100.7"),
        ([f"{LIE}, 198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, 10.1.2.3"], "198.51.100.7"),
        ([LIE, "198.51.100.7", "10.1.2.3,10.4.5.6"], "198.51.100.7"),
        ([f"{LIE},198.51.100.7 ,\t10.1.2.3"], "198.51.100.7"),
        (["2001:DB8::7"], "2001:db8::7"),
        (["198.51.100.7, 2001:db8:ffff::1"], "198.51.100.7"),
        (["::ffff:198.51.100.7"], "198.51.100.7"),
        (["198.51.100.7, ::ffff:10.1.2.3"], "198.51.100.7"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy(lines, client):
    """Whatever it wrote itself stands to the left of it."""
    assert client_address(head(*lines), PROXY, PROXIES) == client


@pytest.mark.parametrize(
    "lines",
    [
        [],
        [""],
        ["unknown"],
        ["_hidden"],
        [f"{LIE}, unknown"],
        [f"{LIE}, 198.51.100.7:4711"],
        [f"{LIE}, [2001:db8::7]"],
        [f"{LIE}, 198.51.100.007"],
        [f"{LIE}, 3325256711"],
        [f"{LIE},"],
        [f"{LIE}, 198.51.100.7/32"],
        [LIE.encode() + b", \xff"],
        [LIE + ", \u0661.\u0662.\u0663.\u0664"],
    ],
)
def test_what_is_no_address_ends_the_search(lines):
    """Then the last proxy that was believed is the client: too strict rather than fooled."""
    assert client_address(head(*lines), PROXY, PROXIES) == PROXY


def test_only_proxies_all_the_way_are_a_client_among_them():
    """The leftmost of them asked."""
    assert client_address(head("10.3.3.3, 10.2.2.2"), PROXY, PROXIES) == "10.3.3.3"


@given(st.lists(st.binary(max_size=20), max_size=4))
def test_any_bytes_give_an_address(lines):
    """Nothing raises, and what comes out was written by the peer, or is the peer."""
    found = client_address(head(*lines), PROXY, PROXIES)

    assert found == PROXY or not is_within(found, PROXIES) or found.startswith("10.")


@pytest.mark.parametrize(
    ("address", "inside"),
    [
        ("10.255.0.1", True),
        ("11.0.0.1", False),
        ("2001:db8:ffff:1::1", True),
        ("2001:db8::1", False),
        ("no address", False),
        ("", False),
    ],
)
def test_an_address_is_within_a_network_of_its_own_kind(address, inside):
    """IPv4 and IPv6 are told apart, and what is no address is nowhere."""
    assert is_within(address, PROXIES) is inside

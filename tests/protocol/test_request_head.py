"""Which request may become a WebSocket, and what the others are told."""

from __future__ import annotations

import re

import attrs
import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Request
from wsproto.utilities import RemoteProtocolError

from gogate_trio.protocol.handshake import (
    BAD_REQUEST,
    BODY_REFUSED,
    HEAD_TOO_BIG,
    ONLY_GET,
    OPENING,
    UPGRADE_REQUIRED,
    Head,
    acceptance,
    fault_of_head,
    fault_of_upgrade,
)

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
GOOD = (
    (b"host", b"chat.example"),
    (b"upgrade", b"websocket"),
    (b"connection", b"Upgrade"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", KEY),
)


def head(*headers: tuple[bytes, bytes], **changes) -> Head:
    """An upgrade request with these headers changed; one without a value is left out."""
    names = {name for name, _ in headers}
    kept = [pair for pair in GOOD if pair[0] not in names]
    kept += [pair for pair in headers if pair[1]]
    return attrs.evolve(Head(b"GET", b"/ws", tuple(kept), b"1.1"), **changes)


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"upgrade", b"WebSocket")],
        [(b"upgrade", b"h2c, websocket")],
        [(b"connection", b"keep-alive, Upgrade")],
        [(b"connection", b"keep-alive"), (b"connection", b"upgrade")],
        [(b"sec-websocket-protocol", b"\xff"), (b"sec-websocket-extensions", b"\xff")],
    ],
)
def test_what_browsers_and_libraries_send_is_welcome(headers):
    """Tokens in any case, in lists, in several lines; what we do not speak is not looked at."""
    assert fault_of_head(head(*headers), most_headers=100) is None
    assert fault_of_upgrade(head(*headers)) is None


@pytest.mark.parametrize("method", [b"POST", b"HEAD", b"OPTIONS", b"get"])
def test_only_get_upgrades(method):
    """405 names what is allowed: HEAD, which pages answer, is not."""
    assert fault_of_upgrade(head(method=method)) is ONLY_GET
    assert ONLY_GET.headers == (("Allow", "GET"),)


@pytest.mark.parametrize(
    "header",
    [
        (b"upgrade", b""),
        (b"upgrade", b"h2c"),
        (b"upgrade", b"websockets"),
        (b"sec-websocket-version", b""),
        (b"sec-websocket-version", b"8"),
        (b"sec-websocket-version", b"13, 8"),
    ],
)
def test_what_is_no_websocket_of_today_is_told_to_upgrade(header):
    """426 names the protocol and its version."""
    fault = fault_of_upgrade(head(header))

    assert fault is UPGRADE_REQUIRED
    assert dict(fault.headers) == {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"}


def test_two_versions_are_one_too_many():
    """Even if one of them is right."""
    twice = [(b"sec-websocket-version", b"13")] * 2

    assert fault_of_upgrade(head(*twice)) is UPGRADE_REQUIRED


@pytest.mark.parametrize("header", [(b"connection", b""), (b"connection", b"close")])
def test_an_upgrade_that_the_connection_header_does_not_name_is_bad(header):
    """Upgrade is a hop-by-hop header: a proxy that passed it on by mistake is noticed."""
    assert fault_of_upgrade(head(header)) is BAD_REQUEST


def test_http_1_0_does_not_upgrade():
    """A page it may ask for."""
    old = head(http_version=b"1.0")

    assert fault_of_head(old, most_headers=100) is None
    assert fault_of_upgrade(old) is BAD_REQUEST


@pytest.mark.parametrize(
    "keys",
    [
        [b""],
        [b"AAAA"],
        [KEY[:-2]],
        [KEY + b"===="],
        [KEY[:-3] + b"\xff=="],
        [b"AAAAAAAAAAAAAAAAAAAAAAAA"],
        [b"d GhlIHNhbXBsZSBub25jZQ="],
        [KEY, KEY],
    ],
)
def test_a_key_is_sixteen_bytes_in_base64_and_one(keys):
    """The answer to anything else would prove nothing."""
    headers = [(b"sec-websocket-key", key) for key in keys]

    assert fault_of_upgrade(head(*headers)) is BAD_REQUEST


def test_an_upgrade_is_accepted_as_its_key_demands():
    """A client of wsproto takes the answer for its own key, and for no other."""
    client = WSConnection(ConnectionType.CLIENT)
    request = client.send(Request(host="chat.example", target="/ws"))
    (key,) = re.findall(rb"Sec-WebSocket-Key: (.*)\r\n", request)

    client.receive_data(acceptance(head((b"sec-websocket-key", key))))
    assert list(client.events()) == [AcceptConnection()]

    client = WSConnection(ConnectionType.CLIENT)
    client.send(Request(host="chat.example", target="/ws"))
    with pytest.raises(RemoteProtocolError):
        client.receive_data(acceptance(head()))


def test_the_opening_asks_for_a_bare_websocket():
    """What wsproto reads has no protocol and no extension, and nothing of a client's."""
    server = WSConnection(ConnectionType.SERVER)
    server.receive_data(OPENING)
    (request,) = server.events()

    assert isinstance(request, Request)
    assert (request.target, request.extensions, request.subprotocols) == ("/ws", [], [])


@pytest.mark.parametrize(
    ("target", "path"), [(b"/ws", b"/ws"), (b"/ws?token=x?y", b"/ws"), (b"/?/ws", b"/")]
)
def test_a_path_ends_before_its_query(target, path):
    """What comes behind the first question mark does not choose the page."""
    assert head(target=target).path == path


def test_headers_are_counted():
    """So many and no more."""
    assert fault_of_head(head(), most_headers=len(GOOD)) is None
    assert fault_of_head(head(), most_headers=len(GOOD) - 1) is HEAD_TOO_BIG


@pytest.mark.parametrize("version", [b"0.9", b"1.2", b"2.0"])
def test_other_versions_of_http_are_not_spoken(version):
    """Only 1.0 and 1.1."""
    assert fault_of_head(head(http_version=version), most_headers=100) is BAD_REQUEST


@pytest.mark.parametrize(
    ("headers", "fault"),
    [
        ([(b"content-length", b"0")], None),
        ([(b"content-length", b"000")], None),
        ([(b"content-length", b"1")], BODY_REFUSED),
        ([(b"content-length", b"0"), (b"content-length", b"10")], BODY_REFUSED),
        ([(b"transfer-encoding", b"chunked")], BODY_REFUSED),
        ([(b"content-length", b"0"), (b"transfer-encoding", b"chunked")], BAD_REQUEST),
    ],
)
def test_no_request_brings_a_body(headers, fault):
    """Whatever announces one is refused, and two announcements are a smuggler's."""
    assert fault_of_head(head(*headers), most_headers=100) is fault

"""Which web pages may connect, on real sockets, and that the operator is told of the open door."""

from __future__ import annotations

import pytest

from fakes.clients import UPGRADE, open_raw
from fakes.node import open_node, within
from fakes.visitors import is_healthy, status_of, visit
from gogate_trio.config import OriginSettings
from gogate_trio.config.allowances import OriginKind


def allowing(*entries, missing=True):
    """ALLOWED_ORIGINS with these entries."""
    return OriginSettings(allowed=tuple(map(OriginKind().parse, entries)), missing=missing)


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("localhost:8080", "http://localhost:3000", 101),
        ("localhost:8080", "http://localhost", 101),
        ("127.0.0.1:8080", "http://127.0.0.1:5173", 101),
        ("[::1]:8080", "http://[::1]:3000", 101),
        ("localhost:8080", "http://127.0.0.1:3000", 403),
        ("localhost:8080", "http://localhost.evil.example", 403),
        ("localhost:8080", "http://evil.example", 403),
        ("localhost:8080", "null", 403),
        ("localhost:8080", "file://", 403),
        ("localhost:8080", "chrome-extension://localhost", 403),
        ("localhost:8080", "", 403),
        ("chat.example", "https://chat.example@evil.example", 403),
        ("chat.example", "https://evilchat.example", 403),
    ],
)
async def test_the_guide_s_development_set_up_works_and_no_other_page(fake, host, origin, status):
    """A page on :3000 of this host connects to :8080 without any setting; a stranger's does not."""
    request = UPGRADE.replace(b"gateway.example", host.encode())
    async with open_node(fake) as node, open_raw(node.port) as browser:
        with within():
            await browser.send(request + f"Origin: {origin}\r\n\r\n".encode())
            answer = await browser.read_until(b"\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert node.metrics.refused[403] == (status == 403)


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://chat.example", 101),
        ("https://chat.example:443", 101),
        ("https://a.team.example", 101),
        ("https://a.b.team.example", 101),
        ("https://team.example", 403),
        ("http://chat.example", 403),
        ("https://chat.example:8443", 403),
        ("https://chat.example.evil.example", 403),
        ("http://gateway.example", 403),
        ("null", 403),
    ],
)
async def test_a_list_says_which_pages_may_connect(fake, origin, status):
    """ALLOWED_ORIGINS: exactly these and those subdomains; the own host is not among them."""
    allowed = allowing("https://chat.example", "https://*.team.example")
    async with open_node(fake, origins=allowed) as node:
        with within():
            assert await status_of(node.port, origin=origin) == status


async def test_a_refused_page_is_told_why_and_costs_nothing(fake, logged):
    """403 with a line for the developer, no connection, no word to the backend."""
    async with open_node(fake) as node:
        with within():
            async with visit(node.port, origin="https://evil.example") as evil:
                body = await evil.rest()

        assert (evil.status, body) == (403, b"Pages of this origin may not connect.\n")
        assert (node.metrics.connections, fake.calls) == (0, [])
    assert "evil" not in str(logged)


@pytest.mark.parametrize("allowed", [allowing(), allowing("*")])
async def test_two_origins_are_refused_whatever_is_allowed(fake, allowed):
    """One of them would be believed by somebody."""
    twice = b"Origin: http://gateway.example\r\n" * 2
    async with open_node(fake, origins=allowed) as node, open_raw(node.port) as client:
        with within():
            await client.send(UPGRADE + twice + b"\r\n")

            assert (await client.rest()).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(("missing", "status"), [(True, 101), (False, 403)])
@pytest.mark.parametrize("entries", [(), ("https://chat.example",), ("*",)])
async def test_who_names_no_origin_comes_in_where_that_is_allowed(fake, entries, missing, status):
    """ALLOW_MISSING_ORIGIN: an app or wscat sends none; the list says nothing about them."""
    async with open_node(fake, origins=allowing(*entries, missing=missing)) as node:
        with within():
            assert await status_of(node.port) == status


async def test_pages_have_no_origin(fake):
    """/health is asked by monitoring from anywhere."""
    async with open_node(fake, origins=allowing("https://chat.example", missing=False)) as node:
        with within():
            assert await is_healthy(node.port)


async def test_a_star_lets_everybody_in_and_warns_at_the_start(fake, logged):
    """It must be said explicitly, and whoever reads the log learns what it means."""
    async with open_node(fake, origins=allowing("*")) as node:
        with within():
            assert await status_of(node.port, origin="https://evil.example") == 101
            assert await status_of(node.port, origin="null") == 101

    (warning,) = [entry for entry in logged if entry["log_level"] == "warning"]
    assert warning["event"] == "any_origin_allowed"
    assert warning["setting"] == "ALLOWED_ORIGINS"


async def test_a_list_is_no_reason_to_warn(fake, logged):
    """Nor is the default."""
    async with open_node(fake), open_node(fake, origins=allowing("https://chat.example")):
        pass

    assert not [entry for entry in logged if entry["log_level"] == "warning"]

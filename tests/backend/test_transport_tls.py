"""The same over TLS: whom a transport believes, and what it carries then."""

from __future__ import annotations

import ssl

import httpx
import pytest
import trustme

from fakes.asking import ask, request
from fakes.hostile import http, open_hostile_backend, says

BODY = b'{"id":1}'


@pytest.mark.parametrize("size", [10, 500_000])
async def test_tls_carries_the_same(make, size):
    """Answers small and large, on one connection, from a host whose certificate is good."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    answer = http(200, bytes(size))
    async with open_hostile_backend(says(answer, keep=True), tls=tls) as hostile:
        url = hostile.url.replace("127.0.0.1", "localhost")
        async with make(url, context) as transport:
            for _ in range(3):
                assert await ask(transport, request(url, bytes(size))) == (200, bytes(size))

    assert hostile.connections == 1


async def test_a_certificate_for_another_host_gets_nothing(make):
    """It is good for the name; the address says something else."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        open_hostile_backend(says(http(200, BODY)), tls=tls) as hostile,
        make(hostile.url, context) as transport,
    ):
        with pytest.raises(httpx.ConnectError):
            await ask(transport, request(hostile.url, BODY))

    assert hostile.requests == []

"""What the tests of this room share."""

from __future__ import annotations

import ssl

import httpx
import pytest

from fakes.settings import transport
from gogate_trio.backend.transport import H11Transport

__all__ = ["make", "transport"]


def ours(url: str, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The transport on h11."""
    return H11Transport(httpx.URL(url), context, keepalive=3)


def stock(_url: str, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The transport of httpx, which takes any address."""
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False)


@pytest.fixture(params=[ours, stock])
def make(request):
    """Each transport in turn."""
    return request.param

"""What the tests of this room share."""

from __future__ import annotations

import ssl
from functools import partial

import httpx
import pytest

from fakes.settings import transport
from gogate_trio.backend.transport import H11Transport
from gogate_trio.poller import Poller

__all__ = ["make", "transport"]


def ours(poller: Poller, url: str, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The transport on h11."""
    return H11Transport(httpx.URL(url), context, poller, keepalive=3)


def stock(_: Poller, _url: str, context: ssl.SSLContext) -> httpx.AsyncBaseTransport:
    """The transport of httpx, which takes any address."""
    return httpx.AsyncHTTPTransport(verify=context, trust_env=False)


@pytest.fixture(params=[ours, stock])
def make(request, poller):
    """Each transport in turn."""
    return partial(request.param, poller)

"""The link to a Redis over TLS: a real server behind a real handshake."""

from __future__ import annotations

import ssl

import attrs
import pytest
import trio
import trustme

from gogate_trio.cluster.link import open_link
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.redis import RedisUrl
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.metrics import RedisCounts


@attrs.frozen
class Secured:
    """A Redis over TLS, and the authority that vouches for it."""

    url: str
    ca: str

    def settings(self, **changes: str) -> ClusterSettings:
        """The settings of a node that trusts it."""
        given = {"url": self.url, "ca": self.ca, **changes}
        return ClusterSettings(redis=RedisUrl().parse(given["url"]), ca=given["ca"])


async def _pour(source, sink, both):
    try:
        async for data in source:
            await sink.send_all(data)
    except (trio.BrokenResourceError, trio.ClosedResourceError):
        pass
    both.cancel()


@pytest.fixture
async def secured(valkey, tmp_path, nursery):
    """The server, behind something that ends its TLS."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    async def carry(client):
        try:
            await client.do_handshake()
        except trio.BrokenResourceError:
            return
        redis = await trio.open_tcp_stream("127.0.0.1", valkey.port)
        async with redis, trio.open_nursery() as both:
            both.start_soon(_pour, client, redis, both.cancel_scope)
            both.start_soon(_pour, redis, client, both.cancel_scope)

    listeners = await trio.open_ssl_over_tcp_listeners(0, context, host="127.0.0.1")
    port = listeners[0].transport_listener.socket.getsockname()[1]
    nursery.start_soon(trio.serve_listeners, carry, listeners)
    yield Secured(f"rediss://localhost:{port}", str(tmp_path / "ca.pem"))
    nursery.cancel_scope.cancel()


async def test_calls_and_messages_come_through(secured):
    """Calls are answered, large ones too, and what is published is heard."""
    async with open_link(secured.settings(), RedisCounts()) as link, link.wire() as wire:
        await wire.subscribe(link.key("channel"))
        echoed = await link.call(b"ECHO", "x" * 100_000)
        await link.call(b"PUBLISH", link.key("channel"), "heard")
        heard = await wire.listen()

    assert echoed == b"x" * 100_000
    assert heard == [b"heard"]


async def test_a_certificate_of_somebody_else_is_refused(secured, tmp_path):
    """Before a password is said."""
    other = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(str(other))
    async with open_link(secured.settings(ca=str(other)), RedisCounts()) as link:
        with pytest.raises(ClusterUnavailable, match="TLS handshake failed"):
            await link.call(b"PING")

        assert not link.is_up


async def test_a_certificate_of_another_name_is_refused(secured):
    """The name in REDIS_URL is what counts."""
    url = secured.url.replace("localhost", "127.0.0.1")
    async with open_link(secured.settings(url=url), RedisCounts()) as link:
        with pytest.raises(ClusterUnavailable, match="TLS handshake failed"):
            await link.call(b"PING")

"""Two whole gateways and one Redis: what a client meets of the other node."""

from __future__ import annotations

from contextlib import asynccontextmanager

import msgspec
import pytest
import trio

from fakes.clients import UPGRADE, open_client, open_raw
from fakes.node import within
from fakes.registry import until
from fakes.secrets import KEY
from fakes.watched import open_watched
from fixtures.valkey import open_valkey
from gogate_trio.config import (
    AdmissionSettings,
    ClusterSettings,
    PresenceSettings,
    RateSettings,
)
from gogate_trio.config.redis import RedisUrl
from gogate_trio.state.ratelimit import Rate

ON = PresenceSettings(on=True)


@pytest.fixture
async def valkey(tmp_path):
    """A Redis of the test's own."""
    async with open_valkey(tmp_path / "valkey") as server:
        yield server


@asynccontextmanager
async def two_nodes(fake, valkey, **groups):
    """Run two gateways that know each other."""

    def settings(name):
        redis = RedisUrl().parse(valkey.url)
        return ClusterSettings(redis=redis, node=name, timeout=5.0)

    async with (
        open_watched(fake, cluster=settings("a"), **groups) as a,
        open_watched(fake, cluster=settings("b"), **groups) as b,
    ):
        await until(lambda: a.metrics.nodes == b.metrics.nodes == 2)
        yield a, b


async def api(node, path):
    """What the internal API answers."""
    async with open_raw(node.internal_port) as client:
        head = (
            f"GET /api/internal/v1{path} HTTP/1.1\r\nHost: a\r\nX-Internal-API-Key: {KEY}\r\n\r\n"
        )
        await client.send(head.encode())
        _, _, body = (await client.rest()).partition(b"\r\n\r\n")
    return msgspec.json.decode(body)


async def test_a_user_has_so_many_connections_over_all_nodes(fake, valkey):
    """MAX_CONNECTIONS_PER_USER: one more on another node, and the oldest is closed with 4509."""
    caps = AdmissionSettings(per_user=2)
    async with (
        two_nodes(fake, valkey, admission=caps) as (a, b),
        open_client(a.port, "token-1") as oldest,
        open_client(b.port, "token-1") as older,
        open_client(b.port, "token-1") as newest,
    ):
        with within():
            assert (await oldest.event("error"))["code"] == "TOO_MANY_CONNECTIONS"
            assert await oldest.close_code() == 4509
            await newest.say("send_message", chat_id=2, text="hello")
            for person in (older, newest):
                assert (await person.event("new_message"))["text"] == "hello"


async def test_a_user_is_refused_where_the_oldest_are_to_stay(fake, valkey):
    """USER_CONNECTIONS_KEEP=oldest, and the older one is on the other node."""
    caps = AdmissionSettings(per_user=1, user_policy="oldest")
    async with (
        two_nodes(fake, valkey, admission=caps) as (a, b),
        open_client(a.port, "token-1") as oldest,
        open_client(b.port) as newest,
    ):
        with within():
            await newest.say("auth", token="token-1")
            assert (await newest.next_event())["data"]["code"] == "TOO_MANY_CONNECTIONS"
            assert await newest.close_code() == 4509
            await oldest.say("send_message", chat_id=2, text="still here")
            assert (await oldest.event("new_message"))["text"] == "still here"


async def test_a_rate_is_a_users_over_all_nodes(fake, valkey):
    """RATE_MESSAGES: what was said on one node counts on the other, before the backend is asked."""
    rates = RateSettings(messages=Rate(0.01, 2), typing=None, reactions=None, reads=None, auth=None)
    async with (
        two_nodes(fake, valkey, rates=rates) as (a, b),
        open_client(a.port, "token-1") as here,
        open_client(b.port, "token-1") as there,
    ):
        with within():
            for client in (here, there):
                await client.say("send_message", chat_id=2, text="hello")
                await here.event("new_message")
            await here.say("send_message", chat_id=2, text="too much")
            refused = await here.event("error")

            assert refused["code"] == "RATE_LIMITED"
            assert 80_000 < refused["retry_after_ms"] <= 100_000
            assert len(fake.calls_to("send_message")) == 2


async def test_who_is_online_anywhere_is_told_everywhere(fake, valkey):
    """To clients, to the backend, and in the list of nodes; a drained node is in it no more."""
    async with two_nodes(fake, valkey, presence=ON) as (a, b), open_client(a.port) as client:
        with within():
            await client.say("auth", token="token-1", presence=[2])
            assert (await client.event("presence"))["online"] == [1]
            async with open_client(b.port, "token-2"):
                while (await client.event("presence"))["online"] != [1, 2]:
                    pass
                for node in (a, b):
                    assert (await api(node, "/presence?chat_id=2"))["online"] == [1, 2]
                names = [each["name"] for each in (await api(a, "/nodes"))["nodes"]]
                assert names == ["a", "b"]
            b.stop.set()
            await b.stopped.wait()
            names = [each["name"] for each in (await api(a, "/nodes"))["nodes"]]
            assert names == ["a"]


async def test_typing_has_one_rate_over_all_nodes(fake, valkey):
    """RATE_TYPING: the others see so many on both nodes together, and the rest merged."""
    rates = RateSettings(messages=None, typing=Rate(0.01, 3), reactions=None, reads=None, auth=None)
    async with (
        two_nodes(fake, valkey, rates=rates) as (a, b),
        open_client(a.port, "token-1") as here,
        open_client(b.port, "token-1") as there,
        open_client(b.port, "token-2") as friend,
    ):
        with within():
            for client in (here, there, here):
                await client.say("typing", chat_id=2, is_typing=True)
                await friend.event("user_typing")
        for client in (here, there):
            await client.say("typing", chat_id=2, is_typing=False)
        with trio.move_on_after(0.3):
            raise AssertionError(await friend.next_event())


async def test_an_address_connects_so_often_over_all_nodes(fake, valkey):
    """RATE_HANDSHAKES: whoever guesses tokens gains nothing by going from node to node."""
    caps = AdmissionSettings(per_address=100, handshakes=Rate(0.01, 2))
    async with (
        two_nodes(fake, valkey, admission=caps) as (a, b),
        open_client(a.port),
        open_client(b.port),
    ):
        async with open_raw(b.port) as refused:
            await refused.send(UPGRADE + b"\r\n")
            assert (await refused.rest()).startswith(b"HTTP/1.1 503 ")
        assert b.metrics.turned_away["pace"] == 1

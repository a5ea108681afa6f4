"""Laws of nodes whose way to Redis is bad: slow, or silent without an end."""

from __future__ import annotations

import pytest
import trio

from fakes.line import Line
from fakes.nodes import event, open_nodes, until
from gogate_trio.cluster.link import open_link
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.redis import RedisUrl
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.limits import READ_ENTRIES
from gogate_trio.metrics import RedisCounts

QUICK = 0.3
"""seconds of REDIS_TIMEOUT where a test waits it out"""


@pytest.fixture
async def line(valkey):
    """The way to a real server."""
    async with trio.open_nursery() as carrying:
        yield await carrying.start(Line(behind=valkey.port).run)
        carrying.cancel_scope.cancel()


def url_of(line):
    """What ``REDIS_URL`` takes."""
    return f"redis://127.0.0.1:{line.port}/0"


async def test_connections_that_fell_silent_cost_one_call_and_not_one_each(line):
    """As after a firewall that forgot them: who waited for one in vain takes no other of them."""
    settings = ClusterSettings(redis=RedisUrl().parse(url_of(line)), timeout=QUICK)
    async with open_link(settings, RedisCounts()) as link:
        async with trio.open_nursery() as calling:
            for _ in range(6):
                calling.start_soon(link.call, b"BLPOP", b"nothing", 0.1)
        assert line.opened == 6
        line.silence()
        with pytest.raises(ClusterUnavailable):
            await link.call(b"PING")

        assert await link.call(b"PING") == b"PONG"


async def test_a_window_that_takes_long_to_read_is_read(line):
    """It comes slower than REDIS_TIMEOUT, and it does come: a node that starts has all of it."""
    async with open_nodes(url_of(line), 1, deadline=QUICK) as (node,):
        position = node.position
        texts = [f"{number}" + "x" * 50_000 for number in range(20)]
        await node.say(*texts)
        line.seconds_per_part = 0.02
        async with open_nodes(url_of(line), 1, deadline=QUICK) as (late,):
            await until(lambda: late.state == "attached", within=10)

            assert late.replay(position) == texts
            assert late.metrics.redis.outages == 0


async def test_news_that_takes_long_to_read_detaches_nobody(line, valkey):
    """Much at once, slower than REDIS_TIMEOUT: as long as it comes, Redis is there."""
    async with (
        open_nodes(valkey.url, 1) as (near,),
        open_nodes(url_of(line), 1, deadline=QUICK) as (far,),
    ):
        guest = far.join()
        await far.say("0")
        await guest.hears("0")
        line.seconds_per_part = 0.02
        async with trio.open_nursery() as saying:
            for number in range(20):
                saying.start_soon(near.broker.publish, event(f"{number}" + "x" * 50_000))
        await far.say("end")
        await until(lambda: guest.heard[-1:] == ["end"])

        assert len(guest.heard) == 22
        assert far.metrics.redis.detachments == 0


async def test_what_is_too_big_for_one_reply_is_read_in_parts_that_time(valkey, monkeypatch):
    """A node asks for less until it has it all, and for as much as ever after that."""
    monkeypatch.setattr("gogate_trio.cluster.wire.REDIS_REPLY_BYTES", 100_000)
    async with open_nodes(valkey.url, 1, deadline=10.0) as (node,):
        position = node.position
        texts = [f"{number}" + "x" * 10_000 for number in range(20)]
        await node.say(*texts)
        async with open_nodes(valkey.url, 1, deadline=10.0) as (late,):
            await late.until("attached")

            assert late.replay(position) == texts
            await until(lambda: late.broker._reader._count == READ_ENTRIES)

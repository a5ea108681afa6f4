"""Laws of the rates over all nodes."""

from __future__ import annotations

import attrs
import pytest
import trio

from fakes.registry import PULSE, open_nodes, until
from gogate_trio import limits
from gogate_trio.state.ratelimit import Rate

ANN, BOB = 1, 2
SLOW = Rate(0.01, 5)
"""Five at once, and then nothing for as long as a test takes."""


async def test_a_users_bucket_is_one_over_all_nodes(valkey):
    """Whichever node they ask; other users and other commands have their own."""
    async with open_nodes(valkey, "a", "b", rate=SLOW) as (a, b):
        waits = [await node.rates.wait("send_message", ANN) for node in (a, b) * 4]

        assert waits[:5] == [0.0] * 5
        assert all(95 < wait <= 100 for wait in waits[5:])
        assert await b.rates.wait("send_message", BOB) == 0
        assert await b.rates.wait("mark_read", ANN) == 0


async def test_a_bucket_fills_again_at_its_rate(valkey):
    """Who waits as long as they were told is let through, and one who does not is not."""
    async with open_nodes(valkey, "a", rate=Rate(0.5, 1)) as (a,):
        assert await a.rates.wait("send_message", ANN) == 0
        wait = await a.rates.wait("send_message", ANN)
        assert 0 < wait <= 2
        await trio.sleep(wait + 0.01)
        assert await a.rates.wait("send_message", ANN) == 0


@pytest.mark.parametrize("kept", ["x", "nan", "inf", "9" * 30, "LIST"])
async def test_no_bucket_is_emptier_than_empty(valkey, kept):
    """Whatever stands there, or the clock was set back: others count, and this one soon does."""
    async with open_nodes(valkey, "a", rate=Rate(20.0, 1)) as (a,):
        key = a.link.key(f"rate:send_message:{ANN}")
        await valkey.ask(*(("RPUSH", key, "v") if kept == "LIST" else ("SET", key, kept)))
        assert await a.rates.wait("send_message", ANN) <= 0.05
        await trio.sleep(0.06)

        assert await a.rates.wait("send_message", ANN) == 0
        assert not a.metrics.fallbacks


async def test_when_many_ask_at_once_exactly_so_many_pass(valkey):
    """On both nodes together, and over few connections."""
    async with open_nodes(valkey, "a", "b", rate=SLOW) as nodes:
        passed = []

        async def ask(node, user):
            if await node.rates.wait("send_message", user) == 0:
                passed.append(user)

        async with trio.open_nursery() as asking:
            for _ in range(100):
                for user in (ANN, BOB):
                    for node in nodes:
                        asking.start_soon(ask, node, user)

        assert (passed.count(ANN), passed.count(BOB)) == (5, 5)
        assert all(node.metrics.redis.connects <= 4 for node in nodes)
        assert not any(node.metrics.fallbacks for node in nodes)


async def test_without_a_rate_redis_is_not_asked(valkey):
    """``off`` costs nothing."""
    async with open_nodes(valkey, "a") as (a,):
        await valkey.kill()

        assert await a.rates.wait("send_message", ANN) == 0
        assert not a.metrics.fallbacks


async def test_a_full_bucket_leaves_no_key_behind(valkey):
    """Redis forgets whom it need not remember."""
    async with open_nodes(valkey, "a", rate=Rate(20.0, 1)) as (a,):
        await a.rates.wait("send_message", ANN)
        key = a.link.key(f"rate:send_message:{ANN}")
        await until(lambda: _is_gone(valkey, key))


async def _is_gone(valkey, key):
    return await valkey.ask(b"EXISTS", key) == 0


async def test_while_redis_is_away_this_nodes_own_buckets_count(valkey):
    """Nobody waits longer than a moment; it is counted, and ends by itself."""
    pulse = attrs.evolve(PULSE, wait=0.1)
    async with open_nodes(valkey, "a", rate=SLOW, deadline=2.0, pulse=pulse) as (a,):
        valkey.pause()
        began = trio.current_time()
        assert await a.rates.wait("send_message", ANN) == 0
        assert trio.current_time() - began < 1.5
        await until(lambda: a.rates._away_until > trio.current_time())
        for _ in range(100):
            assert await a.rates.wait("send_message", ANN) == 0
        assert trio.current_time() - began < 8
        assert a.metrics.fallbacks["rates"] == 101
        valkey.resume()

        await until(lambda: _is_counted(a))
        assert a.metrics.bugs == 0


async def _is_counted(node):
    before = node.metrics.fallbacks["rates"]
    await node.rates.wait("send_message", BOB)
    return node.metrics.fallbacks["rates"] == before


async def test_no_more_wait_for_redis_than_there_is_room_for(valkey, monkeypatch):
    """CLUSTER_WAITING: beyond it the node's own bucket is enough."""
    monkeypatch.setattr(limits, "CLUSTER_WAITING", 3)
    async with open_nodes(valkey, "a", rate=Rate(1.0, 100)) as (a,):
        async with trio.open_nursery() as asking:
            for _ in range(10):
                asking.start_soon(a.rates.wait, "send_message", ANN)

        assert a.metrics.fallbacks["rates"] == 7


@pytest.mark.parametrize("junk", ["x", ""])
async def test_junk_in_a_bucket_is_an_outage_of_that_trip(valkey, junk):
    """Nobody is refused for it, and the node goes on."""
    async with open_nodes(valkey, "a", rate=SLOW) as (a,):
        await valkey.ask(b"LPUSH", a.link.key(f"rate:send_message:{ANN}"), junk)

        assert await a.rates.wait("send_message", ANN) == 0
        await until(lambda: _is_counted(a))
        assert a.metrics.bugs == 0

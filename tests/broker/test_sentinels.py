"""Laws of the link where sentinels say who is the master: real ones, that say what they are told.

What becomes of the nodes in a real failover: ``tests/cluster/test_failovers.py``.
"""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio

from fixtures.valkey import open_valkey
from gogate_trio.cluster.link import open_link
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.redis import RedisUrl
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.metrics import RedisCounts


@asynccontextmanager
async def open_sentinel(folder, port):
    """A sentinel that knows a master at this port."""
    folder.mkdir()
    config = folder / "sentinel.conf"
    config.write_text(f"sentinel monitor mymaster 127.0.0.1 {port} 1\n")
    async with open_valkey(folder, config=config) as sentinel:
        yield sentinel


def by(*ports, timeout=10):
    """The settings of a node with these sentinels."""
    places = ",".join(f"127.0.0.1:{port}" for port in ports)
    url = f"redis+sentinel://{places}/mymaster/2"
    return ClusterSettings(redis=RedisUrl().parse(url), timeout=timeout)


async def port_of(link):
    """The port of the server that answers."""
    return int((await link.call(b"CONFIG", b"GET", b"port"))[b"port"])


async def test_sentinels_say_where_the_master_is(tmp_path, valkey):
    """The first sentinel that answers is believed, and one that is gone costs no outage."""
    async with (
        open_sentinel(tmp_path / "s", valkey.port) as sentinel,
        open_link(by(1, sentinel.port), RedisCounts()) as link,
    ):
        assert b"db=2" in await link.call(b"CLIENT", b"INFO")


@pytest.mark.parametrize("what", ["nobody", "a replica"])
async def test_a_sentinel_that_is_wrong_is_asked_last_from_then_on(tmp_path, valkey, what):
    """One that is cut off may name a dead master, or one of before, for ever."""
    of = ("--replicaof", "127.0.0.1", f"{valkey.port}")
    async with (
        open_valkey(tmp_path / "r", *of) as replica,
        open_sentinel(tmp_path / "s1", 1 if what == "nobody" else replica.port) as wrong,
        open_sentinel(tmp_path / "s2", valkey.port) as right,
        open_link(by(wrong.port, right.port), RedisCounts()) as link,
    ):
        with pytest.raises(ClusterUnavailable):
            await link.call(b"PING")

        assert await port_of(link) == valkey.port


async def test_a_master_the_sentinels_replace_is_left_while_it_answers(tmp_path, valkey, nursery):
    """By all connections, within a second or so: what it takes from then on is lost."""
    async with (
        open_valkey(tmp_path / "other") as other,
        open_sentinel(tmp_path / "s", valkey.port) as sentinel,
        open_link(by(sentinel.port), RedisCounts()) as link,
    ):
        nursery.start_soon(link.keep_to_master)
        async with link.wire() as held:
            assert await port_of(link) == valkey.port
            nursery.start_soon(replace, sentinel, other.port)
            with trio.fail_after(10), pytest.raises(ClusterUnavailable):
                await held.ask(b"BLPOP", b"nothing", 0)

        assert await port_of(link) == other.port


async def replace(sentinel, port):
    """Have a sentinel name another master."""
    await sentinel.ask("SENTINEL", "REMOVE", "mymaster")
    await sentinel.ask("SENTINEL", "MONITOR", "mymaster", "127.0.0.1", port, 1)

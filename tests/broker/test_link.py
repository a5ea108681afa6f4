"""Laws of the link to Redis, on a real server."""

from __future__ import annotations

import contextlib

import pytest
import trio

from fixtures.valkey import open_valkey
from gogate_trio.cluster.link import Script, open_link
from gogate_trio.config import ConfigError, Settings, effective_settings
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.redis import RedisUrl
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.limits import REDIS_CALLS
from gogate_trio.metrics import RedisCounts

PASSWORD = "a-password-for-redis"


def to(url, timeout=10.0):
    """The settings of a node with this Redis."""
    return ClusterSettings(redis=RedisUrl().parse(url), timeout=timeout)


async def test_a_call_is_answered_and_its_connection_used_again(valkey):
    """What was asked is answered, values are bytes, and one connection serves one after another."""
    counts = RedisCounts()
    async with open_link(to(valkey.url), counts) as link:
        assert await link.call(b"SET", link.key("a"), "ä", b"EX", 10) == b"OK"
        assert await link.call(b"GET", b"{gogate}:a") == "ä".encode()
        assert await link.call(b"HGETALL", "nothing") == {}

    assert (counts.connects, counts.outages) == (1, 0)


async def test_calls_at_once_do_not_mix(valkey):
    """Many callers at once each get their own answer, over a few connections."""
    counts = RedisCounts()
    async with open_link(to(valkey.url), counts) as link:

        async def ask(number):
            assert await link.call(b"ECHO", f"{number}" * 5000) == f"{number}".encode() * 5000

        async with trio.open_nursery() as asking:
            for number in range(50):
                asking.start_soon(ask, number)

    assert counts.connects <= REDIS_CALLS


async def test_a_reply_without_end_is_cut_off(valkey, monkeypatch):
    """A reply beyond the bound is not gathered, and the next call is answered."""
    monkeypatch.setattr("gogate_trio.cluster.wire.REDIS_REPLY_BYTES", 100_000)
    async with open_link(to(valkey.url), RedisCounts()) as link:
        with pytest.raises(ClusterUnavailable, match="reply too big"):
            await link.call(b"ECHO", "x" * 200_000)

        assert await link.call(b"ECHO", "mine") == b"mine"


async def test_a_call_that_is_given_up_leaves_nothing_for_the_next(valkey):
    """The answer to a cancelled call never answers another one."""
    async with open_link(to(valkey.url), RedisCounts()) as link:
        await link.call(b"PING")
        with trio.move_on_after(0.05):
            await link.call(b"BLPOP", "nothing", 0.2)

        assert await link.call(b"ECHO", "mine") == b"mine"


async def test_a_redis_that_hangs_costs_a_call_its_deadline(valkey, capfd):
    """A paused server fails each call in time; back, it serves the next one."""
    counts = RedisCounts()
    async with open_link(to(valkey.url, timeout=0.5), counts) as link:
        await link.call(b"PING")
        valkey.pause()
        began = trio.current_time()
        for _ in range(3):
            with pytest.raises(ClusterUnavailable):
                await link.call(b"PING")
        took = trio.current_time() - began
        is_up = link.is_up
        valkey.resume()
        with trio.fail_after(10):
            while not link.is_up:
                with contextlib.suppress(ClusterUnavailable):
                    await link.call(b"PING")

    assert 1.5 <= took < 10
    assert not is_up
    assert counts.outages == 1
    assert capfd.readouterr().out.count("redis_away") == 1


async def test_a_redis_that_is_gone_is_noticed_by_the_next_call(valkey):
    """Also by one that had to connect first."""
    counts = RedisCounts()
    async with open_link(to(valkey.url), counts) as link:
        await link.call(b"PING")
        await valkey.kill()
        for _ in range(2):
            with pytest.raises(ClusterUnavailable):
                await link.call(b"PING")

        assert not link.is_up
    assert counts.outages == 1


async def test_a_restart_costs_no_more_than_the_calls_under_way(valkey):
    """After a restart the next call works, on a new connection."""
    async with open_link(to(valkey.url), RedisCounts()) as link:
        script = Script("return ARGV[1] .. KEYS[1]")
        assert await link.run(script, [b"{k}"], "a") == b"a{k}"
        await valkey.restart()

        # The script is gone with the server; it is brought along again.
        assert await link.run(script, [b"{k}"], "b") == b"b{k}"


async def test_a_refusal_is_no_answer(valkey):
    """What Redis refuses fails like everything else, in words that are not Redis's."""
    async with open_link(to(valkey.url), RedisCounts()) as link:
        await link.call(b"SET", "text", "1")

        with pytest.raises(ClusterUnavailable, match="WrongTypeError"):
            await link.call(b"LPUSH", "text", "secret")


async def test_a_password_and_a_database_are_used(tmp_path):
    """User, password and database of the URL count; a wrong password is a refusal."""
    async with open_valkey(tmp_path, "--requirepass", PASSWORD, auth=PASSWORD) as valkey:
        place = f"127.0.0.1:{valkey.port}"
        async with open_link(to(f"redis://:{PASSWORD}@{place}/3"), RedisCounts()) as link:
            assert b"db=3" in await link.call(b"CLIENT", b"INFO")
        async with open_link(to(f"redis://:wrong@{place}"), RedisCounts()) as link:
            with pytest.raises(ClusterUnavailable, match="AuthenticationFailure"):
                await link.call(b"PING")


async def test_nobody_there_is_no_hang(tmp_path):
    """Where nothing listens a call fails at once, by host and by path."""
    for url in ("redis://127.0.0.1:1", f"unix://{tmp_path}/none.sock"):
        async with open_link(to(url), RedisCounts()) as link:
            with trio.fail_after(5), pytest.raises(ClusterUnavailable, match="no connection"):
                await link.call(b"PING")


@pytest.mark.parametrize(
    "url",
    [
        "redis://localhost:6379/0",
        "rediss://redis.example.org:6380/2",
        "redis://[::1]:6379/0",
        "unix:///run/redis.sock?db=0",
        "redis+sentinel://a:26379,b:1/mymaster/0",
    ],
)
def test_an_address_reads_as_it_is_written(url):
    """Every form of the URL is shown as it was given."""
    assert RedisUrl().show(RedisUrl().parse(url)) == url


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:6379",
        f"http://:{PASSWORD}@localhost",
        f"redis://:{PASSWORD}@a,b",
        f"redis://:{PASSWORD}@loc alhost",
        f"redis://:{PASSWORD}@localhost:0",
        f"redis://:{PASSWORD}@localhost/one",
        f"redis://:{PASSWORD}@localhost/0/1",
        f"redis://:{PASSWORD}@localhost?a=b",
        f"redis://:{PASSWORD}@[::1",
        f"redis://:{PASSWORD}@[::1]7",
        f"redis+sentinel://:{PASSWORD}@a,b",
        f"redis+sentinel://:{PASSWORD}@{','.join('a' * 17)}/m",
        f"unix://:{PASSWORD}@run/redis.sock",
        f"unix://:{PASSWORD}@/run/redis.sock?x=1",
        "redis://@localhost",
    ],
)
def test_an_address_that_is_none_is_refused_without_its_password(url):
    """Each mistake is told, and the password in it is not."""
    environ = {"INTERNAL_API_KEY": "a-key-of-the-tests", "REDIS_URL": url}
    with pytest.raises(ConfigError) as caught:
        Settings.load(environ, None)

    (problem,) = caught.value.problems
    assert problem.name == "REDIS_URL"
    assert PASSWORD not in problem.text


def test_the_password_is_shown_nowhere():
    """Neither the settings in force nor any ``repr`` tells the password."""
    environ = {
        "INTERNAL_API_KEY": "a-key-of-the-tests",
        "REDIS_URL": f"redis://me:{PASSWORD}@localhost",
    }
    settings = Settings.load(environ, None)
    shown = {one.name: one.text for one in effective_settings(settings)}["REDIS_URL"]

    assert shown == "redis://me:***@localhost:6379/0"
    assert PASSWORD not in repr(settings)


def test_the_address_may_stand_in_a_file(tmp_path):
    """REDIS_URL_FILE keeps the password out of the environment."""
    file = tmp_path / "url"
    file.write_text(f"redis://:{PASSWORD}@localhost\n")
    environ = {"INTERNAL_API_KEY": "a-key-of-the-tests", "REDIS_URL_FILE": str(file)}

    address = Settings.load(environ, None).cluster.redis

    assert address is not None
    assert (address.place, address.password.reveal()) == ("localhost:6379", PASSWORD)

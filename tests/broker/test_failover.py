"""Laws of the nodes when a failover takes back what Redis has said, and who is master changes."""

from __future__ import annotations

import pytest
import trio

from fakes.nodes import open_nodes, until
from fixtures.valkey import open_valkey
from gogate_trio.cluster.link import open_link
from gogate_trio.config.cluster import ClusterSettings
from gogate_trio.config.redis import RedisUrl
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.metrics import RedisCounts

RESTORE = """
redis.call('FLUSHALL')
for i = 1, #KEYS do redis.call('RESTORE', KEYS[i], 0, ARGV[i]) end
"""
SCRIPT = (b"EVAL", b"redis.call('SET', KEYS[1], '1')", 1, b"a")


async def snapshot(valkey):
    """What a replica has that lags behind from now on."""
    names = await valkey.ask(b"KEYS", b"*")
    return {name: await valkey.ask(b"DUMP", name) for name in names}


async def fail_over(valkey, behind):
    """Put what such a replica has in the place of everything, and hang up on everybody."""
    await valkey.ask(b"EVAL", RESTORE, len(behind), *behind, *behind.values())
    await valkey.ask(b"CLIENT", b"KILL", b"TYPE", b"normal")


def cut_off(node):
    """Keep a node from every new connection, until the event is set."""
    dial, may_dial = node.link._dial, trio.Event()

    async def dial_later():
        await may_dial.wait()
        return await dial()

    node.link._dial = dial_later
    return may_dial


async def test_what_a_failover_takes_back_costs_everybody_one_resync(valkey):
    """Nobody is told anything twice, and no position of before means anything."""
    async with open_nodes(valkey.url, 3) as nodes:
        resuming = [node.join(wants_positions=True) for node in nodes]
        plain = [node.join() for node in nodes]
        await nodes[0].say("1")
        behind = await snapshot(valkey)
        await nodes[0].say("2", "3")
        await nodes[1].say("4")
        for guest in (*resuming, *plain):
            await guest.hears("1", "2", "3", "4")
        old = [guest.position for guest in resuming]

        await fail_over(valkey, behind)
        await nodes[2].say("5")

        for guest in plain:
            await guest.hears("1", "2", "3", "4", "5")
        for guest in resuming:
            await until(lambda guest=guest: {"resync", "5"} <= {*guest.heard})
            assert guest.heard.count("resync") == 1
        assert all(node.replay(position) is None for node in nodes for position in old)
        assert len({node.position for node in nodes}) == 1


async def test_what_one_node_alone_had_heard_is_missed_by_all(valkey):
    """The others have given its offsets away by then: their clients are told to load, too."""
    async with open_nodes(valkey.url, 2, deadline=10.0) as (ahead, lagging):
        plain, resuming = lagging.join(), lagging.join(wants_positions=True)
        behind = await snapshot(valkey)
        lagging_may = cut_off(lagging)
        await valkey.ask(b"CLIENT", b"KILL", b"TYPE", b"normal")
        first = ahead.join()
        await ahead.say("1", "2")
        await first.hears("1", "2")
        old = ahead.position
        ahead_may = cut_off(ahead)
        await fail_over(valkey, behind)
        lagging_may.set()
        await lagging.say("3", "4", "5")
        await plain.hears("3", "4", "5")

        ahead_may.set()
        await resuming.hears("3", "4", "5", "resync")
        await ahead.say("6")

        await plain.hears("3", "4", "5", "6")
        await first.hears("1", "2", "3", "4", "5", "6")
        # What is news is told while the stream is still being read: it is joined after that.
        await until(lambda: ahead.position == lagging.position)
        assert ahead.replay(old) is lagging.replay(old) is None


async def test_who_knows_more_than_a_new_master_writes_nothing_to_it(valkey):
    """Not even before its reader has looked: an offset is given once while anybody knows it."""
    async with open_nodes(valkey.url, 1) as (node,):
        await node.say("1")
        behind = await snapshot(valkey)
        guest = node.join()
        await node.say("2", "3")
        await guest.hears("2", "3")
        old = node.position
        await valkey.ask(b"EVAL", RESTORE, len(behind), *behind, *behind.values())
        await node.say("4")

        entries = await valkey.ask(b"XRANGE", "{gogate}:stream", "-", "+")
    epoch, offset = old.rsplit("-", 1)
    given = [entry[1][1].decode().split()[1:3] for entry in entries]
    assert [each for each in given if each[0] == epoch] == [[epoch, "1"]]
    assert int(offset) == 3
    assert given[-1][0] != epoch


async def test_an_epoch_that_a_failover_brings_back_is_ended_again(valkey):
    """Its offsets are given to others: no position of before means anything on any node."""
    async with open_nodes(valkey.url, 2) as nodes:
        guests = [node.join(wants_positions=True) for node in nodes]
        await nodes[0].say("1")
        behind = await snapshot(valkey)
        await nodes[0].say("2", "3")
        for guest in guests:
            await guest.hears("1", "2", "3")
        old = guests[0].position
        nodes[1].broker.declare_gap()
        for guest in guests:
            await guest.hears("1", "2", "3", "resync")

        await fail_over(valkey, behind)
        await nodes[0].say("4", "5", "6")
        for guest in guests:
            await until(lambda guest=guest: "6" in guest.heard and guest.heard.count("resync") > 1)
        await until(lambda: nodes[0].position == nodes[1].position)

        assert [node.replay(old) for node in nodes] == [None, None]
        assert [guest.heard.count("resync") for guest in guests] == [2, 2]


async def test_a_bug_hides_nothing_that_a_failover_takes_back(valkey):
    """All is read anew then, but what was read before still says whether it is the same stream."""
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1")
        behind = await snapshot(valkey)
        await node.say("2", "3")
        await guest.hears("1", "2", "3")
        old, teller = guest.position, node.broker._teller
        tell = teller.tell

        async def buggy(*_):
            teller.tell = tell
            raise RuntimeError("a bug")

        teller.tell = buggy
        await node.say("4")
        await until(lambda: node.metrics.bugs)
        await fail_over(valkey, behind)
        await node.until("attached")
        await node.say("5", "6")
        await until(lambda: guest.heard[-1:] == ["6"])

        assert node.replay(old) is None
        assert [text for text in guest.heard if text != "resync"] == ["1", "2", "3", "4", "5", "6"]


async def test_what_comes_under_offsets_that_have_been_told_is_not_passed_over(valkey):
    """The stream was put back under a reader that noticed nothing, and goes on without a break."""
    async with open_nodes(valkey.url, 2, deadline=10.0) as (ahead, lagging):
        plain, resuming = ahead.join(), ahead.join(wants_positions=True)
        await lagging.say("0")
        await plain.hears("0")
        behind = await snapshot(valkey)
        may_dial = cut_off(lagging)
        lagging.broker._reader.doubt()
        lagging.link._drop_idle()
        await ahead.say("1", "2", "3")
        await plain.hears("0", "1", "2", "3")
        old = ahead.position
        await valkey.ask(b"EVAL", RESTORE, len(behind), *behind, *behind.values())
        may_dial.set()
        await lagging.say("a", "b", "c", "d")

        await plain.hears("0", "1", "2", "3", "a", "b", "c", "d")
        await until(lambda: ahead.position == lagging.position)
        assert resuming.heard.count("resync") == 1
        assert ahead.replay(old) is lagging.replay(old) is None


async def test_a_strangers_copy_under_a_place_that_is_taken_is_counted_and_costs_nothing(valkey):
    """The stream is looked at anew, and goes on where it was."""
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1", "2")
        await guest.hears("1", "2")
        ((_, words),) = await valkey.ask(b"XREVRANGE", b"{gogate}:stream", "+", "-", b"COUNT", 1)
        header, payload = words[1].rsplit(b" ", 2)[0], words[3]
        await valkey.ask(
            *(b"XADD", b"{gogate}:stream", b"*", b"h", header + b" stranger 7", b"p", payload)
        )
        await until(lambda: node.metrics.redis.junk)
        await until(lambda: not node.broker._reader.is_busy)
        await node.say("3")

        await guest.hears("1", "2", "3")
        assert node.metrics.gaps == 0


@pytest.fixture
async def pair(tmp_path):
    """A master and its replica."""
    at_once = ("--repl-diskless-sync-delay", "0")
    async with open_valkey(tmp_path / "master", *at_once) as master:
        of = ("--replicaof", "127.0.0.1", f"{master.port}")
        async with open_valkey(tmp_path / "replica", *at_once, *of) as replica:
            with trio.fail_after(20):
                while (await replica.ask(b"ROLE"))[3] != b"connected":  # noqa: ASYNC110 - a process
                    await trio.sleep(0.05)
            yield master, replica


async def demote(master, replica):
    """Swap them, by hand: nobody hangs up on anybody."""
    await replica.ask(b"REPLICAOF", b"NO", b"ONE")
    await master.ask(b"REPLICAOF", b"127.0.0.1", replica.port)


async def test_a_master_that_is_demoted_is_left_by_all_connections(pair, capfd):
    """Also by those that only listen, and would hear old news; by a script's word, too."""
    master, replica = pair
    settings = ClusterSettings(redis=RedisUrl().parse(master.url), timeout=5.0)
    for words in ((b"SET", b"a", b"b"), SCRIPT):
        async with open_link(settings, RedisCounts()) as link, link.wire() as wire:
            await link.call(*words)
            await demote(master, replica)
            with pytest.raises(ClusterUnavailable, match="not the master"):
                await link.call(*words)

            assert wire.is_closed
        await demote(replica, master)
    assert "not the master" in capfd.readouterr().out

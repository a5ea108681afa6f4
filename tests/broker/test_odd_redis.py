"""Laws of nodes on a Redis that is there, and not as one would have it."""

from __future__ import annotations

import contextlib
from functools import partial

import pytest
import trio

from fakes.nodes import event, open_nodes, until
from gogate_trio.broker.packing import Packing

META = "{gogate}:meta"
QUICK = 0.7
"""seconds of REDIS_TIMEOUT where a test waits it out"""
NO_NUMBERS = ("", "x", "nan", "inf", "-5", " 7 ", "1.5", "1e3", "0x10", "9" * 16)


async def test_a_redis_that_only_answers_is_waited_for_once(valkey):
    """Full, it still lets itself be read: one publication waits, and no other after it."""
    async with open_nodes(valkey.url, 1, deadline=QUICK) as (node,):
        guest = node.join()
        await node.say("0")
        await valkey.ask("CONFIG", "SET", "maxmemory", "1")
        await node.say("1")
        for text in ("2", "3", "4"):
            await trio.sleep(QUICK)
            began = trio.current_time()
            await node.say(text)
            assert trio.current_time() - began < QUICK
            assert node.state == "detached"
        await valkey.ask("CONFIG", "SET", "maxmemory", "0")
        await node.until("attached")

        await guest.hears("0", "1", "2", "3", "4")


async def test_no_number_a_stranger_writes_stops_the_stream(valkey):
    """Whatever stands where head and bytes belong, the next publication comes through."""
    async with open_nodes(valkey.url, 2, deadline=5.0) as nodes:
        guest = nodes[1].join()
        for field in ("head", "bytes"):
            for text in NO_NUMBERS:
                await valkey.ask("HSET", META, field, text)
                await nodes[0].say(f"{field} {text}")
                await until(lambda: guest.heard[-1:] == [f"{field} {text}"])  # noqa: B023 - at once

        assert [node.metrics.bugs for node in nodes] == [0, 0]
        assert [node.metrics.redis.detachments for node in nodes] == [0, 0]


async def test_what_is_gone_from_the_stream_is_noticed_without_anything_new(valkey):
    """The head counts entries that are not there: one resync, and no position from before."""
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1")
        await guest.hears("1")
        before = guest.position
        await valkey.ask("HINCRBY", META, "head", 5)
        await guest.hears("1", "resync")
        await node.say("7")

        await guest.hears("1", "resync", "7")
        assert node.replay(before) is None
        assert node.metrics.gaps == 1


async def test_what_is_gone_from_the_middle_of_the_stream_is_a_gap_once(valkey):
    """A stranger has removed an entry: who had not read it is told, and nobody for ever."""
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1")
        await guest.hears("1")
        before = guest.position
        await valkey.ask("HINCRBY", META, "head", 1)
        await node.say("3")
        await guest.hears("1", "3", "resync")
        await node.say("4")

        await guest.hears("1", "3", "resync", "4")
        assert node.replay(before) is None
        assert node.metrics.gaps == 1


@pytest.mark.parametrize("junk", [("RPUSH", "x"), ("SET", "9" * 5000)])
async def test_what_a_stranger_puts_in_place_of_a_nodes_number_costs_the_stream_nothing(
    valkey, junk
):
    """Not a bug, not the epoch: the node reads the stream anew, and its next word goes through."""
    command, *words = junk
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1")
        await guest.hears("1")
        epoch = await valkey.ask("HGET", META, "epoch")
        mine = f"{{gogate}}:last:{node.link.node}"
        await valkey.ask("DEL", mine)
        await valkey.ask(command, mine, *words)
        await valkey.ask("HINCRBY", META, "head", 5)
        await guest.hears("1", "resync")
        await node.say("7")
        await guest.hears("1", "resync", "7")

        assert await valkey.ask("HGET", META, "epoch") == epoch
        assert (node.metrics.gaps, node.metrics.bugs) == (1, 0)


async def test_gateways_of_two_databases_hear_nothing_of_each_other(valkey):
    """One Redis, two numbers, the same prefix: neither messages nor typing pass."""
    other = f"{valkey.url.removesuffix('0')}1"
    async with open_nodes(valkey.url, 2) as (one, two), open_nodes(other, 1) as (stranger,):
        far, near = stranger.join(), two.join()
        for node in (one, two, stranger):
            await until(lambda: node.broker.statistics().is_heard)  # noqa: B023 - at once
        one.broker.publish_ephemeral(event("typing", is_durable=False))
        await until(lambda: near.heard == ["typing"])
        await stranger.say("here")

        await far.hears("here")


@pytest.mark.parametrize("answer", [b"$-5\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"%1\r\n"])
async def test_what_is_no_redis_at_all_is_one_that_is_away(answer, monkeypatch):
    """Another server behind REDIS_URL: the node serves its own, and nothing counts as a bug."""
    monkeypatch.setattr("gogate_trio.broker.redis.REDIS_START_SECONDS", 0.2)

    async def talk(stream):
        with contextlib.suppress(trio.BrokenResourceError):
            while await stream.receive_some():
                await stream.send_all(answer)

    async with trio.open_nursery() as nursery:
        (listener,) = await nursery.start(partial(trio.serve_tcp, talk, 0, host="127.0.0.1"))
        port = listener.socket.getsockname()[1]
        async with open_nodes(f"redis://127.0.0.1:{port}", 1, deadline=QUICK) as (node,):
            guest = node.join()
            await node.say("1")
            await guest.hears("1")

            assert node.metrics.bugs == 0
        nursery.cancel_scope.cancel()


async def test_a_bug_in_the_channel_costs_typing_and_not_the_node(valkey, monkeypatch):
    """What is said there is lost; the next is told."""
    monkeypatch.setattr("gogate_trio.broker.ephemeral.REDIS_LONGEST_PAUSE_SECONDS", 0.05)
    async with open_nodes(valkey.url, 2) as (one, two):
        guest = two.join()
        await until(lambda: one.broker.statistics().is_heard and two.broker.statistics().is_heard)
        with monkeypatch.context() as broken:
            broken.setattr(Packing, "pack_ephemeral", None)
            one.broker.publish_ephemeral(event("lost", is_durable=False))
            await until(lambda: one.metrics.bugs)
        one.broker.publish_ephemeral(event("told", is_durable=False))
        await until(lambda: guest.heard[-1:] == ["told"])


async def test_a_bug_that_comes_again_and_again_costs_no_more_than_one_try_a_second(
    valkey, monkeypatch
):
    """And meanwhile the node serves its own."""
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join()
        monkeypatch.setattr(node.broker, "_be_attached", None)
        node.broker._sender.outgoing.batch = None
        node.broker._outgoing.ring()
        await until(lambda: node.metrics.bugs)
        before = node.metrics.bugs
        await trio.sleep(1.5)
        assert node.metrics.bugs <= before + 3
        await node.say("1")
        await guest.hears("1")

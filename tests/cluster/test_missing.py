"""Who is missing takes along what nobody else knows: everybody who can be told is, once."""

from __future__ import annotations

import signal
from contextlib import asynccontextmanager

import pytest
import trio

from cluster.nodes import PATIENCE
from cluster.probes import CHAT, seat_probes
from cluster.world import open_nodes
from fakes.clients import open_client
from fakes.line import Line
from fakes.resuming import ask, come, come_back, reply_to
from gogate_trio.limits import NODE_BEAT_SECONDS, NODE_LEASE_SECONDS

JO, MO = "token-4001", "token-4002"
SOON = NODE_LEASE_SECONDS + 5.0
"""seconds after which a node is missed"""
QUIET = NODE_LEASE_SECONDS + 3 * NODE_BEAT_SECONDS
"""seconds after which a node that is missed at all has been"""
SETTLED = NODE_LEASE_SECONDS + 2 * NODE_BEAT_SECONDS
"""seconds from its start after which a node misses others"""


@pytest.fixture
async def nodes(fake, tmp_path, monkeypatch, valkey):
    """No node yet, and a Redis."""
    seat_probes(fake)
    async with open_nodes(fake, tmp_path, monkeypatch, nodes="", valkey=valkey) as nodes:
        yield nodes


@asynccontextmanager
async def open_line(nursery, valkey):
    """A way to Redis for one node alone."""
    line = await nursery.start(lambda task_status: Line(behind=valkey.port).run(task_status))
    yield line, {"REDIS_URL": f"redis://127.0.0.1:{line.port}/0"}


async def texts_until_resync(client, within):
    """Return what a client is told before it is told to load."""
    texts = []
    with trio.fail_after(within):
        while (event := await client.next_event())["event"] != "resync":
            texts.append(event["data"].get("text"))
    return texts, event["data"]


async def is_told_nothing(client, seconds):
    """Whether a client is told nothing for so long."""
    with trio.move_on_after(seconds):
        event = await client.next_event()
        raise AssertionError(event)
    return True


def missed(nodes):
    """How often a loss was told of, by all lives."""
    return [
        entry for node in nodes.all for entry in node.gateway.log() if entry["event"] == "node_lost"
    ]


async def test_a_node_that_was_cut_off_alone_and_killed_is_missed(nodes, valkey, nursery):
    """Jo and a friend talk on a branch that nobody else can see; Mo is told to load, once."""
    async with open_line(nursery, valkey) as (line, cut_off):
        await nodes.start("a", **cut_off)
        b = await nodes.start("b")
        async with open_client(nodes.running["a"].port) as jo, open_client(b.port) as mo:
            await come(jo, JO)
            place = await come(mo, MO)
            await trio.sleep(SETTLED)
            line.cut()
            await ask(jo, "1", "send_message", chat_id=CHAT, text="alone")
            assert (await reply_to(jo, "1"))["event"] == "ack"
            await nodes.kill("a")

            told, data = await texts_until_resync(mo, SOON)
            assert told == []
            assert data["within_ms"] > 0
            assert await is_told_nothing(mo, QUIET)
        async with open_client(b.port) as late:
            assert not (await come_back(late, MO, place))["recovered"]
    assert len(missed(nodes)) == 1
    nursery.cancel_scope.cancel()


async def test_who_ends_in_order_or_is_late_is_not_missed(nodes, valkey):
    """SIGTERM and a start under the same name, SIGHUP, a node and a Redis that hang."""
    await nodes.start("a")
    b = await nodes.start("b")
    async with open_client(b.port) as mo:
        await come(mo, MO)
        await trio.sleep(SETTLED)
        await nodes.stop("a")
        a = await nodes.start("a")
        a.gateway.signal(signal.SIGHUP)
        a.gateway.signal(signal.SIGSTOP)
        await trio.sleep(NODE_LEASE_SECONDS / 2)
        a.gateway.signal(signal.SIGCONT)
        valkey.pause()
        await trio.sleep(1.5 * NODE_LEASE_SECONDS)
        valkey.resume()
        assert await is_told_nothing(mo, NODE_LEASE_SECONDS / 2)
        await nodes.stop("a")
        assert await is_told_nothing(mo, QUIET)
    assert missed(nodes) == []


async def test_a_node_that_stands_still_for_long_is_missed_once_and_comes_back(nodes):
    """From outside it looked dead. What is said when it goes on, all hear."""
    a, b = await nodes.start("a"), await nodes.start("b")
    async with open_client(a.port) as jo, open_client(b.port) as mo:
        await come(jo, JO)
        await come(mo, MO)
        await trio.sleep(SETTLED)
        a.gateway.signal(signal.SIGSTOP)
        assert (await texts_until_resync(mo, SOON))[0] == []
        a.gateway.signal(signal.SIGCONT)
        assert await is_told_nothing(mo, QUIET)
        await ask(jo, "1", "send_message", chat_id=CHAT, text="back")
        with trio.fail_after(PATIENCE):
            assert (await mo.event("new_message"))["text"] == "back"
    assert len(missed(nodes)) == 1

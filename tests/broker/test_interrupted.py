"""Laws of a node that is interrupted while it finds its place in the stream again."""

from __future__ import annotations

import pytest
import trio
from test_failover import cut_off, fail_over, snapshot

from fakes.nodes import open_nodes, until
from gogate_trio.broker import reading
from gogate_trio.broker.reading import Reader
from gogate_trio.broker.scripts import DECLARE
from gogate_trio.errors import ClusterUnavailable

QUICK = 0.3
"""seconds of REDIS_TIMEOUT where a test waits it out"""


@pytest.fixture
def interrupt(monkeypatch):
    """Break the way of a node to Redis once, after it has read so many parts of the window."""
    load, left = reading.load, {}

    async def load_or_break(link, *more):
        if link in left:
            left[link] -= 1
            if left[link] < 0:
                del left[link]
                raise ClusterUnavailable("connection lost")
        return await load(link, *more)

    monkeypatch.setattr(reading, "load", load_or_break)
    return lambda node, parts: left.update({node.link: parts})


async def test_a_window_that_was_read_in_part_is_read_anew(valkey, interrupt):
    """Else what was trimmed away of the node's own would be waited for without an end."""
    async with (
        open_nodes(valkey.url, 1, deadline=QUICK) as (node,),
        open_nodes(valkey.url, 1, deadline=20.0) as (other,),
    ):
        guest, far = node.join(wants_positions=True), other.join()
        await node.say("0")
        await far.hears("0")
        valkey.pause()
        await node.say("1")
        assert node.state == "detached"
        may_dial = cut_off(node)
        valkey.resume()
        # Redis had it, only its word was too late; and it is trimmed before the node is back.
        await far.hears("0", "1")
        await other.say("2")
        await valkey.ask(b"XTRIM", b"{gogate}:stream", b"MAXLEN", 1)
        interrupt(node, 1)
        may_dial.set()
        await node.until("attached")
        await node.say("3")
        await far.hears("0", "1", "2", "3")
        await until(lambda: guest.heard[-1:] == ["3"])

        assert sorted(guest.heard) == ["0", "1", "2", "3", "resync"]
        assert node.broker.statistics().backlog == 0
        assert node.position == other.position


async def test_what_was_read_before_a_window_is_not_forgotten_by_reading_it(valkey, interrupt):
    """A failover that falls into it has lost what the node knew: no position of before counts."""
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1")
        behind = await snapshot(valkey)
        await node.say("2", "3")
        await guest.hears("1", "2", "3")
        old = guest.position
        interrupt(node, 0)
        may_dial = cut_off(node)
        await valkey.ask(b"XTRIM", b"{gogate}:stream", b"MAXLEN", 0)
        await valkey.ask(b"CLIENT", b"KILL", b"TYPE", b"normal")
        may_dial.set()
        await until(lambda: node.metrics.gaps)
        may_dial = cut_off(node)
        await fail_over(valkey, behind)
        may_dial.set()
        await node.say("4", "5")
        # It may be told to fetch behind that: what it says before it is back, it tells by itself.
        await until(lambda: "5" in guest.heard)
        await node.until("attached")

        assert node.replay(old) is None
        assert not node.position.startswith(old.rsplit("-", 1)[0])


@pytest.fixture
def hold_reading(monkeypatch):
    """Keep a node's reader from its next look at the stream; returns the event that ends it."""
    verify, held = Reader._verify, {}

    async def verify_late(reader, wire, **how):
        if reader.link in held:
            await held[reader.link].wait()
        await verify(reader, wire, **how)

    monkeypatch.setattr(Reader, "_verify", verify_late)
    return lambda node: held.setdefault(node.link, trio.Event())


async def test_an_epoch_that_began_before_a_loss_does_not_stand_for_it(valkey, hold_reading):
    """A node that was away says what was lost since, whatever it has heard of that epoch."""
    async with open_nodes(valkey.url, 2, deadline=20.0) as (away, other):
        guest = other.join(wants_positions=True)
        may_read, may_dial = hold_reading(away), cut_off(away)
        await valkey.ask(b"CLIENT", b"KILL", b"TYPE", b"normal")
        other.broker.declare_gap()
        await guest.hears("resync")
        away.broker.declare_gap()
        may_dial.set()
        # Its sender is back before its reader.
        await guest.hears("resync", "resync")
        may_read.set()
        await away.say("1")
        await guest.hears("resync", "resync", "1")


async def test_a_loss_while_another_is_being_said_is_said_too(valkey):
    """And the answer that was lost on the way is no loss of its own."""
    async with open_nodes(valkey.url, 2, deadline=20.0) as (node, other):
        guest = other.join(wants_positions=True)
        run, answers = node.link.run, []

        async def run_and_lose(script, *words):
            reply = await run(script, *words)
            if script is not DECLARE:
                return reply
            answers.append(reply)
            if reply == [b"ok"] and answers.count(reply) == 1:
                raise ClusterUnavailable("connection lost")
            if len(answers) == 3:
                node.broker.declare_gap()
            return reply

        node.link.run = run_and_lose
        node.broker.declare_gap()
        await guest.hears("resync", "resync")
        await node.say("1")
        await guest.hears("resync", "resync", "1")

        assert [reply[0] for reply in answers] == [b"epoch", b"ok", b"epoch", b"epoch", b"ok"]
        assert not node.broker.statistics().owes_gap


async def test_a_gap_that_a_failover_takes_back_is_said_again(valkey, hold_reading):
    """Redis had taken it, nobody had read it, and a replica that lacks it is the master now."""
    async with open_nodes(valkey.url, 2, deadline=20.0) as (node, other):
        guest = other.join(wants_positions=True)
        await node.say("1")
        await guest.hears("1")
        behind = await snapshot(valkey)
        may_read = [hold_reading(each) for each in (node, other)]
        await valkey.ask(b"CLIENT", b"KILL", b"TYPE", b"normal")
        run, answers = node.link.run, []

        async def note(script, *words):
            reply = await run(script, *words)
            if script is DECLARE:
                answers.append(reply)
            return reply

        node.link.run = note
        node.broker.declare_gap()
        await until(lambda: [b"ok"] in answers)
        await fail_over(valkey, behind)
        for each in may_read:
            each.set()

        await guest.hears("1", "resync")
        await node.say("2")
        await guest.hears("1", "resync", "2")


async def test_a_loss_is_said_before_a_node_has_handed_over(valkey, monkeypatch):
    """Who may leave then leaves nothing unsaid; until it is said, it is owed."""
    monkeypatch.setattr("gogate_trio.broker.outgoing.BACKLOG_PUBLICATIONS", 3)
    async with open_nodes(valkey.url, 2, deadline=QUICK) as (node, other):
        guest = other.join(wants_positions=True)
        valkey.pause()
        await node.say(*(f"{number}" for number in range(9)))
        assert node.broker.statistics().owes_gap
        valkey.resume()
        with trio.fail_after(20):
            await node.broker.wait_handed_over()
        node.scope.cancel()

        await until(lambda: "8" in guest.heard and "resync" in guest.heard)


async def test_a_loss_is_said_while_there_is_always_something_to_send(valkey):
    """Whoever writes all the time keeps nobody from being told to fetch."""
    async with open_nodes(valkey.url, 2, deadline=20.0) as (node, other):
        guest = other.join(wants_positions=True)
        async with trio.open_nursery() as writing:

            async def write_for_ever():
                while True:
                    await node.say("on")

            for _ in range(20):
                writing.start_soon(write_for_ever)
            await until(lambda: "on" in guest.heard)
            node.broker.declare_gap()
            await until(lambda: "resync" in guest.heard)
            writing.cancel_scope.cancel()

"""Laws of the nodes when Redis hangs, dies, forgets or is full of junk."""

from __future__ import annotations

from contextlib import AsyncExitStack
from secrets import token_hex

import pytest
import trio

from fakes.nodes import CHAT, event, open_nodes, start, until
from fixtures.valkey import open_valkey
from gogate_trio.broker.base import Disconnect, ForgetMembers, Revalidate
from gogate_trio.broker.reading import Reader
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.ids import UserId

QUICK = 0.8
"""seconds of REDIS_TIMEOUT where a test waits it out"""


def watched(nodes):
    """Clients on every node: with positions, and without."""
    return (
        [node.join(wants_positions=True) for node in nodes],
        [node.join() for node in nodes],
    )


async def attached(nodes):
    """Wait until all nodes are one again."""
    for node in nodes:
        await node.until("attached")


async def test_a_short_pause_is_noticed_by_nobody(valkey):
    """Redis hangs for less than the deadline: everything comes once, and no resync."""
    async with open_nodes(valkey.url, 2, deadline=5.0) as nodes:
        resuming, plain = watched(nodes)
        await nodes[0].say("1")
        valkey.pause()
        async with trio.open_nursery() as publishing:
            publishing.start_soon(nodes[0].say, "2", "3")
            publishing.start_soon(nodes[1].say, "4")
            await trio.sleep(0.2)
            valkey.resume()

        for guest in (*resuming, *plain):
            await until(lambda guest=guest: len(guest.heard) == 4)
        assert len({tuple(guest.heard) for guest in (*resuming, *plain)}) == 1
        assert [node.metrics.redis.detachments for node in nodes] == [0, 0]


async def test_a_long_pause_stops_nobody_and_loses_nothing(valkey):
    """Each node tells its own at once; then all hear all, and who can resume one resync."""
    async with open_nodes(valkey.url, 2, deadline=QUICK) as nodes:
        resuming, plain = watched(nodes)
        await nodes[0].say("0")
        for guest in (*resuming, *plain):
            await guest.hears("0")
        before = resuming[0].position
        valkey.pause()
        async with trio.open_nursery() as publishing:
            publishing.start_soon(nodes[0].say, "a1")
            publishing.start_soon(nodes[1].say, "b1")
        began = trio.current_time()
        await nodes[0].say("a2")
        await nodes[1].say("b2")
        took = trio.current_time() - began

        await plain[0].hears("0", "a1", "a2")
        await plain[1].hears("0", "b1", "b2")
        assert took < QUICK
        # Whoever was cut off meanwhile comes back to the same node and misses nothing.
        assert nodes[0].replay(before) == ["a1", "a2"]
        assert nodes[0].replay(resuming[0].position) == []

        valkey.resume()
        await attached(nodes)
        await nodes[1].say("end")
        for guest in plain:
            await until(lambda guest=guest: guest.heard[-1:] == ["end"])
            assert sorted(guest.heard) == ["0", "a1", "a2", "b1", "b2", "end"]
        for guest in resuming:
            await until(lambda guest=guest: guest.heard[-1:] == ["end"])
            assert guest.heard.count("resync") == 1
            assert guest.heard.index("resync") > guest.heard.index("0")
        # The order of all is one, and a position from before counts on both.
        orders = [node.replay(before) for node in nodes]
        assert orders[0] == orders[1]
        assert sorted(orders[0][:-1]) == ["a1", "a2", "b1", "b2"]
        assert nodes[0].replay(resuming[1].position) == []


async def test_what_was_said_before_a_branch_is_kept_behind_an_instruction(valkey):
    """It has a place in the stream, too: who was away before comes back and misses nothing."""
    async with open_nodes(valkey.url, 1, deadline=QUICK) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1")
        await guest.hears("1")
        before = guest.position
        await node.say("2")
        await node.broker.instruct(ForgetMembers(CHAT))
        await until(lambda: node.obeyed)
        valkey.pause()
        await node.say("alone")
        valkey.resume()
        await node.until("attached")
        await guest.hears("1", "2", "alone", "resync")

        assert node.replay(before) == ["2", "alone"]


async def test_an_outage_without_publications_costs_nobody_a_resync(tmp_path):
    """Redis is restarted, keeps its data, and nothing happened meanwhile."""
    async with (
        open_valkey(tmp_path / "v", is_persistent=True) as valkey,
        open_nodes(valkey.url, 2) as nodes,
    ):
        resuming, plain = watched(nodes)
        await nodes[0].say("1")
        await valkey.restart()
        await nodes[1].say("2")

        for guest in (*resuming, *plain):
            await guest.hears("1", "2")
        assert [node.metrics.gaps for node in nodes] == [0, 0]


@pytest.mark.parametrize("how", ["flush", "restart"])
async def test_a_redis_that_forgot_everything_is_a_gap_for_all(valkey, how):
    """Emptied, by FLUSHALL or by a restart: one resync for each, and everything goes on."""
    async with open_nodes(valkey.url, 2) as nodes:
        resuming, plain = watched(nodes)
        await nodes[0].say("1", "2", "3")
        for guest in (*resuming, *plain):
            await guest.hears("1", "2", "3")
        old = resuming[0].position
        if how == "flush":
            await valkey.ask(b"FLUSHALL")
        else:
            await valkey.restart()
        await nodes[0].say("4", "5", "6", "7", "8")

        for guest in plain:
            await guest.hears("1", "2", "3", "4", "5", "6", "7", "8")
        for guest in resuming:
            await until(lambda guest=guest: guest.heard[-1:] == ["8"] or "resync" in guest.heard)
            await until(lambda guest=guest: guest.heard.count("resync") == 1)
        assert all(node.replay(old) is None for node in nodes)
        await nodes[1].say("9")
        for guest in resuming:
            await until(lambda guest=guest: guest.heard[-1:] == ["9"])
            assert guest.heard.count("resync") == 1
        assert nodes[0].replay(resuming[1].position) == []


async def test_an_emptied_redis_is_noticed_while_nobody_says_anything(valkey):
    """A node that has nothing to say learns it, too, within seconds."""
    async with open_nodes(valkey.url, 1) as (node,):
        guest = node.join(wants_positions=True)
        await node.say("1")
        await guest.hears("1")
        await valkey.ask(b"FLUSHALL")

        await guest.hears("1", "resync")


async def test_a_node_that_was_cut_off_too_long_hears_what_is_left(valkey, monkeypatch):
    """Trimmed past where it was, a node tells what is still there, and has its clients fetch."""
    monkeypatch.setattr("gogate_trio.broker.redis.STREAM_LEAST", 100)
    async with open_nodes(valkey.url, 2, events=100) as nodes:
        resuming, plain = watched(nodes)
        await nodes[0].say("1")
        for guest in (*resuming, *plain):
            await guest.hears("1")
        reader = nodes[1].broker._reader
        # Its way to Redis is lost while the others write on.
        place = reader.link._dialler.address
        reader.link._dialler.address = type(place)(hosts=(("127.0.0.1", 1),))
        reader.doubt()
        async with trio.open_nursery() as publishing:
            for number in range(30):
                texts = [f"{number}.{n}" for n in range(20)]
                publishing.start_soon(nodes[0].say, *texts)
        reader.link._dialler.address = place

        await until(lambda: "resync" in resuming[1].heard)
        await nodes[0].say("end")
        for guest in (*resuming, *plain):
            await until(lambda guest=guest: guest.heard[-1] == "end")
        assert resuming[1].heard.count("resync") == 1
        assert "resync" not in resuming[0].heard
        told = [text for text in plain[1].heard if text in {*plain[0].heard}]
        assert told == [text for text in plain[0].heard if text in {*told}]
        assert 90 < len(told) < 400


async def test_a_node_that_starts_reads_the_window_first(valkey):
    """It brings clients of other nodes up to date; what is old it tells and does to nobody."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        first = await start(stack, nursery, valkey.url)
        before = first.position
        await first.say("1", "2")
        await first.broker.instruct(Disconnect(UserId(1), 4503, "revoked"))
        await first.say("3")
        # Redis's clock is known but for the time its answer takes: what is younger counts as new.
        await trio.sleep(1.0)

        second = await start(stack, nursery, valkey.url)

        assert second.replay(before) == ["1", "2", "3"]
        assert second.position == first.position
        assert second.obeyed == []
        assert second.metrics.gaps == 0
        nursery.cancel_scope.cancel()


async def test_a_place_that_a_node_gives_when_it_starts_counts_on_all(valkey):
    """Also where the stream ends with what is no event, or with what was told before."""
    async with AsyncExitStack() as stack:
        nursery = await stack.enter_async_context(trio.open_nursery())
        first = await start(stack, nursery, valkey.url)
        await first.say("1")
        for last in (ForgetMembers(CHAT), Revalidate(UserId(1))):
            await first.broker.instruct(last)
            second = await start(stack, nursery, valkey.url)
            guest = first.join(wants_positions=True)

            await until(lambda: first.position == second.position)  # noqa: B023 - at once
            assert first.replay(second.position) == []
        await second.say("2")
        await guest.hears("2")
        # Who says it need not be the first to read it.
        await until(lambda: guest.position == second.position)
        nursery.cancel_scope.cancel()


async def test_a_node_starts_without_redis_and_attaches_later(tmp_path, monkeypatch):
    """It serves its own clients meanwhile; the others get what it told, once it is back."""
    monkeypatch.setattr("gogate_trio.broker.redis.REDIS_START_SECONDS", 0.1)
    async with open_valkey(tmp_path / "v") as valkey:
        await valkey.kill()
        async with open_nodes(valkey.url, 2) as nodes:
            resuming, plain = watched(nodes)
            await nodes[0].say("1")
            await plain[0].hears("1")
            await valkey.start()
            await attached(nodes)
            await nodes[0].say("2")

            for guest in plain:
                await guest.hears("1", "2")
            assert nodes[1].replay(nodes[0].position) == []
            for guest in resuming:
                assert guest.heard.count("resync") == 1


async def test_junk_is_dropped_and_counted(valkey):
    """Whatever a stranger puts on the stream or the channel, what follows is told."""
    async with open_nodes(valkey.url, 2) as nodes:
        resuming, plain = watched(nodes)
        await until(lambda: all(node.broker.statistics().is_heard for node in nodes))
        await nodes[0].say("1")
        stream, channel = b"{gogate}:stream", b"{gogate}:channel"
        await valkey.ask(b"XADD", stream, b"*", b"a", b"b")
        await valkey.ask(b"XADD", stream, b"*", b"h", b"1 x 1 1 1 n 1", b"p", b"")
        await valkey.ask(b"XADD", stream, b"*", b"h", b"\xff" * 100, b"p", b"x" * 100_000)
        await valkey.ask(b"XADD", stream, b"*", b"h", b"9 x 1 1 1 n 1", b"p", b"")
        for message in (b"", b"junk", b"\xff" * 1000, b"\x93\xa11\xa1n\x90\x00", b"x" * 1_000_000):
            await valkey.ask(b"PUBLISH", channel, message)
        await nodes[1].say("2")
        nodes[0].broker.publish_ephemeral(event("typing", is_durable=False))

        for guest in (*resuming, *plain):
            await until(lambda guest=guest: sorted(guest.heard) == ["1", "2", "typing"])
        await until(lambda: all(node.metrics.redis.junk >= 9 for node in nodes))
        assert [node.metrics.gaps for node in nodes] == [0, 0]


async def test_a_payload_that_makes_no_sense_is_skipped(valkey):
    """An entry of a node of another making is nobody's, and what follows is told."""
    async with open_nodes(valkey.url, 2) as nodes:
        _, plain = watched(nodes)
        await nodes[0].say("1")
        packing = nodes[0].broker._packing
        nodes[0].broker._packing = type("Odd", (), {"pack": lambda _, __: b"\x91\xcd\xff"})()
        await nodes[0].say("odd")
        nodes[0].broker._packing = packing
        await nodes[0].say("2")

        await plain[1].hears("1", "2")
        assert nodes[1].metrics.redis.junk == 1


@pytest.mark.parametrize(
    "words",
    [
        (b"SET", b"{gogate}:stream", b"x"),
        (b"SET", b"{gogate}:meta", b"x"),
        (b"HSET", b"{gogate}:meta", b"head", b"many"),
        (b"HSET", b"{gogate}:meta", b"epoch", b"of a stranger"),
        (b"XADD", b"{gogate}:stream", b"18446744073709551615-18446744073709551615", b"a", b"b"),
    ],
)
async def test_a_stream_that_cannot_be_lived_with_is_cleared(valkey, words):
    """A key of another kind, or an id after which there is none: one resync, and on it goes."""
    async with open_nodes(valkey.url, 2, deadline=5.0) as nodes:
        resuming, plain = watched(nodes)
        await nodes[0].say("1")
        for guest in (*resuming, *plain):
            await guest.hears("1")
        if words[0] == b"SET":
            await valkey.ask(b"DEL", words[1])
        await valkey.ask(*words)
        await nodes[0].say("2")
        await nodes[1].say("3")

        for guest in plain:
            await guest.hears("1", "2", "3")
        for guest in resuming:
            await until(lambda guest=guest: guest.heard.count("resync") >= 1)


async def test_a_full_backlog_drops_the_oldest_and_declares_a_gap(valkey, monkeypatch):
    """What nobody else can be told any more is owed as a gap to everybody."""
    monkeypatch.setattr("gogate_trio.broker.outgoing.BACKLOG_PUBLICATIONS", 10)
    async with open_nodes(valkey.url, 2, deadline=QUICK) as nodes:
        resuming, plain = watched(nodes)
        await nodes[0].say("0")
        for guest in (*resuming, *plain):
            await guest.hears("0")
        valkey.pause()
        texts = [f"{n}" for n in range(1, 31)]
        await nodes[0].say(*texts)
        await plain[0].hears("0", *texts)
        statistics = nodes[0].broker.statistics()
        valkey.resume()
        await attached(nodes)
        await until(lambda: nodes[1].metrics.gaps == 1)
        await nodes[0].say("end")

        assert statistics.backlog == 10
        # The very first may have been on its way into Redis already.
        await until(lambda: plain[1].heard[-1] == "end")
        assert [text for text in plain[1].heard if text != "1"] == ["0", *texts[-10:], "end"]
        await until(lambda: resuming[1].heard[-2:] == ["resync", "end"])


async def test_what_was_sent_before_the_stream_was_read_is_waited_for_no_more(valkey, monkeypatch):
    """A node whose backlog and gap are in the stream before it reads is one with it again."""
    monkeypatch.setattr("gogate_trio.broker.outgoing.BACKLOG_PUBLICATIONS", 10)
    verify, may_read, links = Reader._verify, trio.Event(), []

    async def verify_late(reader, wire, **how):
        if reader.link in links:
            await may_read.wait()
        await verify(reader, wire, **how)

    monkeypatch.setattr(Reader, "_verify", verify_late)
    async with open_nodes(valkey.url, 2, deadline=QUICK) as nodes:
        _, plain = watched(nodes)
        links.append(nodes[0].link)
        valkey.pause()
        texts = [f"{n}" for n in range(1, 31)]
        await nodes[0].say(*texts)
        valkey.resume()
        await until(lambda: nodes[1].metrics.gaps == 1)
        may_read.set()
        await attached(nodes)
        await nodes[0].say("end")
        await until(lambda: all(person.heard[-1] == "end" for person in plain))

        assert plain[0].heard == [*texts, "end"]
        await until(lambda: nodes[0].broker.statistics().backlog == 0)


async def test_one_lost_answer_doubles_nothing(valkey):
    """Redis took it and the answer was lost: it is sent again, and is there once."""
    async with open_nodes(valkey.url, 2, deadline=5.0) as nodes:
        _, plain = watched(nodes)
        link = nodes[0].link
        call, lost = link.call, []

        async def lossy(*words):
            reply = await call(*words)
            if not lost and words[0] in {b"EVALSHA", b"EVAL"} and b"x1" in bytes(words[-1]):
                lost.append(words)
                raise ClusterUnavailable("connection lost")
            return reply

        link.call = lossy
        await nodes[0].say("x1", key="k")
        await nodes[0].say("x2")

        for guest in plain:
            await guest.hears("x1", "x2")
        assert lost


async def test_a_redis_that_takes_nothing_more_is_as_if_away(tmp_path):
    """Out of memory it refuses to write: nodes go on alone, and heal when there is room."""
    async with (
        open_valkey(tmp_path / "v", "--maxmemory-policy", "noeviction") as valkey,
        open_nodes(valkey.url, 2, deadline=QUICK) as nodes,
    ):
        _, plain = watched(nodes)
        await nodes[0].say("1")
        await plain[1].hears("1")
        await valkey.ask(b"CONFIG", b"SET", b"maxmemory", 1)
        await nodes[0].say("2")
        await plain[0].hears("1", "2")
        assert plain[1].heard == ["1"]
        await valkey.ask(b"CONFIG", b"SET", b"maxmemory", 0)

        await plain[1].hears("1", "2")


async def test_a_bug_costs_the_place_and_not_the_node(valkey):
    """Something that should not be is logged and counted, and then all goes on."""
    async with open_nodes(valkey.url, 2) as nodes:
        _, plain = watched(nodes)
        await nodes[0].say("1")
        await plain[1].hears("1")
        teller = nodes[1].broker._teller
        tell = teller.tell

        async def buggy(*_):
            teller.tell = tell
            raise RuntimeError("a bug")

        teller.tell = buggy
        await nodes[0].say("2", "3")

        await plain[1].hears("1", "2", "3")
        assert nodes[1].metrics.bugs == 1
        assert nodes[0].metrics.bugs == 0
        # What it had read may be half noted: it reads all of it anew.
        assert nodes[1].metrics.gaps == 1


async def test_what_somebody_published_who_was_cancelled_is_told_while_redis_is_away(valkey):
    """Nobody need publish anything more for that."""
    async with open_nodes(valkey.url, 1, deadline=QUICK) as (node,):
        guest = node.join()
        valkey.pause()
        await node.say("1")
        assert node.state == "detached"
        with trio.move_on_after(0) as gone:
            await node.say("2")

        assert gone.cancelled_caught
        await guest.hears("1", "2")
        assert node.state == "detached"


async def test_what_others_tell_while_a_node_serves_alone_is_news_to_its_clients(
    tmp_path, monkeypatch
):
    """Started without Redis, two nodes tell each other's clients what each told alone."""
    monkeypatch.setattr("gogate_trio.broker.redis.REDIS_START_SECONDS", 0.1)
    async with open_valkey(tmp_path / "v") as valkey:
        await valkey.kill()
        async with open_nodes(valkey.url, 2) as nodes:
            _, plain = watched(nodes)
            await nodes[0].say("a")
            await nodes[1].say("b")
            await valkey.start()
            await attached(nodes)

            await plain[0].hears("a", "b")
            await plain[1].hears("b", "a")


async def test_who_catches_up_makes_nobody_wait_and_does_not_begin_anew(valkey):
    """While a long backlog goes out slowly, what is published is told; and it heals at once."""
    async with open_nodes(valkey.url, 2, deadline=1.0) as nodes:
        _, plain = watched(nodes)
        valkey.pause()
        texts = [f"{n}" for n in range(300)]
        await nodes[0].say(*texts)
        call, slow = nodes[0].link.call, [True]

        async def slowly(*words):
            if slow[0] and len(words) > 50:
                await trio.sleep(0.5)
            return await call(*words)

        nodes[0].link.call = slowly
        valkey.resume()
        await nodes[0].until("healing")
        began = trio.current_time()
        await nodes[0].say("new")
        took = trio.current_time() - began
        await attached(nodes)

        assert took < 3
        assert nodes[0].metrics.redis.detachments == 1
        await until(lambda: sorted(plain[1].heard) == sorted([*texts, "new"]))
        assert sorted(plain[0].heard) == sorted([*texts, "new"])


async def test_what_does_not_come_through_in_one_go_comes_in_smaller_ones(valkey):
    """However narrow the way: the others get the backlog, and the node is one with them again."""
    async with open_nodes(valkey.url, 2, deadline=QUICK) as nodes:
        _, plain = watched(nodes)
        call, refused = nodes[0].link.call, []

        async def call_if_small(*words):
            if sum(len(word) for word in words if isinstance(word, bytes)) > 60_000:
                refused.append(words)
                raise ClusterUnavailable("no answer in time")
            return await call(*words)

        nodes[0].link.call = call_if_small
        valkey.pause()
        texts = [token_hex(4000) for _ in range(40)]
        await nodes[0].say(*texts)
        valkey.resume()
        await attached(nodes)

        for person in plain:
            await person.hears(*texts)
        assert refused

"""Laws of the nodes: they know each other, count together, and forget who died."""

from __future__ import annotations

import attrs
import pytest
import trio

from fakes.registry import PULSE, open_nodes, until
from gogate_trio import limits
from gogate_trio.cluster import scripts
from gogate_trio.cluster.base import HERE
from gogate_trio.errors import ClusterUnavailable

ANN, BOB = 1, 2


async def names(node):
    """What the nodes are called that a node knows."""
    return [each.name for each in await node.survey.nodes()]


def left(people):
    """How many of these have not been hung up on."""
    return sum(person.hangup is None for person in people)


async def test_nodes_know_each_other(valkey):
    """Each lists itself first, and what each says of itself."""
    async with open_nodes(valkey, "b", "a", "c") as (b, a, c):
        await a.enter(ANN)
        await until(lambda: a.metrics.nodes == 3)

        assert await names(b) == ["b", "a", "c"]
        await until(lambda: _users_seen(c, "a", 1))
        card = (await c.survey.nodes())[1]
        assert attrs.astuple(card)[1:] == ("a", "1.0", "serving", 1.5, 7, 1)
        assert card.id == a.link.node


async def _users_seen(node, name, users):
    return next(each.users for each in await node.survey.nodes() if each.name == name) == users


async def test_who_says_goodbye_is_gone_at_once(valkey):
    """A drained node counts for nothing from then on."""
    async with open_nodes(valkey, "a", "b", limit=1, policy="oldest") as (a, b):
        await a.enter(ANN)
        await a.registry.leave(owes=False)

        assert await names(b) == ["b"]
        assert await b.enter(ANN)


async def test_a_goodbye_takes_no_longer_than_a_moment(valkey):
    """Without Redis too; and the node does not come back by itself."""
    pulse = attrs.evolve(PULSE, wait=0.1)
    async with open_nodes(valkey, "a", "b", deadline=3.0, pulse=pulse) as (a, b):
        valkey.pause()
        began = trio.current_time()
        await a.registry.leave(owes=False)
        assert trio.current_time() - began < 2
        valkey.resume()
        await until(lambda: not b.registry._is_away)
        await until(lambda: b.metrics.nodes == 1)


async def test_who_dies_is_gone_when_its_lease_ends(valkey):
    """After a kill -9 nobody has to tidy up; until then its connections count."""
    async with open_nodes(valkey, "a", "b", limit=1, policy="oldest") as (a, b):
        await a.enter(ANN)
        a.die()

        assert await b.enter(ANN) is None
        await until(lambda: b.metrics.nodes == 1)
        assert await names(b) == ["b"]
        assert await b.enter(ANN)
        await trio.sleep(PULSE.lease + PULSE.grace + 0.1)
        assert await valkey.ask(b"EXISTS", a.link.key(f"node:{a.link.node}:users")) == 0


async def test_over_all_nodes_the_newest_stay(valkey):
    """MAX_CONNECTIONS_PER_USER counts everywhere; the oldest goes, on whatever node it is."""
    async with open_nodes(valkey, "a", "b", "c", limit=3) as (a, b, c):
        people = []
        for node in (a, b, c, b, a):
            people.append(await node.enter(ANN))
            # Nodes compare milliseconds.
            await trio.sleep(0.005)
        others = [await node.enter(BOB) for node in (a, b, c)]
        await until(lambda: left(people) == 3)
        await trio.sleep(PULSE.beat * 3)

        assert [person.hangup is None for person in people] == [False, False, True, True, True]
        assert people[0].hangup.code == 4509
        assert left(others) == 3


async def test_over_all_nodes_the_oldest_stay_where_that_is_said(valkey):
    """The newest is refused, until one of the others leaves."""
    async with open_nodes(valkey, "a", "b", limit=2, policy="oldest") as (a, b):
        first, second = await a.enter(ANN), await b.enter(ANN)

        assert await b.enter(ANN) is None
        assert await a.enter(ANN) is None
        first.leave()
        await until(lambda: _enters(b, ANN))
        assert second.hangup is None


async def _enters(node, user):
    return await node.enter(user) is not None


@pytest.mark.parametrize("policy", ["newest", "oldest"])
async def test_the_cap_holds_when_many_come_at_once_everywhere(valkey, policy):
    """Whatever the order: as many stay as may, and not one fewer."""
    async with open_nodes(valkey, "a", "b", "c", limit=4, policy=policy) as nodes:
        people = []

        async def come(node):
            people.append(await node.enter(ANN))

        async with trio.open_nursery() as coming:
            for node in nodes * 8:
                coming.start_soon(come, node)

        def here():
            return sum(node.roster.count(ANN) for node in nodes)

        await until(lambda: here() == 4)
        await trio.sleep(PULSE.beat * 4)
        assert here() == 4
        assert not sum((node.metrics.fallbacks for node in nodes), start=nodes[0].metrics.errors)


async def test_after_a_redis_that_forgot_everything_all_is_known_again(valkey):
    """FLUSHALL costs a beat: then everybody counts as before."""
    async with open_nodes(valkey, "a", "b", limit=2, policy="oldest") as (a, b):
        await a.enter(ANN)
        await b.enter(ANN)
        await valkey.ask(b"FLUSHALL")

        await until(lambda: _all_know(a, b))
        await until(lambda: _standing(b, ANN, HERE))
        assert await b.enter(ANN) is None


async def _all_know(*nodes):
    return all([len(await names(node)) == len(nodes) for node in nodes])


async def _standing(node, user, wanted):
    return (await node.survey.standings([user])) == [wanted]


async def test_while_redis_is_away_each_node_counts_alone_and_nobody_waits(valkey):
    """Whoever comes is let in by the word of this node; it is counted, and made up for."""
    async with open_nodes(valkey, "a", "b", limit=2, policy="oldest", deadline=0.3) as (a, b):
        await a.enter(ANN)
        await valkey.kill()
        with trio.fail_after(10):
            assert await b.enter(ANN)
            assert await b.enter(ANN)
            assert await b.enter(ANN) is None
        assert b.metrics.fallbacks["connections"] == 2
        with pytest.raises(ClusterUnavailable):
            await b.survey.nodes()

        await valkey.start()
        await until(lambda: _answers(b))
        await until(lambda: _standing(a, ANN, HERE))
        assert await a.enter(ANN) is None


async def _answers(node):
    try:
        return len(await names(node)) == 2
    except ClusterUnavailable:
        return False


async def test_a_redis_that_hangs_holds_nobody_up(valkey):
    """CLUSTER_WAIT_SECONDS: a moment for the first, and none at all for those behind."""
    pulse = attrs.evolve(PULSE, wait=0.1)
    async with open_nodes(valkey, "a", limit=2, deadline=2.0, pulse=pulse) as (a,):
        valkey.pause()
        began = trio.current_time()
        assert await a.enter(ANN)
        assert trio.current_time() - began < 1.5
        await until(lambda: a.registry._is_away)
        began = trio.current_time()
        for _ in range(100):
            assert await a.enter(BOB)
        assert trio.current_time() - began < 2
        assert a.metrics.fallbacks["connections"] == 101
        valkey.resume()
        await until(lambda: not a.registry._is_away)


async def test_no_more_wait_at_the_door_than_there_is_room_for(valkey, monkeypatch):
    """CLUSTER_WAITING: who comes then is let in by this node alone."""
    monkeypatch.setattr(limits, "CLUSTER_WAITING", 3)
    async with open_nodes(valkey, "a", limit=100) as (a,):
        async with trio.open_nursery() as coming:
            for user in range(10):
                coming.start_soon(a.enter, user + 1)

        assert a.metrics.fallbacks["connections"] == 7
        assert len(a.roster) == 10


async def test_a_node_with_many_users_says_all_of_them(valkey):
    """In pieces, and again to a Redis that has forgotten them; others hear who has moved."""
    users = list(range(1, 701))
    async with open_nodes(valkey, "a", "b") as (a, b):
        for user in users:
            await a.enter(user)
        await until(lambda: _all_here(b, users))
        await until(lambda: set(b.moved) == set(users))
        await valkey.ask(b"FLUSHALL")
        await until(lambda: _all_here(b, users))


async def _all_here(node, users):
    return await node.survey.standings(users) == [HERE] * len(users)


async def test_a_report_that_comes_late_changes_nothing(valkey):
    """What hung in a connection for a while does not undo what was said since."""
    async with open_nodes(valkey, "a", "b") as (a, b):
        await a.enter(ANN)
        await until(lambda: _standing(b, ANN, HERE))
        node = f"node:{a.link.node}"
        names_ = ("nodes", f"{node}:users", f"{node}:errands", "left", "moves")
        reply = await a.link.run(
            scripts.REPORT,
            [a.link.key(name) for name in names_],
            *(a.link.key("node:"), a.link.node, 1000, 1, 1, 1, "newest"),
            *(ANN, 0, 0, 0),
        )

        assert reply == 0
        assert await _standing(b, ANN, HERE)


async def test_junk_among_the_cards_is_passed_over(valkey):
    """Whatever somebody writes there, the others are listed."""
    async with open_nodes(valkey, "a", "b") as (a, b):
        for number, junk in enumerate(("x", "[]", '{"id": 1}', "\xff")):
            await valkey.ask(b"ZADD", a.link.key("nodes"), 10**15, f"junk{number}")
            await valkey.ask(b"SET", a.link.key(f"node:junk{number}:card"), junk)

        assert await names(b) == ["b", "a"]


async def test_each_node_knows_which_others_have_connections_of_a_user(valkey):
    """And how many: of those that live, and of what none of ours can have said not a word."""
    async with open_nodes(valkey, "a", "c", "b") as (a, c, b):
        for node in (a, b, b, c):
            await node.enter(ANN)
        await c.enter(BOB)
        users = f"node:{c.link.node}:users"

        async def found(user):
            return [(card.name, count) for card, count in await a.survey.holders(user)]

        assert (await found(ANN), await found(BOB)) == ([("b", 2), ("c", 1)], [("c", 1)])
        await valkey.ask(b"ZADD", a.link.key("nodes"), 10**15, "junk", 10**15, "more")
        await valkey.ask(b"HSET", a.link.key("node:junk:users"), ANN, "1:1")
        await valkey.ask(b"SET", a.link.key("node:more:users"), "x")
        await valkey.ask(b"HSET", a.link.key(users), BOB, "x")
        assert (await found(ANN), await found(BOB)) == ([("b", 2), ("c", 1)], [("c", 0)])
        b.die()
        await until(lambda: a.metrics.nodes == 2)
        assert await found(ANN) == [("c", 1)]


async def test_keys_of_another_kind_are_in_the_way_for_a_moment(valkey):
    """Under whichever of our names: soon all nodes count together again, without a bug."""
    async with open_nodes(valkey, "a", "b", limit=1) as (a, b):
        node = f"node:{a.link.node}"
        kinds = dict.fromkeys(("nodes", "left", f"{node}:users", f"{node}:errands"), "stream")
        for number, (name, kind) in enumerate({**kinds, "moves": "list"}.items()):
            await valkey.ask("DEL", a.link.key(name))
            junk = ("XADD", a.link.key(name), "*", "f", "v")
            await valkey.ask(*(junk if kind == "stream" else ("RPUSH", a.link.key(name), "v")))
            await until(lambda: _counts_with(a, b, ANN + 10 * number))  # noqa: B023 - at once

        assert (a.metrics.bugs, b.metrics.bugs) == (0, 0)


async def _counts_with(one, other, user):
    """Whether a user who comes to one node and then to another has one connection left."""
    first = await one.enter(user)
    second = await other.enter(user)
    with trio.move_on_after(4 * PULSE.beat):
        while first.hangup is None:  # noqa: ASYNC110 - nobody rings
            await trio.sleep(PULSE.beat / 4)
    is_gone = first.hangup is not None
    first.leave()
    second.leave()
    return is_gone


async def test_a_chat_of_any_size_is_asked_about(valkey):
    """In pieces: Redis's stack has room for some thousands, and others wait meanwhile."""
    async with open_nodes(valkey, "a", "b") as (a, b):
        users = range(1, 20_001)
        last = users[-1]
        await a.enter(last)
        await until(lambda: _standing(b, last, HERE))
        calls = b.metrics.redis.connects

        assert await b.survey.standings(users) == [None] * (last - 1) + [HERE]
        assert b.metrics.redis.connects - calls <= 1


# ── where users are ──────────────────────────────────────────────────────────


async def test_where_users_are_is_said_by_all_other_nodes(valkey):
    """Of this node's own users the registry says nothing: the node knows better."""
    async with open_nodes(valkey, "a", "b") as (a, b):
        ann = await a.enter(ANN)
        await until(lambda: _standing(b, ANN, HERE))
        assert await a.survey.standings([ANN, BOB]) == [None, None]
        ann.leave()
        await until(lambda: _left(b, ANN))

        assert await a.survey.standings([]) == []


async def _left(node, user):
    (standing,) = await node.survey.standings([user])
    return standing is not None and standing >= 0


async def test_who_changes_nodes_within_the_grace_was_never_away(valkey):
    """Whoever looks, from whatever node, sees no gap."""
    pulse = attrs.evolve(PULSE, grace=1.5)
    async with open_nodes(valkey, "a", "b", "c", pulse=pulse) as (a, b, c):
        looks = [node.look_at(ANN) for node in (a, b, c)]
        for look in looks:
            await look.get_to_know([ANN])
        ann = await a.enter(ANN)
        await until(lambda: all(look.is_online(ANN) for look in looks))
        seen = []

        async def watch():
            while True:
                for look in looks:
                    look.expire()
                    seen.append(look.is_online(ANN))
                await trio.sleep(0.01)

        c.tasks.start_soon(watch)
        for node in (b, a, b):
            ann.leave()
            await trio.sleep(pulse.grace / 10)
            ann = await node.enter(ANN)
            await trio.sleep(pulse.grace)

        assert all(seen)


async def test_who_leaves_for_good_is_offline_everywhere_after_the_grace(valkey):
    """Also to somebody who looks only when they have gone."""
    async with open_nodes(valkey, "a", "b") as (a, b):
        look = b.look_at(ANN)
        ann = await a.enter(ANN)
        await until(lambda: look.is_online(ANN))
        ann.leave()
        await until(lambda: _left(b, ANN))
        late = b.look_at(ANN)
        await late.get_to_know([ANN])
        assert late.is_online(ANN)

        def is_over():
            look.expire()
            late.expire()
            return not look.is_online(ANN) and not late.is_online(ANN)

        await until(is_over)


async def test_users_of_a_node_that_dies_are_offline_after_its_lease_and_the_grace(valkey):
    """Not before: most of them are back by then, on another node."""
    async with open_nodes(valkey, "a", "b") as (a, b):
        look = b.look_at(ANN, BOB)
        await a.enter(ANN)
        await a.enter(BOB)
        await until(lambda: look.is_online(ANN) and look.is_online(BOB))
        a.die()
        died = trio.current_time()
        await trio.sleep(PULSE.lease / 2)
        await b.enter(BOB)

        def is_over():
            look.expire()
            return not look.is_online(ANN)

        await until(is_over)
        assert trio.current_time() - died > PULSE.lease - PULSE.beat + PULSE.grace - 0.1
        assert look.is_online(BOB)


async def test_a_redis_that_forgets_everything_makes_nobody_blink(valkey):
    """The nodes say it all again well within the grace."""
    pulse = attrs.evolve(PULSE, grace=1.0)
    async with open_nodes(valkey, "a", "b", pulse=pulse) as (a, b):
        look = b.look_at(ANN)
        await a.enter(ANN)
        await until(lambda: look.is_online(ANN))
        await valkey.ask(b"FLUSHALL")
        for _ in range(200):
            look.expire()
            assert look.is_online(ANN)
            await trio.sleep(0.01)


# ── who is missed ────────────────────────────────────────────────────────────

MISSING = PULSE.lease + PULSE.beat
"""seconds after which whoever was killed is missed, at the earliest"""


async def begin_stream(valkey, node):
    """Let there be a stream, of an epoch that can be told from others."""
    await valkey.ask(b"HSET", node.link.key("meta"), "epoch", "first", "head", 0, "bytes", 0)


async def notices(valkey, node):
    """How often it was said on the stream that something is lost."""
    entries = await valkey.ask(b"XRANGE", node.link.key("stream"), b"-", b"+")
    epoch = await valkey.ask(b"HGET", node.link.key("meta"), "epoch")
    assert (epoch == b"first") == (not entries)
    return len(entries)


def mourned(*nodes):
    """How many losses these have told of."""
    return sum(node.metrics.lost_nodes for node in nodes)


async def test_a_node_that_is_killed_is_missed_once(valkey):
    """By one of the others, in the step in which it says so; not before its lease ends."""
    async with open_nodes(valkey, "a", "b", "c") as (a, b, c):
        await begin_stream(valkey, a)
        await trio.sleep(MISSING)
        c.die()
        await trio.sleep(PULSE.lease / 2)
        assert not mourned(a, b)
        await until(lambda: mourned(a, b) == 1)
        await trio.sleep(MISSING)

        assert mourned(a, b) == 1
        assert await notices(valkey, a) == 1
        assert await valkey.ask(b"ZCARD", a.link.key("owing")) == 2


async def test_a_clock_that_was_set_back_keeps_nobody_alive(valkey):
    """Whoever died before is gone, missed and offline no later than if they had died since."""
    async with open_nodes(valkey, "a", "b") as (a, b):
        await begin_stream(valkey, a)
        await trio.sleep(MISSING)
        a.die()
        seconds, _ = await valkey.ask(b"TIME")
        ahead = (int(seconds) + 3600) * 1000
        for name in ("nodes", "owing"):
            await valkey.ask(b"ZADD", a.link.key(name), ahead, a.link.node)
        await valkey.ask(b"ZADD", a.link.key("left"), ahead, ANN)

        await until(lambda: b.metrics.nodes == 1 and mourned(b) == 1)
        await trio.sleep(PULSE.grace)
        look = b.look_at(ANN)
        await look.get_to_know([ANN])
        look.expire()
        assert not look.is_online(ANN)


async def test_who_says_goodbye_is_not_missed_unless_it_owes_something(valkey):
    """A node that could not tell everything says so, and is missed at once."""
    async with open_nodes(valkey, "a", "b", "c") as (a, b, c):
        await begin_stream(valkey, a)
        await trio.sleep(MISSING)
        await b.registry.leave(owes=False)
        await trio.sleep(MISSING + 2 * PULSE.beat)
        assert await notices(valkey, a) == 0

        await c.registry.leave(owes=True)
        with trio.fail_after(PULSE.lease):
            await until(lambda: mourned(a) == 1)
        assert await notices(valkey, a) == 1


async def test_nodes_that_are_lost_together_are_told_of_together(valkey, monkeypatch):
    """A host with several; one more has to wait until LOST_NODE_SECONDS are over."""
    monkeypatch.setattr(limits, "LOST_NODE_SECONDS", 2)
    async with open_nodes(valkey, "a", "b", "c", "d") as (a, b, c, d):
        await begin_stream(valkey, a)
        await trio.sleep(MISSING)
        b.die()
        c.die()
        await until(lambda: mourned(a, d) == 2)
        told_at = trio.current_time()
        assert await notices(valkey, a) == 1
        d.die()
        await until(lambda: mourned(a, d) == 3)

        assert trio.current_time() - told_at > 1.5
        assert await notices(valkey, a) == 2


async def test_a_node_that_dies_during_an_outage_is_missed_once(valkey):
    """However long it was, and who lives is not missed, although every lease was over."""
    async with open_nodes(valkey, "a", "b", "c", deadline=0.3) as (a, b, c):
        await begin_stream(valkey, a)
        await trio.sleep(MISSING)
        valkey.pause()
        await trio.sleep(2 * PULSE.lease)
        c.die()
        valkey.resume()
        await until(lambda: mourned(a, b) == 1)
        await trio.sleep(MISSING)

        assert mourned(a, b) == await notices(valkey, a) == 1


async def test_a_node_that_leaves_right_after_an_outage_is_not_missed(valkey):
    """It does not sleep over its goodbye."""
    pulse = attrs.evolve(PULSE, beat=PULSE.lease)
    async with open_nodes(valkey, "a", deadline=0.2, pulse=pulse) as (a,):
        valkey.pause()
        await until(lambda: a.registry._is_away)
        valkey.resume()
        await a.registry.leave(owes=False)

        assert await valkey.ask(b"ZCARD", a.link.key("owing")) == 0

"""Who is online, on several nodes: what those hear who ask, whatever goes wrong between them."""

from __future__ import annotations

from functools import partial

import pytest
import trio

from cluster.onlookers import BIG, CHAT, MEMBERS, online_at, open_gallery
from cluster.world import open_nodes
from gogate_trio import limits

LEASE, GRACE = limits.NODE_LEASE_SECONDS, limits.PRESENCE_GRACE_SECONDS
EARLIEST = LEASE - limits.NODE_BEAT_SECONDS + GRACE - 0.1
NOTICED = limits.PRESENCE_LOOK_SECONDS + limits.PRESENCE_TICK_SECONDS
"""seconds until what has changed is noticed and told, though the word of it was lost"""
BUSY = 8.0
"""seconds that a busy machine may add"""
SOON = 5.0
"""seconds in which everybody knows of a change, whose word was not lost"""
PAUSE = 10.0
ANN, BOB, EVE, JOE, KIM, LEO, *_ = MEMBERS


@pytest.fixture
async def gallery(fake):
    """Lets people look."""
    async with open_gallery(fake) as gallery:
        yield gallery


@pytest.fixture
def house(fake, tmp_path, monkeypatch, valkey):
    """Runs nodes that tell who is online."""
    given = {"PRESENCE": "true", "PRESENCE_MEMBERS": f"{len(MEMBERS)}"}
    return partial(open_nodes, fake, tmp_path, monkeypatch, valkey=valkey, **given)


async def all_runningsay(nodes, *users, within=SOON):
    """Wait until each node's internal API names exactly these."""
    with trio.fail_after(within):
        while {await online_at(node) for node in nodes} != {frozenset(users)}:  # noqa: ASYNC110 - other processes
            await trio.sleep(0.05)


def flapped(gallery, *users):
    """Return who of these was told to be online no more, at any time, to anybody."""
    return [
        (each.user_id, user, at)
        for each in gallery.everybody
        for user in users
        if (at := each.missed(user)) is not None
    ]


@pytest.mark.parametrize("names", ["ab", "abc"])
async def test_who_is_online_is_the_same_on_all_nodes(house, gallery, names):
    """Told to those who ask and nobody else; whoever changes nodes was never away."""
    async with house(nodes=names) as rooms:
        nodes = [*rooms.running.values()]
        looking = [
            await gallery.come(node, user_id, CHAT, BIG)
            for node, user_id in zip(nodes, MEMBERS, strict=False)
        ]
        here = [each.user_id for each in looking]
        mute = [await gallery.come(node, KIM) for node in nodes]
        await gallery.all_see(*here, KIM, within=SOON)
        for node, user_id in zip(nodes, MEMBERS[10:], strict=False):
            await gallery.come(node, user_id)
            here.append(user_id)
            await gallery.all_see(*here, KIM, within=SOON)
        mover = await gallery.come(nodes[0], LEO)
        await gallery.all_see(*here, KIM, LEO, within=SOON)
        for node in (*nodes[1:], nodes[0]):
            await gallery.leave(mover)
            await trio.sleep(1.0)
            mover = await gallery.come(node, LEO)
        await all_runningsay(nodes, *here, KIM, LEO)

        assert [each.told for each in mute] == [[] for _ in nodes]
        assert [each.refused for each in looking] == [[(BIG, "CHAT_TOO_BIG")] for _ in nodes]
        assert not flapped(gallery, *here, KIM, LEO)


async def test_people_of_a_killed_node_are_offline_unless_they_come_to_another(house, gallery):
    """After its lease and the grace, and not before; who is back by then was never away."""
    async with house(nodes="abc") as nodes:
        a, b, c = nodes.running.values()
        await gallery.come(a, ANN, CHAT)
        await gallery.come(b, BOB, CHAT)
        for user_id in (EVE, JOE, KIM):
            await gallery.come(c, user_id, CHAT)
        leaver = await gallery.come(a, LEO)
        everybody = (ANN, BOB, EVE, JOE, KIM, LEO)
        await gallery.all_see(*everybody, within=SOON)
        await all_runningsay((a, b, c), *everybody)

        killed = trio.current_time()
        await nodes.kill("c")
        await gallery.leave(leaver)
        await gallery.come(a, EVE, CHAT)
        await trio.sleep_until(killed + LEASE)
        await gallery.come(b, JOE, CHAT)
        await all_runningsay((a, b), *everybody)
        await gallery.all_see(ANN, BOB, EVE, JOE, within=LEASE + GRACE + NOTICED + BUSY)
        await all_runningsay((a, b), ANN, BOB, EVE, JOE)

        assert not flapped(gallery, ANN, BOB, EVE, JOE)
        for each in gallery.here:
            if each.user_id in {ANN, BOB, EVE}:
                left, died = each.missed(LEO) - killed, each.missed(KIM) - killed
                assert GRACE - 0.1 < left < GRACE + NOTICED + BUSY
                assert EARLIEST < died < LEASE + GRACE + NOTICED + BUSY


async def test_without_redis_and_with_an_empty_one_nobody_is_taken_for_gone(house, gallery, valkey):
    """Away for ten seconds, then emptied: what was known holds, and is said again to all."""
    async with house(nodes="abc") as rooms:
        a, b, c = nodes = [*rooms.running.values()]
        for node, user_id in ((a, ANN), (b, BOB), (c, EVE), (a, JOE)):
            await gallery.come(node, user_id, CHAT)
        mover = await gallery.come(c, KIM)
        everybody = [ANN, BOB, EVE, JOE, KIM]
        await gallery.all_see(*everybody, within=SOON)

        valkey.pause()
        paused = trio.current_time()
        await gallery.leave(mover)
        await gallery.come(b, KIM)
        await trio.sleep_until(paused + PAUSE)
        valkey.resume()
        await gallery.come(c, LEO)
        everybody.append(LEO)
        await gallery.all_see(*everybody, within=NOTICED + BUSY)
        await all_runningsay(nodes, *everybody, within=NOTICED + BUSY)
        await valkey.ask("FLUSHALL")
        await all_runningsay(nodes, *everybody)
        # Whoever was taken for gone would be told to be when the grace is over.
        await trio.sleep(GRACE + NOTICED)
        await all_runningsay(nodes, *everybody)

        assert not flapped(gallery, *everybody)

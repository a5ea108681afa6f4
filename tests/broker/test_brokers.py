"""Laws of every broker, of one node and of several."""

from __future__ import annotations

import pytest
import trio

from fakes.nodes import CHAT, event, make, open_nodes, until
from fixtures.valkey import open_valkey
from gogate_trio.broker.base import Disconnect, ForgetMembers, Revalidate
from gogate_trio.ids import UserId


@pytest.fixture(params=["memory", "redis"])
async def nodes(request, nursery, tmp_path):
    """The nodes of one gateway: one, or three on a real server."""
    if request.param == "memory":
        node = make(None)
        nursery.start_soon(node.hub.run)
        yield [node]
    else:
        async with open_valkey(tmp_path / "v") as valkey, open_nodes(valkey.url, 3) as joined:
            yield joined


async def test_everything_is_told_once_in_one_order_on_all_nodes(nodes):
    """Many publishers on all nodes at once: each node tells the same, each publisher's in order."""
    guests = [node.join() for node in nodes]

    async with trio.open_nursery() as publishing:
        for number, node in enumerate(nodes * 4):
            publishing.start_soon(node.say, *(f"{number}.{n}" for n in range(25)))
    everything = 100 * len(nodes)
    await until(lambda: all(len(guest.heard) >= everything for guest in guests))

    assert all(guest.heard == guests[0].heard for guest in guests)
    assert len({*guests[0].heard}) == everything
    for number in range(4 * len(nodes)):
        mine = [text for text in guests[0].heard if text.startswith(f"{number}.")]
        assert mine == [f"{number}.{n}" for n in range(25)]


async def test_a_position_of_one_node_counts_on_all(nodes):
    """What came after it is told again, whichever node is asked."""
    first, last = nodes[0], nodes[-1]
    guest = first.join(wants_positions=True)
    await first.say("1", "2")
    await guest.hears("1", "2")
    position = guest.position
    await last.say("3")
    await guest.hears("1", "2", "3")
    await until(lambda: last.replay(position) == ["3"])

    assert first.replay(position) == ["3"]


async def test_instructions_are_obeyed_once_by_each_in_their_place(nodes):
    """Every node does each thing once, and in order."""
    instructions = [
        Disconnect(UserId(1), 4503, "revoked"),
        Revalidate(UserId(2)),
        ForgetMembers(CHAT),
    ]
    for node, instruction in zip(nodes * 3, instructions, strict=False):
        await node.broker.instruct(instruction)

    await until(lambda: all(len(node.obeyed) == 3 for node in nodes))
    assert all(node.obeyed == instructions for node in nodes)


async def test_the_same_key_is_published_once_wherever_it_comes(nodes):
    """The second one, on another node too, does nothing and says so."""
    guest = nodes[0].join()

    said = [await node.say("x", key="k") for node in (nodes[0], nodes[-1], nodes[0])]
    await nodes[-1].say("end")

    assert said == [[True], [False], [False]]
    await guest.hears("x", "end")


async def test_typing_reaches_everybody_but_who_types(nodes):
    """What may be missed comes through when all is well, and not to its author."""
    if len(nodes) > 1:
        await until(lambda: all(node.broker.statistics().is_heard for node in nodes))
    authors = [node.join(user=1) for node in nodes]
    others = [node.join(user=2) for node in nodes]

    nodes[0].broker.publish_ephemeral(event("types", is_durable=False, except_user=UserId(1)))
    for other in others:
        await other.hears("types")

    assert not any(author.heard for author in authors)


async def test_a_declared_gap_is_told_to_all_who_have_a_position_and_voids_it(nodes):
    """Each resuming client is told to fetch once; plain ones go on; old positions mean nothing."""
    resuming = [node.join(wants_positions=True) for node in nodes]
    plain = [node.join() for node in nodes]
    await nodes[0].say("1")
    for guest in resuming:
        await guest.hears("1")
    old = resuming[0].position

    nodes[0].broker.declare_gap()
    for guest in resuming:
        await guest.hears("1", "resync")
    await nodes[-1].say("2")

    for guest in resuming:
        await guest.hears("1", "resync", "2")
    for guest in plain:
        await guest.hears("1", "2")
    assert all(node.replay(old) is None for node in nodes)
    assert all(node.replay(guest.position) == [] for node in nodes for guest in resuming)
    assert all(node.metrics.gaps == 1 for node in nodes)


async def test_wait_settled_means_told(nodes):
    """What was being published when the wait began has been offered when it ends."""
    guest = nodes[0].join()
    async with trio.open_nursery() as publishing:
        publishing.start_soon(nodes[0].say, "1")
        await trio.testing.wait_all_tasks_blocked()
        await nodes[0].settled()

        assert guest.heard == ["1"]

"""Nothing goes wrong: several nodes are one to their clients. And a judge that sees when not."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster import broken

BROKEN = Path(broken.__file__)


@pytest.mark.parametrize("nodes", ["ab", "abc"])
async def test_several_nodes_are_one_to_their_clients(world, valkey, nodes):
    """Each message reaches its chat on all nodes, once, in one order, and nobody has to load."""
    async with world(nodes=nodes, valkey=valkey) as town, town.open_probes() as probes:
        await town.stored(200)
        took = await probes.told_from_each()
        await town.stored(200)

    assert not town.notes("resync")
    assert town.notes("felt")
    assert probes.said_again() == []
    assert took < 5


@pytest.mark.parametrize(
    ("fault", "law"), [("lose", "silent gap"), ("repeat", "duplicate"), ("swap", "reordered")]
)
async def test_a_broken_node_is_caught(world, valkey, fault, law):
    """One node of two loses, repeats or swaps a message now and then: the judge says which."""
    with pytest.raises(AssertionError) as caught:  # noqa: PT012 - the town's end raises
        async with world(valkey=valkey, programs={"b": [str(BROKEN), fault]}) as town:
            town.patience = 3.0
            await town.stored(150)

    assert law in str(caught.value)

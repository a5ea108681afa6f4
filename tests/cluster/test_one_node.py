"""The harness itself, on a single node without Redis."""

from __future__ import annotations


async def test_a_node_that_is_killed_and_started_again_loses_nothing(world):
    """Two hundred people, one node, no Redis: everybody is told to load, and nothing is lost."""
    async with world(nodes="a") as town:
        await town.stored(100)
        await town.nodes.kill("a")
        await town.nodes.start("a")
        await town.stored(100)

    assert len(list(town.chronicle.of("resync"))) > 100

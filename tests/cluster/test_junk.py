"""What strangers put where the nodes meet is dropped and counted, and is in nobody's way."""

from __future__ import annotations

import trio

from cluster.probes import open_probes, seat_probes
from cluster.world import open_nodes

STREAM, CHANNEL, META = "{gogate}:stream", "{gogate}:channel", "{gogate}:meta"
JUNK = "gogate_broker_junk_total"
BACK = 5.0
"""seconds after which all is as before"""
DEEDS = (
    ("SET", STREAM, "a text"),
    ("SET", META, "a text"),
    ("HSET", META, "head", "many"),
    ("HSET", META, "head", "0"),
    ("HSET", META, "epoch", "of a stranger"),
    ("DEL", META),
    ("DEL", STREAM),
    ("XTRIM", STREAM, "MAXLEN", "0"),
    ("XADD", STREAM, f"{2**64 - 1}-{2**64 - 1}", "the", "last id there is"),
)
NONSENSE = (b"", b"\xff\xfe", b"x" * 1_000_000, b'{"event": "new_message"}', b"1 2 3 4 5 6 7")


async def test_junk_is_dropped_and_counted(world, valkey):
    """On the stream and on the channel, under load: each piece once on each node."""
    async with world(valkey=valkey) as town, town.open_probes() as probes:
        await town.stored(50)
        before = await town.nodes.number(JUNK)
        for piece in NONSENSE:
            await valkey.ask(b"XADD", STREAM, "*", "field", piece)
            await valkey.ask(b"XADD", STREAM, "*", "h", piece, "p", piece)
            await valkey.ask(b"PUBLISH", CHANNEL, piece)
            await town.stored(5)
        await probes.told_from_each()
        counted = await town.nodes.number(JUNK) - before
        await town.stored(50)

    assert counted == 3 * len(NONSENSE) * len(town.nodes.running)
    assert not town.notes("resync")
    assert probes.said_again() == []


async def test_what_strangers_do_to_the_keys_stops_nobody(fake, tmp_path, monkeypatch, valkey):
    """Whatever it is, five seconds later all nodes deliver what is said on any."""
    seat_probes(fake)
    async with (
        open_nodes(fake, tmp_path, monkeypatch, valkey=valkey) as nodes,
        open_probes(fake, nodes.running.values()) as probes,
    ):
        for deed in DEEDS:
            await probes.told_from_each()
            if deed[0] == "SET":
                await valkey.ask("DEL", deed[1])
            await valkey.ask(*deed)
            assert await probes.told_from_each() < BACK, deed

    assert probes.said_again() == []


async def test_a_redis_that_is_full_is_a_redis_that_is_away(fake, tmp_path, monkeypatch, valkey):
    """Each node serves its own clients; all hear all of it when there is room again."""
    seat_probes(fake)
    async with (
        open_nodes(fake, tmp_path, monkeypatch, valkey=valkey) as nodes,
        open_probes(fake, nodes.running.values()) as probes,
    ):
        await valkey.ask("CONFIG", "SET", "maxmemory", "1")
        said = {node: await probes.say(node) for node in nodes.running}
        for node, text in said.items():
            assert await probes.told(text, node) < BACK
        await valkey.ask("CONFIG", "SET", "maxmemory", "0")
        began = trio.current_time()
        for text in said.values():
            await probes.told(text)
        assert trio.current_time() - began < BACK

    assert probes.said_again() == []

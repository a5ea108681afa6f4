"""Laws of the channel: what may be missed, and the proof that the way there and back works."""

from __future__ import annotations

import trio

from fakes.nodes import event, open_nodes, until
from gogate_trio.limits import EPHEMERAL_WAITING


async def test_what_waits_for_the_channel_is_bounded(valkey):
    """Beyond the bound, and while Redis is away, it is dropped and counted; here it is told."""
    async with open_nodes(valkey.url, 2, deadline=0.6) as nodes:
        guest = nodes[0].join()
        for _ in range(EPHEMERAL_WAITING + 5):
            nodes[0].broker.publish_ephemeral(event("typing", is_durable=False))
        counts = nodes[0].metrics.redis
        assert counts.ephemeral_dropped == 5
        await until(lambda: len(guest.heard) > 1000)

        valkey.pause()
        await nodes[0].say("x")
        dropped = counts.ephemeral_dropped
        nodes[0].broker.publish_ephemeral(event("typing", is_durable=False))
        # At once, or when the first question after the pause has waited in vain.
        await until(lambda: counts.ephemeral_dropped == dropped + 1)
        valkey.resume()


async def test_a_silent_channel_is_listened_to_anew(valkey, monkeypatch):
    """A node hears itself by its beats; when it does not, it says so and listens anew."""
    monkeypatch.setattr("gogate_trio.broker.ephemeral.BEAT_SECONDS", 0.05)
    monkeypatch.setattr("gogate_trio.broker.ephemeral.SILENCE_SECONDS", 1.2)
    monkeypatch.setattr("gogate_trio.broker.ephemeral.REDIS_LONGEST_PAUSE_SECONDS", 2.0)
    async with open_nodes(valkey.url, 1) as (node,):
        broker = node.broker
        await until(lambda: broker.statistics().is_heard)
        for _ in range(3):
            # It stays so by beats alone.
            await trio.sleep(0.5)
            assert broker.statistics().is_heard
        await valkey.ask(b"CLIENT", b"KILL", b"TYPE", b"pubsub")
        await until(lambda: not broker.statistics().is_heard)
        await until(lambda: broker.statistics().is_heard)

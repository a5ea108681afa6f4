"""Laws of the channel: what may be missed, and the proof that the way there and back works."""

from __future__ import annotations

import trio

from fakes.nodes import event, open_nodes, until
from gogate_trio.cluster.wire import Wire
from gogate_trio.limits import EPHEMERAL_WAITING, SILENCE_SECONDS


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


async def test_who_is_not_heard_by_itself_soon_listens_anew(valkey, monkeypatch):
    """A connection that falls silent without an end costs the typing of seconds, not of beats."""
    listen, silent = Wire.listen, []

    async def listen_or_not(wire):
        messages = await listen(wire)
        if wire in silent:
            await trio.sleep_forever()
        heard_by.append(wire)
        return messages

    heard_by: list[Wire] = []
    monkeypatch.setattr(Wire, "listen", listen_or_not)
    async with open_nodes(valkey.url, 1, deadline=0.3) as (node,):
        await until(lambda: node.broker.statistics().is_heard)
        silent += heard_by
        heard_by.clear()
        with trio.fail_after(SILENCE_SECONDS / 3):
            node.broker.publish_ephemeral(event("typing", is_durable=False))
            await until(lambda: heard_by)


async def test_what_comes_back_before_redis_has_said_so_is_waited_for_no_more(valkey, monkeypatch):
    """A quiet channel stands: each beat that is heard proves it, whichever word comes first."""
    monkeypatch.setattr("gogate_trio.broker.ephemeral.BEAT_SECONDS", 0.5)
    async with open_nodes(valkey.url, 1, deadline=0.2) as (node,):
        call = node.link.call

        async def call_late(*words):
            reply = await call(*words)
            if words[0] == b"PUBLISH":
                await trio.sleep(0.1)
            return reply

        node.link.call = call_late
        await until(lambda: node.broker.statistics().is_heard)
        wire, dialled = node.link.wire, []
        monkeypatch.setattr(node.link, "wire", lambda: dialled.append(1) or wire())
        await trio.sleep(2.0)

        assert not dialled

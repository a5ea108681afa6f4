"""The overview: what the console and ``gogate top`` are made of."""

from __future__ import annotations

from fakes.api import call
from fakes.clients import open_client
from fakes.leaks import settles
from fakes.node import within
from fakes.watched import open_watched
from gogate_trio.internal.api import overview
from gogate_trio.server import house


async def look(node):
    """Ask for an overview."""
    return (await call(node.internal_port, "GET", "overview")).json


async def test_a_node_at_a_glance(fake):
    """Who is here, what has been done, how long it took, and how each part is."""
    async with (
        open_watched(fake) as node,
        open_client(node.port, "token-3") as ann,
        open_client(node.port),
    ):
        before = await look(node)
        await ann.say("send_message", chat_id=3, text="hello")
        with within():
            await ann.event("new_message")
        after = await look(node)

    assert after["connections"] | {"most": 0} == {
        "authenticated": 1,
        "unauthenticated": 1,
        "leaving": 0,
        "users": 1,
        "most": 0,
    }
    assert after["totals"]["messages"] - before["totals"]["messages"] == 1
    assert after["at"] > before["at"]
    assert sum(after["latencies"]["delivery"]["counts"]) == 1
    assert sum(after["latencies"]["backend"]["counts"]) >= 3
    assert after["parts"]["backend"] == {"ready": True, "state": "closed"}
    assert after["process"]["memory_bytes"] > 10_000_000
    assert [each["here"] for each in after["nodes"]] == [True]
    assert "hello" not in repr(after)


async def test_the_newest_and_the_slowest_are_shown(fake, monkeypatch):
    """So many of each: the newest first, the furthest behind first, nobody who is not behind."""
    monkeypatch.setattr(overview, "OVERVIEW_CONNECTIONS", 2)
    async with (
        open_watched(fake) as node,
        open_client(node.port, "token-3"),
        open_client(node.port, "token-5", receive_buffer=4096) as eve,
        open_client(node.port, "token-1"),
    ):
        for _ in range(4):
            data = {"text": "x" * 200_000}
            body = {"event": "large", "data": data, "users": [5]}
            await call(node.internal_port, "POST", "publish", body=body)
        seen = await look(node)
        assert seen["slowest"], "nothing waits for a client that does not read"
        eve.reset()

    assert [each["user_id"] for each in seen["newest"]] == [1, 5]
    assert [each["user_id"] for each in seen["slowest"]] == [5]
    assert seen["slowest"][0]["waiting_bytes"] == seen["waiting"]["bytes"] > 0


async def test_the_latest_ends_are_shown_and_no_more(fake, monkeypatch):
    """The newest first, with who and why; older ones are only counted."""
    monkeypatch.setattr(house, "RECENT_ENDS", 2)
    async with open_watched(fake) as node:
        for user in (1, 3, 5):
            async with open_client(node.port, f"token-{user}") as client:
                body = {"code": 4500 + user, "reason": f"away with {user}"}
                await call(node.internal_port, "POST", f"users/{user}/disconnect", body=body)
                with within():
                    await client.close_code()
            ended = node.metrics.closed
            assert await settles(lambda ended=ended, user=user: ended.total() == (user + 1) // 2)
        seen = await look(node)

    assert [(each["user_id"], each["code"], each["reason"]) for each in seen["ends"]] == [
        (5, 4505, "away with 5"),
        (3, 4503, "away with 3"),
    ]
    assert seen["totals"]["closed"] == 3

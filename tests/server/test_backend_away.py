"""What clients see of a backend that has no room, or is away."""

from __future__ import annotations

import msgspec
import pytest
import trio
from trio.testing import MockClock

from fakes.clients import TEXT, frame, open_client
from fakes.node import open_node, within
from gogate_trio.limits import BREAKER_CALLS, BREAKER_PAUSE_SECONDS

SLOWLY = {"ping_period": 3000.0, "pong_wait": 3600.0}
"""Nobody is asked whether it is still there when a test moves the clock."""


@pytest.fixture
def clock() -> MockClock:
    """Real time, and leaps in it."""
    return MockClock(rate=1.0)


async def say(client, text):
    """Send a message under an id that is its text."""
    envelope = {"event": "send_message", "id": text, "data": {"chat_id": 2, "text": text}}
    await client.send(frame(TEXT, msgspec.json.encode(envelope)))


async def test_a_full_queue_is_said_to_be_busy(fake):
    """BACKEND_QUEUE: one call runs, one waits; the next is refused, and may be repeated."""
    async with (
        open_node(fake, max_calls=1, queue=1) as node,
        open_client(node.port, fake.token(1)) as first,
        open_client(node.port, fake.token(1)) as second,
        open_client(node.port, fake.token(1)) as third,
    ):
        with within():
            gate = fake.hold("send_message")
            await say(first, "one")
            await fake.wait_for_calls("send_message", 1)
            await say(second, "two")
            await trio.testing.wait_all_tasks_blocked(0.05)
            await say(third, "three")
            refused = await third.event("error")
            gate.set()
            await first.event("ack")
            await second.event("ack")
            await say(third, "three")
            await third.event("ack")

    assert refused["code"] == "BUSY"
    assert [call.json["text"] for call in fake.calls_to("send_message")] == ["one", "two", "three"]


async def test_while_the_backend_is_away_nobody_waits_and_nobody_is_cut(fake, clock):
    """When most of ten calls have failed, each is told at once that nothing happened."""
    async with (
        open_node(fake, **SLOWLY) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            fake.fail("send_message", cut=True)
            # The first of the ten was the log-in.
            for number in range(BREAKER_CALLS - 1):
                await say(client, f"lost {number}")
                assert (await client.event("error"))["code"] == "OUTCOME_UNKNOWN"
            await say(client, "hello")
            assert (await client.event("error"))["code"] == "BACKEND_UNAVAILABLE"
            async with open_client(node.port) as newcomer:
                await newcomer.say("auth", token=fake.token(2))
                assert await newcomer.close_code() == 1013
            assert len(fake.calls_to("send_message")) == BREAKER_CALLS - 1
            assert len(fake.calls_to("validate")) == 1

            fake.heal("send_message")
            clock.jump(BREAKER_PAUSE_SECONDS)
            async with open_client(node.port, fake.token(2)) as friend:
                await say(client, "hello")
                await client.event("ack")
                assert (await friend.event("new_message"))["text"] == "hello"

"""Laws of the stream in Redis: how long it is, and what a node does that asks for too much."""

from __future__ import annotations

import trio

from fakes.nodes import CHAT, event, open_nodes, until
from gogate_trio.ids import MessageId, UserId
from gogate_trio.limits import STREAM_LEAST
from gogate_trio.state.history import Position

STREAM = b"{gogate}:stream"


async def test_the_stream_keeps_what_a_slow_node_may_be_behind(valkey):
    """Whatever RESUME_EVENTS is; and not much more."""
    async with open_nodes(valkey.url, 1, events=0) as (node,):
        async with trio.open_nursery() as publishing:
            for number in range(100):
                publishing.start_soon(node.say, *(f"{number}.{n}" for n in range(15)))
        length = await valkey.ask(b"XLEN", STREAM)

    assert STREAM_LEAST <= length < STREAM_LEAST + 200


async def test_a_message_is_one_entry_however_many_are_in_its_chat(valkey):
    """Who shall hear it travels with it: nobody asks the backend again."""
    crowd = {UserId(user): f"user {user}" for user in range(1, 5001)}
    async with open_nodes(valkey.url, 2) as (one, two):
        far, stranger = two.join(5000), two.join(5001)
        before = two.position
        publication = event("hello")
        publication.audience = crowd
        await one.broker.publish(publication)
        await far.hears("hello")

        assert await valkey.ask(b"XLEN", STREAM) == 1
        (entry,) = two.history.after(Position.read(before).offset)
        assert entry.audience.keys() == crowd.keys()
        assert stranger.heard == []


async def test_the_stream_is_bounded_in_bytes(valkey, monkeypatch):
    """Long messages leave it sooner, and who follows it notices nothing."""
    monkeypatch.setattr("gogate_trio.broker.sending.STREAM_BYTES", 100_000)
    async with open_nodes(valkey.url, 2) as nodes:
        guest = nodes[1].join()
        for number in range(60):
            await nodes[0].say(f"{number}" + "x" * 5_000)
        await until(lambda: len(guest.heard) == 60)
        length = await valkey.ask(b"XLEN", STREAM)

        assert 10 <= length <= 25
        assert nodes[1].metrics.gaps == 0


async def test_what_is_too_much_at_once_is_asked_for_in_parts(valkey, monkeypatch):
    """A node that starts behind long entries reads them all the same."""
    async with open_nodes(valkey.url, 1) as (first,):
        texts = [f"{number}" + "x" * 20_000 for number in range(40)]
        before = first.position
        await first.say(*texts)
        monkeypatch.setattr("gogate_trio.cluster.wire.REDIS_REPLY_BYTES", 200_000)
        async with open_nodes(valkey.url, 1, deadline=10.0) as (second,):
            await until(lambda: second.replay(before) == texts)

            assert second.metrics.gaps == 0


async def test_every_node_learns_which_chat_a_message_is_in(valkey):
    """So that a reaction on any of them reaches the chat; a node that starts learns the window."""
    async with open_nodes(valkey.url, 2) as (first, second):
        await first.say("hello", message_id=MessageId(612))
        await until(lambda: second.messages.chat_of(MessageId(612)) == CHAT)
        async with open_nodes(valkey.url, 1) as (late,):
            await until(lambda: late.messages.chat_of(MessageId(612)) == CHAT)

"""A client that reads slowly, or not at all, is its own problem and nobody else's.

The chat here is chat 3: user 3 writes and reads, user 5 does not read.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
import trio

from fakes.clients import CLOSE, PING, TEXT, frame, open_client
from fakes.leaks import settles
from fakes.node import open_node, undisturbed_chat, within

LONG = "x" * 60_000


async def fill(writer, *, count):
    """Let the writer send so many long messages, each seen before the next is sent."""
    with within():
        for number in range(count):
            await writer.say("send_message", chat_id=3, text=f"{number} {LONG}")
            assert (await writer.event("new_message"))["text"] == f"{number} {LONG}"


async def send_until_cut(client, data):
    """Send the same again and again, and read nothing, until the connection is reset."""
    with within(), suppress(trio.BrokenResourceError):
        while True:
            await client.send(data)


async def test_a_slow_client_is_hung_up_with_4410_and_its_chat_does_not_wait(fake):
    """It has what came before without a gap, reads why it ends, and can come back."""
    async with (
        open_node(fake) as node,
        undisturbed_chat(node),
        open_client(node.port, fake.token(3)) as writer,
        open_client(node.port, fake.token(5), receive_buffer=4096) as slow,
    ):
        await fill(writer, count=40)

        with within():
            seen = []
            while (event := await slow.next_event())["event"] == "new_message":
                seen.append(int(event["data"]["text"].split()[0]))
            assert event["data"]["code"] == "SLOW_CONSUMER"
            assert await slow.close_code() == 4410
        assert seen == list(range(len(seen)))
        assert 0 < len(seen) < 40


@pytest.mark.parametrize("count", [13, 40], ids=["some wait", "too many wait"])
async def test_a_client_that_never_reads_is_cut_within_write_wait(fake, count):
    """Whether its outbox is full or not: a write that makes no progress is the end."""
    async with (
        open_node(fake, write_wait=0.4) as node,
        undisturbed_chat(node),
        open_client(node.port, fake.token(3)) as writer,
        open_client(node.port, fake.token(5), receive_buffer=4096) as stuck,
    ):
        await fill(writer, count=count)

        assert await settles(lambda: node.metrics.closed["slow consumer"] == 1, within=5)
        assert node.metrics.connections == 3
        with pytest.raises(trio.BrokenResourceError), within():
            await stuck.rest()


async def test_a_client_that_reads_slowly_but_steadily_stays(fake):
    """Progress counts, not emptiness: behind for longer than WRITE_WAIT, yet never cut."""
    async with (
        open_node(fake, write_wait=1.0) as node,
        open_client(node.port, fake.token(3)) as writer,
        open_client(node.port, fake.token(5), receive_buffer=8192) as slow,
    ):
        seen = []

        async def read_slowly():
            while len(seen) < 22:
                seen.append((await slow.event("new_message"))["text"])
                await trio.sleep(0.16)

        with within():
            async with trio.open_nursery() as reading:
                reading.start_soon(read_slowly)
                await fill(writer, count=22)

        assert [int(text.split()[0]) for text in seen] == list(range(22))
        assert node.metrics.connections == 2


async def test_pings_without_reading_end_the_pinger_alone(fake):
    """Pongs that nobody reads fill an outbox like anything else."""
    async with (
        open_node(fake, write_wait=0.4) as node,
        undisturbed_chat(node),
        open_client(node.port, fake.token(3), receive_buffer=4096) as client,
    ):
        await send_until_cut(client, frame(PING, b"x" * 125) * 200)

        assert await settles(lambda: node.metrics.connections == 2)
        assert node.metrics.bugs == 0


async def test_errors_without_reading_end_the_talker_alone(fake):
    """So do the answers to nonsense."""
    async with (
        open_node(fake, write_wait=0.4) as node,
        undisturbed_chat(node),
        open_client(node.port, fake.token(3), receive_buffer=4096) as client,
    ):
        await send_until_cut(client, frame(TEXT, b"{") * 200)

        assert await settles(lambda: node.metrics.connections == 2)
        assert node.metrics.bugs == 0


async def test_a_slow_client_that_closes_is_let_go(fake):
    """A close frame is answered behind what waits; not reading that is no way to stay."""
    async with (
        open_node(fake, write_wait=0.4) as node,
        open_client(node.port, fake.token(3)) as writer,
        open_client(node.port, fake.token(5), receive_buffer=4096) as slow,
    ):
        await fill(writer, count=13)
        await slow.send(frame(CLOSE, b"\x03\xe8"))

        assert await settles(lambda: node.metrics.connections == 1, within=5)

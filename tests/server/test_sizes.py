"""Every length that is some limit's edge, in every buffer size, arrives whole and in order."""

from __future__ import annotations

import random

import msgspec
import pytest

from fakes.clients import CONTINUATION, PING, PONG, TEXT, frame, open_client
from fakes.node import open_node, within
from gogate_trio.limits import FAST_MESSAGE_BYTES


def message_of(size, *, letter="x"):
    """A ``send_message`` of exactly so many bytes, and its text."""
    bare = msgspec.json.encode({"event": "send_message", "data": {"chat_id": 2, "text": ""}})
    text = letter * ((size - len(bare)) // len(letter.encode()))
    text += "x" * (size - len(bare) - len(text.encode()))
    payload = bare.replace(b'""', b'"' + text.encode() + b'"')
    assert len(payload) == size
    return payload, text


EDGES = [125, 126, 127, FAST_MESSAGE_BYTES - 1, FAST_MESSAGE_BYTES, FAST_MESSAGE_BYTES + 1]
EDGES += [65_535, 65_536, 500_000, 512_000]


@pytest.mark.parametrize("write_buffer", [128, 1024, 1 << 20])
@pytest.mark.parametrize("read_buffer", [128, 1024, 1 << 20])
async def test_messages_of_every_edge_arrive_whole(fake, read_buffer, write_buffer):
    """From the lengths of a frame's header to the largest message allowed."""
    buffers = {"read_buffer_size": read_buffer, "write_buffer_size": write_buffer}
    async with (
        open_node(fake, **buffers) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        for size in EDGES:
            payload, text = message_of(size, letter="é")
            with within():
                await john.send(frame(TEXT, payload))

                assert (await jane.event("new_message"))["text"] == text
                assert (await john.event("new_message"))["text"] == text


@pytest.mark.parametrize("parts", [1, 2, 256])
@pytest.mark.parametrize("letter", ["x", "é", "😀"])
async def test_the_largest_message_is_counted_in_bytes(fake, letter, parts):
    """At the limit it passes; one byte more is 1009, however it is cut and encoded."""
    async with (
        open_node(fake, max_message_size=1024) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            payload, text = message_of(1024, letter=letter)
            await client.send(in_parts(payload, parts))
            assert (await client.event("new_message"))["text"] == text

            payload, _ = message_of(1025, letter=letter)
            await client.send(in_parts(payload, parts))
            assert await client.close_code() == 1009
    assert len(fake.messages) == 1


async def test_fragments_pings_and_whole_messages_keep_their_order(fake):
    """Three roads through the reader, one order of what comes out; every ping is answered."""
    texts, said = [], b""
    for number in range(12):
        size = (200, 20_000, 70_000)[number % 3] + number
        payload, text = message_of(size, letter=chr(ord("a") + number))
        texts.append(text)
        if number % 2:
            said += frame(TEXT, payload)
        else:
            ping = frame(PING, b"%d" % number)
            said += in_parts(payload, 5, between=ping)
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        seen, pongs = [], []
        with within():
            await client.send(said)
            while len(seen) < 12:
                got = await client.next_frame()
                if got.opcode == PONG:
                    pongs.append(int(got.payload))
                else:
                    seen.append(msgspec.json.decode(got.payload)["data"]["text"])

    assert seen == texts
    assert pongs == [number for number in range(0, 12, 2) for _ in range(4)]


@pytest.mark.parametrize("seed", range(5))
async def test_where_the_network_cuts_the_stream_means_nothing(fake, seed):
    """The same bytes in random pieces: the same messages."""
    rng = random.Random(seed)
    texts, said = [], b""
    for number in range(10):
        payload, text = message_of(rng.choice([150, 3_000, 16_384, 16_400, 40_000]) + number)
        texts.append(text)
        said += rng.choice([frame(TEXT, payload), in_parts(payload, 3, between=frame(PING))])
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        with within():
            while said:
                size = rng.choice([1, 2, 7, 1000, 5000])
                await client.send(said[:size])
                said = said[size:]
            seen = [(await client.event("new_message"))["text"] for _ in range(10)]

    assert seen == texts


async def test_empty_fragments_are_part_of_a_message(fake):
    """A message may begin and end with nothing, or be nothing at all."""
    payload, text = message_of(100)
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        with within():
            await client.send(
                frame(TEXT, fin=False)
                + frame(CONTINUATION, payload, fin=False)
                + frame(CONTINUATION, fin=False)
                + frame(CONTINUATION)
            )
            assert (await client.event("new_message"))["text"] == text

            await client.send(frame(TEXT, fin=False) + frame(CONTINUATION))
            assert (await client.event("error"))["code"] == "INVALID_FORMAT"


def in_parts(payload, count, *, between=b""):
    """The frames of a message in so many parts, cut anywhere, with something between them."""
    step = -(-len(payload) // count)
    pieces = [payload[at : at + step] for at in range(0, len(payload), step)]
    frames = [
        frame(CONTINUATION if number else TEXT, piece, fin=number == len(pieces) - 1)
        for number, piece in enumerate(pieces)
    ]
    return between.join(frames)

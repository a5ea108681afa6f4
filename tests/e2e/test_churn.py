"""Three thousand people come and go, good and bad mixed, and nothing of them stays."""

from __future__ import annotations

import gc
import random
from contextlib import suppress

import trio

from fakes.clients import CLOSE, PING, UPGRADE, frame, open_client, open_raw
from fakes.leaks import holding, memory_of, settles
from fakes.node import open_node, undisturbed_chat
from fakes.strangers import SLOW_STRANGERS, STRANGERS, visit
from fakes.visitors import is_healthy, status_of

MEBIBYTE = 1024 * 1024
ROOM = 77
"""The chat of those who come and go: what they say disturbs nobody else."""
_rng = random.Random(3000)


async def chatter(port):
    """Log in, chat, say goodbye."""
    async with open_client(port, "token-3") as client:
        await client.say("typing", chat_id=ROOM, is_typing=True)
        await client.say("send_message", chat_id=ROOM, text="hello")
        message_id = (await client.event("new_message"))["id"]
        await client.say("add_reaction", message_id=message_id, emoji="👍")
        await client.say("mark_read", message_ids=[message_id])
        await client.event("message_read")
        await client.send(frame(CLOSE, b"\x03\xe8"))
        await client.rest()


async def lost_chatter(port):
    """Log in, ask for something, and be gone before the answer."""
    async with open_client(port, "token-3") as client:
        await client.say("send_message", chat_id=ROOM, text="into the void")
        if _rng.random() < 0.5:
            client.reset()


async def impostor(port):
    """Come with a token that is none."""
    async with open_client(port) as client:
        await client.say("auth", token="guess")
        await client.event("error")


async def lurker(port):
    """Listen for a moment without saying who one is."""
    async with open_client(port) as client:
        await client.send(frame(PING, b"?"))
        await client.next_frame()


async def prober(port):
    """Ask how it is, as monitoring does."""
    await is_healthy(port)


async def hostile_page(port):
    """A browser that was led here."""
    await status_of(port, origin="https://evil.example")


async def babbler(port):
    """Whatever comes to mind, before and behind the handshake."""
    async with open_raw(port) as client:
        with suppress(trio.BrokenResourceError):
            await client.send(_rng.choice((b"", UPGRADE + b"\r\n")) + _rng.randbytes(200))
            await client.stream.send_eof()
            await client.rest()


PEOPLE = (chatter, lost_chatter, impostor, lurker, prober, hostile_page, babbler)
PAIRS = zip(PEOPLE * 3, STRANGERS + PEOPLE, strict=False)
MIXED = tuple(person for pair in PAIRS for person in pair)


async def test_three_thousand_visits_end_where_they_began(fake):
    """Tasks and descriptors as before, memory within what an allocator keeps; the chat goes on."""
    fake.chats[ROOM] = [3]
    async with (
        open_node(fake, write_wait=0.5) as node,
        undisturbed_chat(node) as chat,
    ):
        with trio.fail_after(120):
            await visit(node.port, MIXED, 400, at_once=20)
            await visit(node.port, SLOW_STRANGERS, 12, at_once=4)
            assert await settles(lambda: node.metrics.connections == 2)
            before, memory = holding(), resident(fake)

            await visit(node.port, MIXED, 2980, at_once=20)
            await visit(node.port, SLOW_STRANGERS, 20, at_once=4)

            assert await settles(lambda: node.metrics.connections == 2)
            assert await settles(lambda: holding().is_at_most(before))
            assert resident(fake) - memory < 12 * MEBIBYTE
            await chat.goes_on(20)

        assert node.metrics.bugs == 0
        assert node.metrics.accepted > 3400


def resident(fake):
    """This process's memory without what the fake backend has written down."""
    fake.calls.clear()
    fake.messages.clear()
    gc.collect()
    return memory_of("self")

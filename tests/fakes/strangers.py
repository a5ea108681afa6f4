"""People who mean no good, or know no better: each connects, does one thing, and is gone.

Every one is a function of the gateway's port, and needs no account. Most are reproduced
kills of servers made of the same parts; none may be noticed by anybody else.
"""

from __future__ import annotations

import random
from contextlib import suppress
from typing import TYPE_CHECKING

import trio

from fakes.clients import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    UPGRADE,
    frame,
    open_client,
    open_raw,
    saying,
)

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Stranger = Callable[[int], Awaitable[None]]

OVERSIZE = frame(TEXT, b"x" * 70_000, size=512_001)
"""The beginning of a message one byte over the default limit."""

_rng = random.Random(6455)


async def non_ascii_protocol(port: int) -> None:
    """A subprotocol no ASCII decoder survives."""
    await _upgrade_with(port, b"Sec-WebSocket-Protocol: \xff\xfe, caf\xc3\xa9\r\n")


async def non_ascii_extensions(port: int) -> None:
    """The same in the extensions."""
    await _upgrade_with(port, b"Sec-WebSocket-Extensions: \xf0\x9f\x98\x80; x=\xff\r\n")


async def oversize_and_ping(port: int) -> None:
    """An oversize message with pings in the same chunk."""
    async with open_client(port) as client:
        with suppress(trio.BrokenResourceError):
            await client.send(frame(PING) + OVERSIZE + frame(PING) * 3)
            await client.rest()


async def oversize_while_closing(port: int) -> None:
    """A close frame with an oversize message behind it."""
    async with open_client(port) as client:
        with suppress(trio.BrokenResourceError):
            await client.send(frame(CLOSE, b"\x03\xe8") + OVERSIZE + frame(CLOSE))
            await client.rest()


async def oversize_then_close(port: int) -> None:
    """An oversize message, and a close frame of its own that crosses ours."""
    async with open_client(port) as client:
        with suppress(trio.BrokenResourceError):
            await client.send(OVERSIZE)
            await client.next_frame()
            await client.send(frame(CLOSE, b"\x03\xe8"))
            await client.rest()


async def ping_across_close(port: int) -> None:
    """Pings that cross the server's close frame, before and behind the fault."""
    async with open_client(port) as client:
        with suppress(trio.BrokenResourceError):
            await client.send(frame(PING) + frame(BINARY, b"x") + frame(PING, b"y") * 20)
            for _ in range(20):
                await client.send(frame(PING, b"z"))
            await client.rest()


async def garbage_and_reset(port: int) -> None:
    """No HTTP at all, then an RST."""
    async with open_raw(port) as client:
        await client.send(_rng.randbytes(_rng.randrange(1, 300)))
        client.reset()


async def bad_handshake_and_reset(port: int) -> None:
    """An upgrade without a key, then an RST."""
    async with open_raw(port) as client:
        await client.send(UPGRADE.replace(b"Key", b"Kee") + b"\r\n")
        client.reset()


async def handshake_and_reset(port: int) -> None:
    """A good upgrade, and an RST before the answer is read."""
    async with open_raw(port) as client:
        await client.send(UPGRADE + b"\r\n")
        client.reset()


async def aborted_handshake(port: int) -> None:
    """Half a head, then the end."""
    async with open_raw(port) as client:
        await client.send(UPGRADE[: _rng.randrange(len(UPGRADE))])


async def silent_visit(port: int) -> None:
    """A connection on which nothing is said."""
    async with open_raw(port):
        pass


async def garbage_frames_and_reset(port: int) -> None:
    """Noise behind a good upgrade, then an RST."""
    async with open_client(port) as client:
        with suppress(trio.BrokenResourceError):
            await client.send(_rng.randbytes(_rng.randrange(1, 3000)))
        client.reset()


async def half_a_frame_and_reset(port: int) -> None:
    """A message that is never finished, then an RST."""
    async with open_client(port) as client:
        await client.send(saying("auth", token="token-3")[:-3])
        client.reset()


async def half_a_message(port: int) -> None:
    """Fragments without a last one, then the end of our side of the stream."""
    async with open_client(port) as client:
        await client.send(frame(TEXT, b'{"ev', fin=False) + frame(CONTINUATION, b"ent", fin=False))
        await client.stream.send_eof()
        with suppress(trio.BrokenResourceError):
            await client.rest()


async def empty_continuations(port: int) -> None:
    """Two million frames with nothing in them: 12 MB that no size limit would count."""
    burst = frame(CONTINUATION, fin=False) * 20_000
    async with open_client(port) as client:
        with suppress(trio.BrokenResourceError):
            await client.send(frame(TEXT, fin=False))
            for _ in range(100):
                await client.send(burst)
            await client.rest()


async def pings_unread(port: int) -> None:
    """Pings without end whose pongs are never read."""
    burst = frame(PING, b"p" * 125) * 500
    async with open_client(port, receive_buffer=4096) as client:
        with suppress(trio.BrokenResourceError), trio.move_on_after(0.3):
            while True:
                await client.send(burst)
        client.reset()


async def pongs_unasked(port: int) -> None:
    """Pongs nobody asked for."""
    async with open_client(port) as client:
        await client.send(frame(PONG, b"?") * 200)


async def nonsense_unread(port: int) -> None:
    """Thousands of broken commands whose error events are never read."""
    async with open_client(port, receive_buffer=4096) as client:
        with suppress(trio.BrokenResourceError), trio.move_on_after(0.3):
            while True:
                await client.send(frame(TEXT, b"{}") * 500)
        client.reset()


async def illegal_frames(port: int) -> None:
    """Each kind of frame the RFC forbids, one connection each."""
    for illegal in (
        frame(TEXT, b"unmasked", masked=False),
        frame(0x3, b"reserved opcode"),
        frame(TEXT | 0x40, b"reserved bit"),
        frame(PING, b"x" * 126),
        frame(PING, fin=False),
        frame(CONTINUATION, b"of nothing"),
        frame(TEXT, b"\xff\xfe"),
        frame(CLOSE, b"\x03"),
        frame(CLOSE, b"\x03\xed"),
        frame(CLOSE, b"\x03\xe8\xff"),
    ):
        async with open_client(port) as client:
            with suppress(trio.BrokenResourceError):
                await client.send(illegal + frame(PING))
                await client.rest()


STRANGERS: tuple[Stranger, ...] = (
    non_ascii_protocol,
    non_ascii_extensions,
    oversize_and_ping,
    oversize_while_closing,
    oversize_then_close,
    ping_across_close,
    garbage_and_reset,
    bad_handshake_and_reset,
    handshake_and_reset,
    aborted_handshake,
    silent_visit,
    garbage_frames_and_reset,
    half_a_frame_and_reset,
    half_a_message,
    pongs_unasked,
)
"""Those who are quick."""

SLOW_STRANGERS: tuple[Stranger, ...] = (
    empty_continuations,
    pings_unread,
    nonsense_unread,
    illegal_frames,
)
"""Those who take their time."""


async def visit(port: int, strangers: tuple[Stranger, ...], count: int, *, at_once: int) -> None:
    """Let ``count`` strangers in, taking turns, ``at_once`` at a time."""
    turns = iter(range(count))

    async def come_one_after_the_other() -> None:
        for turn in turns:
            await strangers[turn % len(strangers)](port)

    async with trio.open_nursery() as crowd:
        for _ in range(at_once):
            crowd.start_soon(come_one_after_the_other)


async def _upgrade_with(port: int, header: bytes) -> None:
    async with open_raw(port) as client:
        await client.send(UPGRADE + header + b"\r\n")
        await client.read_until(b"\r\n\r\n")

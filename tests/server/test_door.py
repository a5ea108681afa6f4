"""What is let through the door, and with which words the rest is turned away."""

from __future__ import annotations

import pytest
import trio

from fakes.clients import UPGRADE, frame, open_client, open_raw, saying
from fakes.node import open_node, undisturbed_chat, within
from gogate_trio.limits import HEAD_BYTES
from gogate_trio.server import listener

TLS_HELLO = bytes.fromhex("16030100c6010000c20303") + b"\xab" * 191 + b"\n"
KEY_LINE = b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"


def without(line):
    """The upgrade request less one header."""
    return b"".join(each for each in UPGRADE.splitlines(keepends=True) if line not in each)


def padded_to(size):
    """A good upgrade request of so many bytes, with the empty line that ends it."""
    return UPGRADE + b"X: " + b"y" * (size - len(UPGRADE) - 7) + b"\r\n"


REFUSED = {
    "HTTP/1.0 upgrade": (UPGRADE.replace(b"HTTP/1.1", b"HTTP/1.0"), 400),
    "two hosts": (UPGRADE + b"Host: other.example\r\n", 400),
    "no host": (without(b"Host"), 400),
    "length and transfer coding": (
        UPGRADE + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        400,
    ),
    "HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n", 400),
    "TLS on the plain port": (TLS_HELLO, 400),
    "folded nonsense": (b"GET /ws HTTP/1.1\r\n : nothing\r\n", 400),
    "NUL in a header": (UPGRADE + b"X: a\x00b\r\n", 400),
    "no request at all": (b"\x00\xff" * 30 + b"\r\n", 400),
    "2,000 headers": (UPGRADE + b"A: b\r\n" * 2000, 431),
    "101 headers": (UPGRADE + b"A: b\r\n" * 96, 431),
    "a head a byte too long": (padded_to(HEAD_BYTES + 1), 431),
    "a huge header": (UPGRADE + b"X: " + b"y" * 20_000 + b"\r\n", 431),
    "an endless header": (UPGRADE + b"X: " + b"y" * 1_000_000 + b"\r\n", 431),
    "a huge target": (UPGRADE.replace(b"/ws", b"/ws?" + b"y" * 20_000), 431),
    "a body": (UPGRADE + b"Content-Length: 4\r\n", 413),
    "POST with a body": (UPGRADE.replace(b"GET", b"POST") + b"Content-Length: 4\r\n", 413),
    "a chunked body": (UPGRADE + b"Transfer-Encoding: chunked\r\n", 413),
    "POST": (UPGRADE.replace(b"GET", b"POST"), 405),
    "no upgrade": (without(b"Upgrade: websocket"), 426),
    "another upgrade": (UPGRADE.replace(b"websocket", b"h2c"), 426),
    "version 8": (UPGRADE.replace(b"13", b"8"), 426),
    "no version": (without(b"Version"), 426),
    "two versions": (UPGRADE + b"Sec-WebSocket-Version: 13\r\n", 426),
    "no upgrade in Connection": (
        UPGRADE.replace(b"Connection: Upgrade", b"Connection: close"),
        400,
    ),
    "no key": (without(b"Key"), 400),
    "a short key": (UPGRADE.replace(b"dGhlIHNhbXBsZSBub25jZQ==", b"c2hvcnQ="), 400),
    "a key that is no base64": (UPGRADE.replace(b"dGhl", b"d.hl"), 400),
    "two keys": (UPGRADE + KEY_LINE, 400),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_a_wrong_head_is_answered_with_its_status(fake, case):
    """One clear answer and a clean end: what was sent is read, so no reset eats the answer."""
    head, status = REFUSED[case]

    async with open_node(fake) as node:
        async with open_raw(node.port) as client:
            with within():
                await client.send(head + b"\r\n")
                answer = await client.rest()

        assert answer.startswith(b"HTTP/1.1 %d " % status)
        assert b"\r\nConnection: close\r\n" in answer
        assert node.metrics.refused == {status: 1}


@pytest.mark.parametrize(
    "head",
    [
        UPGRADE,
        UPGRADE.replace(b"/ws", b"/ws?client=7"),
        UPGRADE.replace(b"Upgrade: websocket", b"uPGRADE: h2c, WebSocket"),
        UPGRADE.replace(b"Connection: Upgrade", b"Connection: keep-alive, Upgrade"),
        UPGRADE + b"Content-Length: 0\r\n",
        UPGRADE + b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
        UPGRADE + b"Sec-WebSocket-Protocol: caf\xe9\r\n",
        UPGRADE + b"Sec-WebSocket-Extensions: \xff\r\n",
        UPGRADE + b"Cookie: x=" + b"y" * 8000 + b"\r\n",
        UPGRADE + b"A: b\r\n" * 95,
        padded_to(HEAD_BYTES),
    ],
)
async def test_a_legal_upgrade_succeeds_with_neither_extension_nor_protocol(fake, head):
    """What is legal, or nobody's business, does no harm; nothing is negotiated."""
    async with open_node(fake) as node, open_raw(node.port) as client:
        with within():
            await client.send(head + b"\r\n")
            answer = (await client.read_until(b"\r\n\r\n")).lower()
            await client.authenticate(fake.token(1))

    assert answer.startswith(b"http/1.1 101 ")
    assert b"\r\nsec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=\r\n" in answer
    assert b"sec-websocket-extensions" not in answer
    assert b"sec-websocket-protocol" not in answer


async def test_a_head_and_frames_may_come_byte_by_byte(fake):
    """No boundary of the network's means anything."""
    async with open_node(fake) as node, open_raw(node.port) as client:
        client.stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        with within():
            for byte in UPGRADE + b"\r\n" + saying("auth", token=fake.token(1)):
                await client.send(bytes((byte,)))
            await client.read_until(b"\r\n\r\n")

            assert (await client.event("auth_success"))["user_id"] == 1


async def test_a_head_that_takes_too_long_is_answered_with_408(fake, monkeypatch):
    """One deadline for the whole head: a byte now and then does not move it."""
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.3)
    async with open_node(fake) as node, undisturbed_chat(node), open_raw(node.port) as client:
        with within():
            async with trio.open_nursery() as dripping:

                async def drip():
                    for byte in UPGRADE:
                        await client.send(bytes((byte,)))
                        await trio.sleep(0.05)

                dripping.start_soon(drip)
                answer = await client.read_until(b"\r\n\r\n")
                dripping.cancel_scope.cancel()

        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_nobody_at_the_door_holds_up_the_others(fake):
    """Hundreds of half heads, and the next client comes in as fast as ever."""
    async with open_node(fake) as node, trio.open_nursery() as crowd:
        started = trio.Semaphore(0)

        async def dawdle():
            async with open_raw(node.port) as client:
                await client.send(UPGRADE[:50])
                started.release()
                await trio.sleep_forever()

        for _ in range(200):
            crowd.start_soon(dawdle)
        with within():
            for _ in range(200):
                await started.acquire()
            async with open_client(node.port, fake.token(1)) as client:
                await client.send(frame(0x9, b"still here?"))
                assert (await client.next_frame()).payload == b"still here?"
        crowd.cancel_scope.cancel()

"""Why a connection ends is what its client reads, whatever else is under way."""

from __future__ import annotations

import pytest
import trio

from fakes.clients import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    frame,
    open_client,
    saying,
)
from fakes.leaks import settles
from fakes.node import open_node, undisturbed_chat, within

FAULTS = {
    "not masked": (frame(TEXT, b"x", masked=False), 1002),
    "reserved opcode": (frame(0x3, b"x"), 1002),
    "reserved control opcode": (frame(0xB), 1002),
    "reserved bit": (frame(TEXT | 0x40, b"x"), 1002),
    "control frame too long": (frame(PING, b"x" * 126), 1002),
    "control frame in parts": (frame(PING, fin=False), 1002),
    "continuation of nothing": (frame(CONTINUATION, b"x"), 1002),
    "message within a message": (frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"), 1002),
    "length with its top bit set": (b"\x81\xff" + b"\xff" * 8, 1002),
    "length longer than needed": (b"\x81\xfe\x00\x05" + b"\x00" * 9, 1002),
    "close frame of one byte": (frame(CLOSE, b"\x03"), 1002),
    "close code 1005": (frame(CLOSE, b"\x03\xed"), 1002),
    "close code 999": (frame(CLOSE, b"\x03\xe7"), 1002),
    "binary": (frame(BINARY, b"{}"), 1003),
    "binary in parts": (frame(BINARY, b"{", fin=False), 1003),
    "bad UTF-8": (frame(TEXT, b"\xc3\x28"), 1007),
    "a surrogate": (frame(TEXT, b"\xed\xa0\x80"), 1007),
    "bad UTF-8 across parts": (
        frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"\x28", fin=False),
        1007,
    ),
    "UTF-8 cut short": (frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"\xe2\x82"), 1007),
    "bad UTF-8 in a close frame": (frame(CLOSE, b"\x03\xe8\xff"), 1007),
    "too big": (frame(TEXT, size=512_001), 1009),
    "too big in parts": (
        frame(TEXT, b"x" * 512_000, fin=False) + frame(CONTINUATION, b"x", fin=False),
        1009,
    ),
    "257 parts": (
        frame(TEXT, b"x", fin=False) + frame(CONTINUATION, fin=False) * 256,
        1009,
    ),
}


@pytest.mark.parametrize("case", FAULTS)
async def test_a_fault_is_named_in_the_close_frame(fake, case):
    """The code the RFC has for it, then a clean end; what follows is not looked at."""
    said, code = FAULTS[case]

    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        with within():
            await client.send(said + frame(PING) + saying("typing", chat_id=1, is_typing=True))

            assert await client.close_code() == code
        assert node.metrics.bugs == 0


@pytest.mark.parametrize("megabytes", [1, 8])
async def test_who_sends_too_much_reads_why_and_meets_no_reset(fake, megabytes):
    """Megabytes behind the fault, and only then a look at the answer: 1009 and a clean end."""
    async with (
        open_node(fake) as node,
        undisturbed_chat(node),
        open_client(node.port, fake.token(3)) as client,
    ):
        with within():
            await client.send(frame(TEXT, b"x" * (megabytes << 20)))

            assert await client.close_code() == 1009


@pytest.mark.parametrize(
    ("payload", "answer"),
    [
        (b"", b""),
        (b"\x03\xe8", b"\x03\xe8"),
        (b"\x03\xe9going away", b"\x03\xe9going away"),
        (b"\x0f\xa0", b"\x0f\xa0"),
    ],
)
@pytest.mark.parametrize("before", [[], [b"first a ping"]], ids=["by us", "by trio-websocket"])
async def test_a_close_frame_is_echoed(fake, payload, answer, before):
    """The closing handshake as the RFC wants it: the peer's own code, and the end at once."""
    async with open_node(fake) as node, open_client(node.port) as client:
        with within(5):
            await client.send(b"".join(frame(PING, each) for each in before))
            await client.send(frame(CLOSE, payload))

            for each in before:
                assert await client.next_frame() == Frame(PONG, each)
            assert await client.next_frame() == Frame(CLOSE, answer)
            assert await client.rest() == b""
        assert await settles(lambda: node.metrics.closed["client left"] == 1)
        assert node.metrics.bugs == 0


async def test_replies_go_out_before_the_close_frame(fake):
    """What was answered is read before the end, in order."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        with within():
            await client.send(frame(TEXT, b"no JSON") * 20 + frame(BINARY))
            got = [await client.next_frame() for _ in range(21)]

    assert [each.opcode for each in got] == [TEXT] * 20 + [CLOSE]


async def test_who_does_not_authenticate_in_time_is_told_and_hung_up(fake):
    """The error event first, then 4501; pings and nonsense do not buy time."""
    async with (
        open_node(fake, auth_timeout=0.3) as node,
        undisturbed_chat(node),
        open_client(node.port) as client,
    ):

        async def talk():
            while True:
                await client.send(frame(PING) + frame(TEXT, b"?"))
                await trio.sleep(0.02)

        with within():
            async with trio.open_nursery() as talking:
                talking.start_soon(talk)
                while (event := await client.next_event())["data"]["code"] != "AUTH_TIMEOUT":
                    pass
                talking.cancel_scope.cancel()
            assert event["event"] == "error"
            assert await client.close_code() == 4501


async def test_a_failed_authentication_does_not_buy_time(fake):
    """Bad tokens are answered; the clock runs on."""
    async with open_node(fake, auth_timeout=0.5) as node, open_client(node.port) as client:
        with within():
            await client.say("auth", token="token-99")
            refused = await client.event("error")

            assert refused["message"] == "Authentication failed: backend error: Invalid token"
            assert await client.close_code() == 4501


async def test_who_waits_for_a_hanging_backend_is_told_to_come_back(fake):
    """It did authenticate in time: that the backend says nothing is no fault of its own."""
    gate = fake.hold("validate")
    async with open_node(fake, auth_timeout=0.3) as node, open_client(node.port) as client:
        with within():
            await client.say("auth", token=fake.token(1))

            assert (await client.event("error"))["code"] == "BACKEND_UNAVAILABLE"
            assert await client.close_code() == 1013
        gate.set()


async def test_an_authenticated_client_stays_beyond_the_timeout(fake):
    """The deadline is for authenticating, nothing else."""
    async with (
        open_node(fake, auth_timeout=0.3) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        await trio.sleep(0.6)
        with within():
            await client.send(frame(PING, b"here"))

            assert await client.next_frame() == Frame(PONG, b"here")


async def test_a_drained_node_tells_everybody_to_come_back(fake):
    """1012 to clients with and without a user; then the node has stopped."""
    async with open_node(fake) as node:
        async with open_client(node.port, fake.token(1)) as one, open_client(node.port) as other:
            node.stop.set()
            with within():
                assert await one.close_code() == 1012
                assert await other.close_code() == 1012
        with within():
            await node.stopped.wait()
        assert node.metrics.connections == 0

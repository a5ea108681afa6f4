"""The Autobahn suite against the production connection, with an echo mounted in place of the chat.

What is changed for the suite is only what it must be: messages are echoed, binary ones too,
and the bounds on a message's size and fragments are as large as the suite's messages. The
bytes go through the same guard, transport, outbox, writer and goodbye as a chat's.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import trio

import fixtures
from fakes.backend import open_fake_backend
from fakes.node import open_node
from gogate_trio.protocol import guard
from gogate_trio.protocol.frames import BINARY, FIN, text_frame
from gogate_trio.protocol.guard import FrameGuard
from gogate_trio.router import Router
from gogate_trio.server import connection, reader
from gogate_trio.server.library import Library
from gogate_trio.server.reader import Reader

DRIVER = Path(fixtures.__file__).with_name("autobahn.py")
LARGEST = 16 * 1024 * 1024
"""bytes of the suite's largest message"""
PATIENCE = 400.0
"""seconds for all cases on a machine that is busy"""

PROTOCOL = [f"{chapter}.*" for chapter in (1, 2, 3, 4, 5, 6, 7, 9, 10)]
"""Framing, pings, reserved bits, opcodes, fragments, UTF-8, closing, limits, auto-fragmentation."""

COMPRESSION = ["12.*", "13.*"]
"""permessage-deflate."""

NON_STRICT = {
    "6.4.3": "a short text frame is read when it is whole: bad UTF-8 in the first half of it is"
    " noticed then, and not while the rest is on its way",
    "6.4.4": "the same, octet by octet",
}
"""Cases that pass, but not as strictly as the suite would like → why."""

INFORMATIONAL = {
    "7.1.6": "a close frame right behind a long message: what the peer still gets is left open",
    "7.13.1": "close code 5000: the RFC does not say what to answer (we say 1002)",
    "7.13.2": "close code 65536, of which two bytes are left: the same",
}
"""Cases without a right answer → what they ask."""


class Binary(bytes):
    """A binary message, on its way to the echo as its bytes."""


class Telling(Library):
    """trio-websocket's part, whose binary messages say that they are."""

    async def message(self):
        """The next message."""
        websocket, _ = await self._begun()
        message = await websocket.get_message()
        return Binary(message) if isinstance(message, bytes) else message.encode()


class EchoingReader(Reader):
    """A reader that takes binary messages too."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self._guard = FrameGuard(LARGEST, binary=True)


def echo(_router, caller, message):
    """Send a message back as it came."""
    caller.outbox.offer(
        binary_frame(message) if isinstance(message, Binary) else text_frame(message)
    )


def binary_frame(payload):
    """A text frame of the house with the other opcode."""
    frame = bytearray(text_frame(payload))
    frame[0] = FIN | BINARY
    return bytes(frame)


@pytest.fixture
async def echoing(monkeypatch):
    """The address of a whole gateway that echoes."""
    monkeypatch.setattr(connection, "Reader", EchoingReader)
    monkeypatch.setattr(reader, "Library", Telling)
    monkeypatch.setattr(Router, "handle", echo)
    monkeypatch.setattr(guard, "FRAGMENTS", LARGEST)
    async with (
        open_fake_backend() as fake,
        open_node(fake, max_message_size=LARGEST, auth_timeout=3600.0) as node,
    ):
        yield f"ws://127.0.0.1:{node.port}/ws"
        assert node.metrics.bugs == 0


async def verdicts(address, cases):
    """Each case's record, by its number."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            [sys.executable, str(DRIVER), address, *cases], capture_stdout=True
        )
    return {record["case"]: record for record in json.loads(done.stdout)}


async def test_no_case_of_the_protocol_fails(echoing):
    """All 301 pass, strictly but for the few named above, each with its reason."""
    records = await verdicts(echoing, PROTOCOL)
    behaviors = {case: record["behavior"] for case, record in records.items()}
    closings = {case: record["closing"] for case, record in records.items()}
    strict = dict.fromkeys(records, "OK")
    informational = dict.fromkeys(INFORMATIONAL, "INFORMATIONAL")

    assert len(records) == 301
    assert behaviors == strict | dict.fromkeys(NON_STRICT, "NON-STRICT") | informational
    assert closings == strict | informational


async def test_compression_is_never_negotiated(echoing):
    """permessage-deflate is declined whatever the offer: one packet could become a gigabyte."""
    records = await verdicts(echoing, COMPRESSION)

    assert len(records) > 200
    assert {record["behavior"] for record in records.values()} == {"UNIMPLEMENTED"}

"""A whole gateway in a thread, for a fuzzer that calls a plain function."""

from __future__ import annotations

import atexit
import socket
import threading
from functools import cache

import attrs
import msgspec
import structlog
import trio

from fakes import clients
from fakes.backend import open_fake_backend
from fakes.clients import TEXT, UPGRADE, frame, saying
from fakes.node import open_node
from gogate_trio.metrics import Metrics
from gogate_trio.protocol.close import is_legal

PATIENCE = 10.0
"""seconds within which everything is answered"""
STATUSES = {b"101", b"200", b"400", b"403", b"404", b"405", b"413", b"426", b"431"}


@attrs.frozen
class Running:
    """The gateway under attack."""

    port: int
    metrics: Metrics


@cache
def running() -> Running:
    """Start it, once; it ends with the process."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    started: list[Running] = []
    ready, over = threading.Event(), threading.Event()

    async def serve() -> None:
        async with open_fake_backend() as fake, open_node(fake, max_message_size=2000) as node:
            started.append(Running(node.port, node.metrics))
            ready.set()
            await trio.to_thread.run_sync(over.wait)

    thread = threading.Thread(target=trio.run, args=(serve,), daemon=True)
    thread.start()
    atexit.register(over.set)
    assert ready.wait(PATIENCE)
    return started[0]


def attack(data: bytes) -> None:
    """Send bytes, say that this is all, read to the end: nothing but documented answers."""
    gateway = running()
    bugs = gateway.metrics.bugs
    kind, rest = data[:1], data[1:]
    said = {
        b"\x01": UPGRADE + b"\r\n" + rest,
        b"\x02": UPGRADE + b"\r\n" + saying("auth", token="token-1") + frame(TEXT, rest),
    }.get(kind, rest)
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=PATIENCE) as sock:
        sock.sendall(said)
        sock.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: sock.recv(65536), b""))
    assert gateway.metrics.bugs == bugs
    if answer:
        check(answer)


def check(answer: bytes) -> None:
    """It is a documented status, and behind an upgrade whole frames of this protocol."""
    head, blank, rest = answer.partition(b"\r\n\r\n")
    assert blank
    status = head.split(b" ")[1]
    assert status in STATUSES
    if status != b"101":
        return
    while rest:
        rest = check_frame(rest)


def check_frame(data: bytes) -> bytes:
    """Read one frame; return what comes behind it."""
    opcode, size, start = data[0], data[1], 2
    if size >= 126:
        start = 4 if size == 126 else 10
        size = int.from_bytes(data[2:start])
    payload, rest = data[start : start + size], data[start + size :]
    assert len(payload) == size
    match opcode & 0x0F:
        case clients.TEXT:
            event = msgspec.json.decode(payload)
            assert isinstance(event["event"], str)
            assert isinstance(event["data"], dict)
        case clients.CLOSE:
            assert not rest
            assert not payload or is_legal(int.from_bytes(payload[:2]))
            payload[2:].decode()
        case other:
            assert other == clients.PONG
    assert opcode & 0xF0 == 0x80
    return rest

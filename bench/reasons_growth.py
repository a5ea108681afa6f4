"""Why a delivery is dearer among more connections: ``python bench/reasons_growth.py``.

Nothing but ``send`` on sockets that another core empties: no gateway, no epoll, no frame to make.
10,000 connections are open in every row. What changes is how many of them take turns, and, for
the same 100 of them, how much memory is copied before each message: that takes from the caches
what the sockets had there, and changes nothing else. CPU is of the sends alone.
"""

from __future__ import annotations

import json
import os
import resource
import select
import socket
import sys
import time
from statistics import median

CONNECTIONS, CHAT = 10_000, 100
TURNS = (100, 500, 1_000, 2_000, 5_000, 10_000)
COPIED_MIB = (4, 16, 64)
LABELS = {
    **{f"{turns:,} take turns, {CHAT} for each message": (turns, 0) for turns in TURNS},
    **{
        f"the same {CHAT}, and {mib} MiB of memory copied before each message": (CHAT, mib)
        for mib in COPIED_MIB
    },
}
"""Row → how many take turns, and how much memory is copied."""
MESSAGES, REPETITIONS = 50, 5
PAUSE = 0.0005
"""s before each message, so that the other core has read the last one."""
FRAME = b"\x81\x7e\x01\x40" + b"x" * 320


def measure() -> list[tuple[str, float]]:
    """What was done, and µs of CPU for a delivery: medians of interleaved repetitions."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    cores = sorted(os.sched_getaffinity(0))
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    reading, ready = os.pipe()
    if not (reader := os.fork()):
        os.sched_setaffinity(0, cores[:1])
        _read_all(listener.getsockname()[1], ready)
    os.sched_setaffinity(0, cores[-1:])
    try:
        members = _accepted(listener)
        os.read(reading, 1)
        return _rows(members)
    finally:
        os.kill(reader, 9)
        os.waitpid(reader, 0)


def _read_all(port: int, ready: int) -> None:
    """The other core: connect, and read what comes until killed."""
    poll, clients = select.epoll(), {}
    for n in range(CONNECTIONS):
        sock = socket.socket()
        sock.bind((f"127.0.0.{2 + n // 2000}", 0))
        sock.connect(("127.0.0.1", port))
        clients[sock.fileno()] = sock
        poll.register(sock, select.EPOLLIN)
    os.write(ready, b"x")
    while True:
        for fd, _ in poll.poll():
            if not clients[fd].recv(65536):
                os._exit(0)


def _accepted(listener: socket.socket) -> list[socket.socket]:
    members = []
    for _ in range(CONNECTIONS):
        sock, _ = listener.accept()
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        members.append(sock)
    return members


def _rows(members: list[socket.socket]) -> list[tuple[str, float]]:
    chats = [members[at : at + CHAT] for at in range(0, CONNECTIONS, CHAT)]
    memory = bytearray(max(COPIED_MIB) << 20)
    measured: dict[str, list[float]] = {}
    for _ in range(REPETITIONS):
        for label, (turns, mib) in LABELS.items():
            cost = _cost(chats[: turns // CHAT], memoryview(memory)[: mib << 20])
            measured.setdefault(label, []).append(cost)
    return [(label, median(costs)) for label, costs in measured.items()]


def _cost(chats: list[list[socket.socket]], copied: memoryview) -> float:
    """µs of CPU for one send; every chat has had a message before."""
    spent = 0.0
    for message in range(len(chats) + MESSAGES):
        time.sleep(PAUSE)
        bytes(copied)
        began = time.thread_time()
        for sock in chats[message % len(chats)]:
            sock.send(FRAME)
        if message >= len(chats):
            spent += time.thread_time() - began
    return spent / MESSAGES / CHAT * 1e6


def table(rows: list[tuple[str, float]]) -> str:
    """As Markdown."""
    lines = [f"| {label} | {cost:.2f} |" for label, cost in rows]
    head = [f"| of {CONNECTIONS:,} connections | µs a delivery |", "|---|---:|"]
    return "\n".join([*head, *lines]) + "\n"


if __name__ == "__main__":
    found = measure()
    print(json.dumps(found) if "--json" in sys.argv else table(found))

"""Laws of standard error: nobody who reads it, or stops reading it, holds the gateway up."""

from __future__ import annotations

import os
import socket
import threading
import time
import types

import pytest

from gogate_trio.limits import LOG_PATIENCE_SECONDS, LOG_WRITE_SECONDS
from gogate_trio.log.counts import COUNTS
from gogate_trio.log.writing import Lines

LINE = "x" * 1000


def pipe():
    """A pipe: its reading end, and a stream to write to."""
    ours, theirs = os.pipe()
    return ours, open(theirs, "w")  # noqa: PTH123 - closed by its reader


def unix_socket():
    """A socket, as systemd's own for standard error: the same."""
    ours, theirs = socket.socketpair()
    return ours.detach(), open(theirs.detach(), "w")  # noqa: PTH123 - as above


def read_all(reader):
    """Read what is there."""
    os.set_blocking(reader, False)
    parts = []
    try:
        while part := os.read(reader, 65536):
            parts.append(part)
    except BlockingIOError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("kind", [pipe, unix_socket])
def test_a_reader_that_stops_costs_lines_and_no_time(kind):
    """One line waits for a moment, the others for nothing; what is lost is counted."""
    reader, stream = kind()
    lines, before = Lines(stream), COUNTS.lost
    began = time.monotonic()
    for _ in range(3000):
        lines.write(LINE)
    took = time.monotonic() - began
    lost = COUNTS.lost - before

    written = read_all(reader)
    os.close(reader)
    stream.close()
    assert 0 < lost < 3000
    assert LOG_WRITE_SECONDS <= took < LOG_WRITE_SECONDS + 5
    assert written.count(b"\n") == 3000 - lost


def test_a_slow_reader_is_waited_for_now_and_then(monkeypatch):
    """Room that comes and goes does not make every line wait: all waits together are bounded."""
    reader, stream = pipe()
    lines, now, waits = Lines(stream), [1000.0], []

    def poll(milliseconds):
        """Never have room; whoever waits, waits for all of it."""
        now[0] += milliseconds / 1000
        waits.append(milliseconds / 1000)
        return []

    lines._poll = types.SimpleNamespace(poll=poll)
    monkeypatch.setattr("gogate_trio.log.writing.time.monotonic", lambda: now[0])
    for _ in range(1000):
        now[0] += 0.1
        lines.write(LINE)
    read_all(reader)
    os.close(reader)
    stream.close()

    share = LOG_WRITE_SECONDS / LOG_PATIENCE_SECONDS
    assert max(waits) == LOG_WRITE_SECONDS
    assert sum(waits) <= LOG_WRITE_SECONDS + share * (now[0] - 1000)
    assert sum(waits) > share * 50


def test_a_torn_line_swallows_none():
    """A long line may be cut off; what comes when there is room again is a line of its own."""
    reader, stream = pipe()
    lines = Lines(stream)
    lines.write("y" * 500_000)
    lines.write("while it is full")
    torn = read_all(reader)
    lines.write("back")
    lines.write("and on")

    rest = read_all(reader)
    os.close(reader)
    stream.close()
    assert torn == b"y" * len(torn)
    assert rest == b"\nback\nand on\n"


def test_lines_of_two_threads_do_not_mix():
    """However long they are: each comes out whole."""
    reader, stream = pipe()
    lines = Lines(stream)
    read = []

    def write(letter):
        for _ in range(10):
            lines.write(letter * 9000)

    threads = [threading.Thread(target=write, args=[letter]) for letter in "ab"]

    def listen():
        while part := os.read(reader, 65536):
            read.append(part)

    listener = threading.Thread(target=listen)
    for thread in (listener, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stream.close()
    listener.join()
    os.close(reader)

    whole = b"".join(read).splitlines()
    assert sorted(whole) == [b"a" * 9000] * 10 + [b"b" * 9000] * 10

"""``gogate top``: figures out of looks, a frame that fits, and a real gateway to look at."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from fakes.clients import open_client
from fakes.desk import FakeUser
from fakes.node import within
from fakes.process import open_gateway
from fakes.secrets import KEY, KEYS
from gogate_trio import cli
from gogate_trio.config import Settings
from gogate_trio.errors import OperatorError
from gogate_trio.internal.api.overview_shapes import HistogramShown, Overview
from gogate_trio.remote import Remote
from gogate_trio.top import loop
from gogate_trio.top.figures import Past, ago_text, bytes_text, percentile_of, seconds_text
from gogate_trio.top.screen import draw

NOW = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)
HOSTILE = "[bold]\x1b[2J\u202eevil\n" + "x" * 200


def look(
    at=0.0, *, deliveries=0, counts=(0, 0, 0), started=NOW, name=HOSTILE, people=0, redis=None
):
    """A look at a node at some second."""
    histogram = {"bounds": [0.001, 0.01], "counts": list(counts), "sum": 0.0}
    person = {
        "number": 1,
        "user_id": 7,
        "name": name,
        "address": "192.0.2.7",
        "since": NOW,
        "state": "authenticated",
        "waiting_frames": 3,
        "waiting_bytes": 2048,
        "resumes": True,
    }
    end = {"at": NOW, "number": 1, "user_id": None, "name": name, "code": 0, "reason": name}
    node = {
        "id": "a",
        "name": name,
        "version": "1",
        "started": started,
        "connections": 3,
        "users": 2,
        "state": "serving",
        "here": True,
    }
    names = ("accepted", "turned_away", "closed", "commands", "messages", "publications")
    names += ("errors", "shed", "backend_calls", "backend_failures", "api_requests", "bugs")
    whole = {
        "node": node,
        "time": NOW + timedelta(seconds=at),
        "at": at,
        "parts": {"node": {"ready": True, "state": "serving"}},
        "connections": dict.fromkeys(
            ("authenticated", "unauthenticated", "leaving", "users", "most"), 1
        ),
        "waiting": dict.fromkeys(("connections", "frames", "bytes", "publications", "late"), 0),
        "totals": dict.fromkeys(names, 0) | {"deliveries": deliveries},
        "latencies": dict.fromkeys(("delivery", "backend", "fan_out", "loop_lag"), histogram),
        "backend": {"running": 0, "waiting": 0, "opened": 0},
        "redis": redis,
        "process": {"cpu_seconds": at / 2, "memory_bytes": 1},
        "slowest": [person] * people,
        "newest": [person] * people,
        "ends": [end] * people,
        "nodes": [node],
    }
    return msgspec.convert(whole, Overview)


def past(*looks):
    """These looks, one after the other."""
    seen = Past()
    for one in looks:
        seen.add(one)
    return seen


# ── figures ──────────────────────────────────────────────────────────────────


def test_a_rate_is_between_the_last_two_looks():
    """None before there are two; another life of the process begins anew."""
    first, second = look(10.0, deliveries=100), look(12.0, deliveries=150)

    assert past(first).rate("deliveries") is None
    assert past(look(9.0, deliveries=7), first, second).rate("deliveries") == 25.0
    assert past(first, second).cpu() == 0.5
    again = look(1.0, started=NOW + timedelta(seconds=1))
    assert past(first, second, again).rate("deliveries") is None


def test_a_percentile_is_of_the_last_seconds():
    """What happened before the window is not in it; with one look, all there was."""
    old, mid, new = (
        look(at, counts=counts)
        for at, counts in ((0.0, (90, 0, 0)), (60.0, (100, 0, 0)), (61.0, (100, 10, 0)))
    )

    assert past(old).percentile("delivery", 0.5) == pytest.approx(0.0005)
    assert past(old, mid, new).percentile("delivery", 0.5) == pytest.approx(0.0055)
    assert past(new, later(new, 62.0)).percentile("delivery", 0.5) is None


def later(one, at):
    """The same look a little later."""
    return msgspec.structs.replace(one, at=at)


@given(
    st.lists(st.integers(0, 1000), min_size=4, max_size=4),
    st.floats(0.01, 1.0),
)
def test_a_percentile_lies_within_its_bucket(counts, share):
    """As many values as the share says are not above the bucket it is in."""
    bounds = [1.0, 2.0, 4.0]
    found = percentile_of(HistogramShown(bounds, counts, 0.0), counts, share)

    if not sum(counts):
        assert found is None
        return
    assert 0.0 <= found <= 4.0
    not_above = sum(count for low, count in zip([0.0, *bounds], counts, strict=True) if low < found)
    assert not_above >= share * sum(counts) - 1e-6 or found == 4.0


def test_numbers_are_read_at_a_glance():
    """In the unit that suits them."""
    assert [seconds_text(n) for n in (None, 0.00042, 0.0123, 2.0)] == [
        *("-", "420 µs", "12.3 ms", "2.0 s"),
    ]
    assert [bytes_text(n) for n in (0, 2048, 3 * 1024**2)] == ["0 B", "2 KiB", "3.0 MiB"]
    ages = [ago_text(NOW - timedelta(seconds=n), NOW) for n in (-5, 59, 61, 3700, 90_000)]
    assert ages == ["0s", "59s", "1m 1s", "1h 1m", "1d 1h"]


# ── the frame ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("width", "height"), [(60, 24), (80, 24), (120, 40), (200, 60)])
def test_a_frame_fits_and_names_are_only_text(width, height):
    """No markup of a name is obeyed, no control character reaches the terminal."""
    console = Console(width=width, height=height, record=True, file=io.StringIO())
    redis = {"state": "detached", "behind": 7, "behind_seconds": 2.0, "backlog": 12}
    looks = (look(0.0, people=20, redis=redis), look(1.0, people=20, redis=redis))
    console.print(draw(past(*looks), width=width, height=height))
    lines = console.export_text().splitlines()

    assert max(map(len, lines)) <= width
    assert "[bold]" in "".join(lines)
    assert "detached" in "".join(lines)
    assert all(line.isprintable() for line in lines)
    assert len(lines) <= max(height, 46 if width < 72 else 34)


# ── a gateway to look at ─────────────────────────────────────────────────────


async def top(folder, *arguments, **environment):
    """Run ``gogate top``; its status and what it says."""
    with within(60):
        ran = await trio.run_process(
            [sys.executable, "-m", "gogate_trio", "top", *arguments],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "INTERNAL_API_KEY": KEY, **environment},
            check=False,
            capture_stdout=True,
            stderr=subprocess.STDOUT,
        )
    return ran.returncode, ran.stdout.decode()


async def test_one_frame_of_a_gateway_that_runs(fake, tmp_path):
    """Who is here, who has just left, and that the backend is well; with the settings it has."""
    fake.users[3] = FakeUser(3, "Ann [red]", "Lee", "")
    async with open_gateway(fake, tmp_path, INTERNAL_PORT="0", NODE_NAME="chat-1") as gateway:
        port = str((await gateway.logged("serving_internal"))["port"])
        async with open_client(gateway.port, "token-3"):
            status, said = await top(tmp_path, "--once", INTERNAL_PORT=port)
            refused = await top(tmp_path, "--once", "--port", port, INTERNAL_API_KEY=KEYS[1])

    assert status == 0, said
    assert "chat-1" in said
    assert "Ann [red] Lee" in said
    assert "backend: closed" in said
    assert refused[0] == 1
    assert "UNAUTHORIZED" in refused[1]
    assert "Traceback" not in refused[1]


def test_what_is_no_gateway_is_said_to_be_none(tmp_path, monkeypatch, capsys):
    """Nobody there, somebody else there, and no port: a line each, and no traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("INTERNAL_API_KEY", KEY)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = str(listening.getsockname()[1])

        def another_program():
            with listening.accept()[0] as stream:
                stream.recv(65536)
                stream.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")

        answering = threading.Thread(target=another_program)
        answering.start()
        statuses = [cli.run(["top", "--once", "--port", port])]
        answering.join()
    statuses += [cli.run(["top", "--once", "--port", port]), cli.run(["top", "--once"])]
    other, nobody, off = capsys.readouterr().err.splitlines()

    assert statuses == [1, 1, 1]
    assert "is no GoGate" in other
    assert "nothing answers" in nobody
    assert "INTERNAL_PORT" in off


def test_a_gateway_that_goes_away_is_said_to_be_away(monkeypatch):
    """What was seen last stays on the screen, and Ctrl-C ends it."""
    looks = iter([look(0.0), look(1.0), OperatorError("away"), KeyboardInterrupt()])
    drawn = []

    def next_look(_remote):
        found = next(looks)
        if isinstance(found, BaseException):
            raise found
        return found

    monkeypatch.setattr(loop, "_look", next_look)
    monkeypatch.setattr(loop, "PERIOD", 0.0)
    monkeypatch.setattr(loop, "draw", lambda _past, **how: drawn.append(how.get("note")) or "")
    settings = Settings.load({"INTERNAL_API_KEY": KEY, "INTERNAL_PORT": "9"}, None)
    loop.watch(
        Remote(settings), once=False, console=Console(file=io.StringIO(), force_terminal=True)
    )

    assert drawn == ["", "", "does not answer"]

"""One trial: a fresh backend, a fresh server, one load, one result."""

from __future__ import annotations

import http.client
import json
import os
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import tools
from lineup import KEY, Around

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lineup import Peer
    from scenarios import Scenario

START_SECONDS = 20
LOAD_SECONDS = 90
"""The longest run takes 20 on a quiet machine: 10,000 connections, one after the other."""
LISTEN = "0A"
"""That state in /proc/net/tcp."""
STALL_SECONDS = 5.0
"""So long without a delivery, and what is still missing is lost."""

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[-1], CORES[0]
"""The server has a core to itself; load generator, backend and Redis share another one."""
HELPER_CORE = CORES[1] if len(CORES) >= 4 else LOAD_CORE
"""Backend and Redis have one of their own where two servers leave one."""


class TrialFailed(Exception):
    """The server or the load generator did not do its work; the text says which and why."""


def run_trial(peer: Peer, scenario: Scenario, rate: float | None = None) -> dict:
    """What the load generator found out, as its JSON says."""
    rate = scenario.rate if rate is None else rate
    with ExitStack() as stack:
        backend_pid, backend = stack.enter_context(_backend(scenario))
        redis_pid, redis = stack.enter_context(_redis()) if peer.redis else (0, "")
        servers = [
            stack.enter_context(_server(peer, scenario, around, core))
            for core, around in _places(peer, backend, redis)
        ]
        roomy = peer.servers == 1 or len(CORES) >= 4
        command = [
            *_pinned([LOAD_CORE] if roomy else CORES),
            str(tools.load_generator()),
            *_options(scenario, rate),
            *(["--spread"] if peer.servers > 1 and not peer.one_port else []),
            *("--ports", ",".join(str(port) for _, port in servers)),
            *("--pids", ",".join(str(pid) for pid, _ in servers)),
            *("--backend-pid", str(backend_pid), "--redis-pid", str(redis_pid)),
        ]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=LOAD_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise TrialFailed("the load did not end in time") from None
        if done.returncode != 0:
            raise TrialFailed(done.stderr.strip()[-400:])
    return json.loads(done.stdout)


def _places(peer: Peer, backend: str, redis: str) -> list[tuple[int, Around]]:
    """A core and a port for each of its processes; the same port when they share it."""
    shared = _free_port()
    return [
        (
            CORES[-1 - n % len(CORES)],
            Around(shared if peer.one_port else _free_port(), backend, redis),
        )
        for n in range(peer.servers)
    ]


def _options(scenario: Scenario, rate: float) -> list[str]:
    values = {
        "work": scenario.work,
        "clients": scenario.clients,
        "chats": scenario.chats,
        "chat-size": scenario.chat_size,
        "lanes": scenario.lanes,
        "burst": scenario.burst,
        "rate": rate,
        "warmup": scenario.warmup,
        "seconds": scenario.seconds,
        "settle": scenario.settle,
        "slow": scenario.slow,
        "stall": STALL_SECONDS,
        "window": scenario.window,
        "text-bytes": scenario.text_bytes,
        "speakers": scenario.speakers,
    }
    options = [text for name, value in values.items() for text in (f"--{name}", str(value))]
    flags = {
        "--sync": scenario.sync,
        "--volley": scenario.volley,
        "--every-chat": scenario.every_chat,
    }
    return [*options, *(flag for flag, wanted in flags.items() if wanted)]


def _pinned(cores: Sequence[int]) -> list[str]:
    return ["taskset", "-c", ",".join(str(core) for core in cores)]


@contextmanager
def _backend(scenario: Scenario) -> Iterator[tuple[int, str]]:
    """A running fake backend: its pid and address."""
    shape = ["--users", str(scenario.clients), "--chat-size", str(scenario.chat_size)]
    delay = ["--delay-ms", str(scenario.delay_ms), "--key", KEY]
    command = [*_pinned([HELPER_CORE]), str(tools.fake_backend()), *shape, *delay]
    with _process(command, None, stdout=subprocess.PIPE) as process:
        if not (port := process.stdout.readline().strip()):
            raise TrialFailed("the fake backend did not start")
        yield process.pid, f"http://127.0.0.1:{port}"


@contextmanager
def _redis() -> Iterator[tuple[int, str]]:
    """A running Redis that keeps nothing on disk: its pid and address."""
    port = _free_port()
    with tempfile.TemporaryDirectory() as home:
        place = ["--bind", "127.0.0.1", "--port", str(port), "--dir", home]
        keep_nothing = ["--save", "", "--appendonly", "no", "--daemonize", "no"]
        command = [*_pinned([HELPER_CORE]), str(tools.redis_server()), *place, *keep_nothing]
        with _process(command, None, stdout=subprocess.DEVNULL) as process:
            _wait_until(process, lambda: _pongs(port), "Redis does not answer")
            yield process.pid, f"redis://127.0.0.1:{port}/0"


@contextmanager
def _server(peer: Peer, scenario: Scenario, around: Around, core: int) -> Iterator[tuple[int, int]]:
    """A server that answers: its pid and port."""
    launch = peer.launch(around, scenario)
    others = _listeners(around.port)  # of this peer, where its processes share a port

    def answers() -> bool:
        return _listeners(around.port) > others and _healthy(around.port)

    command = [*_pinned([core]), *launch.command]
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile("w+"))
        home = stack.enter_context(tempfile.TemporaryDirectory())
        process = stack.enter_context(
            _process(command, launch.environment(), stdout=log, stderr=log, cwd=home)
        )
        try:
            _wait_until(process, answers, "it does not answer /health")
            yield process.pid, around.port
        except TrialFailed as failure:
            log.seek(0)
            raise TrialFailed(f"{failure}; the server said: {log.read()[-400:]}") from None


@contextmanager
def _process(command: list[str], environment: dict | None, **options) -> Iterator[subprocess.Popen]:
    """A process that ends with the block. ``taskset`` becomes the program: its pid is the one."""
    process = subprocess.Popen(command, env=environment, text=True, **options)
    try:
        yield process
    finally:
        # The measurement is over; a server with thousands of clients gets no time to say goodbye.
        process.kill()
        process.communicate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def _wait_until(process: subprocess.Popen, ready: Callable[[], bool], otherwise: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TrialFailed(f"it ended with status {process.returncode}")
        if ready():
            return
        time.sleep(0.02)
    raise TrialFailed(otherwise)


def _listeners(port: int) -> int:
    """How many sockets listen on it, for it to be known that the second one of two does."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(row[1].endswith(f":{port:04X}") and row[3] == LISTEN for row in rows)


def _pongs(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as sock:
            sock.sendall(b"PING\r\n")
            return sock.recv(7) == b"+PONG\r\n"
    except OSError:
        return False


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

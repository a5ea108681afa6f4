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
from typing import TYPE_CHECKING

import tools
from lineup import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lineup import Peer
    from scenarios import Scenario

START_SECONDS = 20
LOAD_SECONDS = 90
"""The longest run takes 20 on a quiet machine: 10,000 connections, one after the other."""
STALL_SECONDS = 5.0
"""So long without a delivery, and what is still missing is lost."""

CORES = sorted(os.sched_getaffinity(0))
SERVER_CORE, LOAD_CORE = CORES[-1], CORES[0]
"""The server has a core to itself; load generator and backend share another one."""


class TrialFailed(Exception):
    """The server or the load generator did not do its work; the text says which and why."""


def run_trial(peer: Peer, scenario: Scenario, rate: float | None = None) -> dict:
    """What the load generator found out, as its JSON says."""
    rate = scenario.rate if rate is None else rate
    with ExitStack() as stack:
        backend_pid, backend = stack.enter_context(_backend(scenario))
        cores = _server_cores(scenario)
        servers = [stack.enter_context(_server(peer, scenario, backend, core)) for core in cores]
        command = [
            *_pinned([LOAD_CORE] if scenario.servers == 1 else CORES),
            str(tools.load_generator()),
            *_options(scenario, rate),
            *("--ports", ",".join(str(port) for _, port in servers)),
            *("--pids", ",".join(str(pid) for pid, _ in servers)),
            *("--backend-pid", str(backend_pid)),
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


def _server_cores(scenario: Scenario) -> Sequence[int]:
    if scenario.servers == 1:
        return [SERVER_CORE]
    return [CORES[-1 - n % len(CORES)] for n in range(scenario.servers)]


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
    command = [*_pinned([LOAD_CORE]), str(tools.fake_backend()), *shape, *delay]
    with _process(command, None, stdout=subprocess.PIPE) as process:
        if not (port := process.stdout.readline().strip()):
            raise TrialFailed("the fake backend did not start")
        yield process.pid, f"http://127.0.0.1:{port}"


@contextmanager
def _server(peer: Peer, scenario: Scenario, backend: str, core: int) -> Iterator[tuple[int, int]]:
    """A server that answers: its pid and port."""
    port = _free_port()
    launch = peer.launch(port, backend, scenario)
    command = [*_pinned([core]), *launch.command]
    with ExitStack() as stack:
        log = stack.enter_context(tempfile.TemporaryFile("w+"))
        home = stack.enter_context(tempfile.TemporaryDirectory())
        process = stack.enter_context(
            _process(command, launch.environment(), stdout=log, stderr=log, cwd=home)
        )
        try:
            _wait_until_it_answers(process, port)
            yield process.pid, port
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


def _wait_until_it_answers(process: subprocess.Popen, port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise TrialFailed(f"the server ended with status {process.returncode}")
        if _healthy(port):
            return
        time.sleep(0.02)
    raise TrialFailed("the server does not answer /health")


def _healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/health")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()

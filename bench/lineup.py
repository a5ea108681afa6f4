"""Who runs: the gateway and its peers, and how each is started.

Every peer listens on a given port on loopback and answers ``GET /health`` with 200 when it
serves. ``floor``, ``trio`` and ``websockets`` are Python programs in ``peers/``, run by this
interpreter.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import tools

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenarios import Scenario

KEY = "bench-key"
"""The internal API key of the fake backend: a constant of the benchmark, no secret."""


@dataclass(frozen=True)
class Launch:
    """What to start: the command line and its environment."""

    command: list[str]
    settings: dict[str, str] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        """The settings over the least of ours: a setting of the caller's must not leak in."""
        kept = ("PATH", "HOME", "LANG", "TMPDIR", "VIRTUAL_ENV", "PYTHONPATH")
        return {name: os.environ[name] for name in kept if name in os.environ} | self.settings


@dataclass(frozen=True)
class Around:
    """What a server finds when it starts: where to listen, whom to ask."""

    port: int
    backend: str
    redis: str = ""


@dataclass(frozen=True)
class Peer:
    """One program of the comparison, or several of it that are one to their clients."""

    name: str
    title: str
    launch: Callable[[Around, Scenario], Launch]
    check: Callable[[], object] = lambda: None
    """Builds what it needs; raises ``tools.Unavailable``."""
    servers: int = 1
    """Processes, each on a core of its own; a part of every chat on each."""
    redis: bool = False
    """Whether a Redis is started with it."""
    one_port: bool = False
    """Whether its processes share a port, and the kernel says which of them gets a client."""


def _gogate(around: Around, scenario: Scenario) -> Launch:
    settings = {
        "HOST": "127.0.0.1",
        "PORT": str(around.port),
        "BACKEND_API_URL": around.backend,
        "INTERNAL_API_KEY": KEY,
        # The peers put no bound on calls under way but their pool of 256.
        "BACKEND_MAX_CALLS": "256",
        "LOG_LEVEL": "warning",
        # Senders here write faster than people. Counting stays on: it is part of the price.
        **dict.fromkeys(("RATE_MESSAGES", "RATE_TYPING"), "999999/s burst 999999"),
    }
    if scenario.every_chat:
        # Going through 5,000 chats takes about as long as a list of members is good for. Whether
        # it runs out within the measured second would depend on how busy the machine is.
        settings["MEMBERSHIP_TTL"] = "60s"
    if around.redis:
        settings["REDIS_URL"] = around.redis
    return Launch([sys.executable, "-m", "gogate_trio", "serve"], settings)


def _on_one_port(around: Around, scenario: Scenario) -> Launch:
    launch = _gogate(around, scenario)
    return Launch(launch.command, launch.settings | {"REUSE_PORT": "true"})


def _go(around: Around, _scenario: Scenario) -> Launch:
    peer, port = str(tools.go_peer()), str(around.port)
    command = [peer, "-port", port, "-backend", around.backend, "-key", KEY]
    return Launch(command, {"GOMAXPROCS": "1"})


def _node(around: Around, _scenario: Scenario) -> Launch:
    script = str(tools.HERE / "peers" / "node" / "server.mjs")
    settings = {"WS_HOME": str(tools.node_home()), "NODE_ENV": "production"}
    return Launch(["node", script, str(around.port), around.backend, KEY], settings)


def _websockets(around: Around, _scenario: Scenario) -> Launch:
    script = str(tools.HERE / "peers" / "websockets_server.py")
    settings = {"PYTHONPATH": str(tools.websockets_home())}
    return Launch([sys.executable, script, str(around.port), around.backend, KEY], settings)


def _bare(around: Around, scenario: Scenario) -> Launch:
    script = str(tools.HERE / "peers" / "bare.py")
    return Launch([sys.executable, script], _gogate(around, scenario).settings)


def _trio(around: Around, scenario: Scenario) -> Launch:
    script = str(tools.HERE / "peers" / "trio_floor.py")
    shape = [str(scenario.clients), str(scenario.chat_size), around.backend]
    return Launch([sys.executable, script, str(around.port), *shape])


def _floor(around: Around, scenario: Scenario) -> Launch:
    script = str(tools.HERE / "peers" / "floor.py")
    shape = [str(scenario.clients), str(scenario.chat_size)]
    return Launch([sys.executable, script, str(around.port), *shape])


def _redis_peer(
    name: str,
    title: str,
    launch: Callable[[Around, Scenario], Launch],
    servers: int = 1,
    *,
    one_port: bool = False,
) -> Peer:
    return Peer(name, title, launch, tools.redis_server, servers, redis=True, one_port=one_port)


PEERS = {
    peer.name: peer
    for peer in (
        Peer("gogate", "GoGate", _gogate),
        _redis_peer("redis", "GoGate with Redis", _gogate),
        _redis_peer("nodes", "two GoGates, Redis, a port each", _gogate, 2),
        _redis_peer("shared", "two GoGates, Redis, one port", _on_one_port, 2, one_port=True),
        Peer("bare", "GoGate, commands dropped", _bare),
        Peer("trio", "trio floor (plain trio sockets)", _trio),
        Peer("floor", "floor (bare `send` loop)", _floor),
        Peer("go", "Go hub (gorilla)", _go, tools.go_peer),
        Peer("node", "Node `ws`", _node, tools.node_home),
        Peer("websockets", "Python `websockets`", _websockets, tools.websockets_home),
    )
}
"""All peers, in the order of the tables."""


def available(names: list[str]) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can run here, and why the others cannot."""
    there: list[Peer] = []
    missing: dict[str, str] = {}
    for name in names:
        try:
            PEERS[name].check()
        except tools.Unavailable as reason:
            missing[name] = str(reason)
        else:
            there.append(PEERS[name])
    return there, missing

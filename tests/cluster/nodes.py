"""Gateways as processes, several of them; each can be killed, stopped, started again, and asked."""

from __future__ import annotations

import signal
import socket
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from fakes.process import open_gateway
from fakes.watched import numbers_at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fakes.backend import FakeBackend
    from fakes.process import Gateway
    from fakes.town import Town
    from fakes.watched import Numbers

PATIENCE = 60.0


@attrs.define(eq=False)
class Node:
    """One life of a gateway."""

    name: str
    gateway: Gateway
    internal_port: int
    life: int = 0
    """What its connections are counted from; 0 while nobody is let in."""
    over: trio.Event = attrs.field(factory=trio.Event)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self.gateway.port

    async def numbers(self) -> Numbers:
        """Read its metrics."""
        return await numbers_at(self.internal_port)


@attrs.define(eq=False)
class Nodes:
    """The gateways of one test."""

    fake: FakeBackend
    town: Town
    folder: Path
    lives: trio.Nursery
    environment: Mapping[str, str]
    """What all of them are given."""
    running: dict[str, Node] = attrs.field(factory=dict)
    all: list[Node] = attrs.field(factory=list)
    """Every life, in the order of their beginnings."""

    async def start(self, name: str, **environment: str) -> Node:
        """Start a gateway and let people in."""
        node: Node = await self.lives.start(partial(self._live, name, environment))
        self.running[name] = node
        self.all.append(node)
        node.life = self.town.open(node.port)
        self.town.chronicle.note("world", "life", node=name, number=node.life)
        return node

    async def kill(self, name: str) -> None:
        """Kill one as ``kill -9`` does; return when it is gone."""
        await self._end(name, signal.SIGKILL)

    async def stop(self, name: str) -> None:
        """Have one drain; return when it has ended."""
        await self._end(name, signal.SIGTERM)

    async def _end(self, name: str, number: signal.Signals) -> None:
        node = self.running.pop(name)
        self.town.chronicle.note("world", "ends", node=name, number=node.life, by=number.name)
        self.town.close(node.life)
        node.gateway.signal(number)
        status = await node.gateway.ended(within=PATIENCE)
        node.over.set()
        assert status == (0 if number is signal.SIGTERM else -number)

    async def _live(
        self,
        name: str,
        environment: Mapping[str, str],
        *,
        task_status: trio.TaskStatus[Node],
    ) -> None:
        internal_port = _free_port()
        given = {
            "INTERNAL_PORT": str(internal_port),
            "NODE_NAME": name,
            **self.environment,
            **environment,
        }
        folder = self.folder / f"{name}-{len(self.all)}"
        folder.mkdir()
        async with open_gateway(self.fake, folder, **given) as gateway:
            node = Node(name, gateway, internal_port)
            task_status.started(node)
            await node.over.wait()

    def bugs(self) -> tuple[str, ...]:
        """Return what any of them has logged as a bug of its own."""
        return tuple(
            f"{node.name}: {entry}"
            for node in self.all
            for entry in node.gateway.log()
            if entry.get("level") in {"error", "critical"} or "exception" in entry
        )


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return sock.getsockname()[1]

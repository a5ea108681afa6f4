"""Gateways as processes, several of them; each can be killed, stopped, started again, and asked."""

from __future__ import annotations

import signal
from functools import partial
from typing import TYPE_CHECKING

import attrs
import trio

from fakes.api import call
from fakes.process import open_gateway
from fakes.watched import numbers_at

if TYPE_CHECKING:
    import socket
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from fakes.backend import FakeBackend
    from fakes.process import Gateway
    from fakes.town import Town

PATIENCE = 60.0
GATEWAY = ("-m", "gogate_trio")


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

    async def number(self, name: str, *labels: str) -> float:
        """Read a metric: the sum of all that have these labels."""
        numbers = await numbers_at(self.internal_port)
        return sum(
            value for key, value in numbers.items() if key[0] == name and {*labels} <= {*key[1:]}
        )

    async def users(self) -> set[int]:
        """Return the ids of those who are on it."""
        shown = (await call(self.internal_port, "GET", "connections?limit=1000")).json
        return {each["user_id"] for each in shown["connections"]} - {None}


@attrs.define(eq=False)
class Nodes:
    """The gateways of one test."""

    fake: FakeBackend
    town: Town
    folder: Path
    lives: trio.Nursery
    environment: Mapping[str, str]
    """What all of them are given."""
    keep: Sequence[socket.socket] = ()
    """Sockets that all of them listen on, in place of their own."""
    shares_port: bool = False
    """Whether all of them are behind one port; else people see which are there."""
    programs: dict[str, Sequence[str]] = attrs.field(factory=dict)
    """What runs in place of the gateway, by name."""
    running: dict[str, Node] = attrs.field(factory=dict)
    all: list[Node] = attrs.field(factory=list)
    """Every life, in the order of their beginnings."""

    async def start(self, name: str, **environment: str) -> Node:
        """Start a gateway and let people in."""
        given = {**self.environment, **environment}
        if self.shares_port and not self.keep:
            given |= {"REUSE_PORT": "true", "PORT": str(self.all[0].port if self.all else 0)}
        node: Node = await self.lives.start(partial(self._live, name, given))
        self.running[name] = node
        self.all.append(node)
        if self.shares_port and len(self.all) > 1:
            node.life = self.all[0].life
        else:
            node.life = self.town.open(node.port)
        self.town.chronicle.note("world", "life", node=name, number=node.life)
        return node

    async def start_all(self, names: str) -> None:
        """Start several: together, where each has a port of its own."""
        if self.shares_port:
            for name in names:
                await self.start(name)
            return
        async with trio.open_nursery() as starting:
            for name in names:
                starting.start_soon(self.start, name)
        self.running = {name: self.running[name] for name in names}

    async def kill(self, name: str) -> None:
        """Kill one as ``kill -9`` does; return when it is gone."""
        await self._end(name, signal.SIGKILL)

    async def stop(self, name: str) -> None:
        """Have one drain; return when it has ended."""
        await self._end(name, signal.SIGTERM)

    async def number(self, name: str, *labels: str) -> float:
        """Read a metric of all that run: the sum of all that have these labels."""
        return sum([await node.number(name, *labels) for node in self.running.values()])

    def bugs(self) -> tuple[str, ...]:
        """Return what any of them has logged as a bug of its own."""
        return tuple(
            f"{node.name}: {entry}"
            for node in self.all
            for entry in node.gateway.log()
            if entry.get("level") in {"error", "critical"} or "exception" in entry
        )

    async def _end(self, name: str, number: signal.Signals) -> None:
        node = self.running.pop(name)
        self.town.chronicle.note("world", "ends", node=name, number=node.life, by=number.name)
        if not self.shares_port:
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
        folder = self.folder / f"{name}-{len(self.all)}"
        folder.mkdir()
        given = {"INTERNAL_PORT": "0", "NODE_NAME": name, **environment}
        program = self.programs.get(name, GATEWAY)
        async with open_gateway(
            self.fake, folder, keep=self.keep, program=program, **given
        ) as gateway:
            internal = await gateway.logged("serving_internal")
            node = Node(name, gateway, internal["port"])
            task_status.started(node)
            try:
                await node.over.wait()
            finally:
                (folder / "log").write_bytes(b"\n".join(gateway.lines))

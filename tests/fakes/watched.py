"""A gateway whose internal port is open, and what it says there.

Usage::

    async with open_watched(fake) as node:
        before = await node.numbers()
        ...
        after = await node.numbers()
        assert after["gogate_commands_total", "send_message"] == 1
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio
from prometheus_client.parser import text_string_to_metric_families

from fakes.clients import open_raw
from fakes.node import NO_CAPS, NO_RATES, PATIENCE, Node, within
from fakes.settings import backend_settings
from gogate_trio.app import Reload, Serving, run_node
from gogate_trio.config import (
    BackendSettings,
    DrainSettings,
    InternalSettings,
    ListenSettings,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.backend import FakeBackend

READY_STATUS = 200

Numbers = dict[tuple[str, ...], float]
"""(name, value of each label in the order of their names …) → number."""


@attrs.frozen
class Watched(Node):
    """A running gateway with its internal port."""

    internal_port: int

    async def page(self, path: str) -> tuple[int, bytes]:
        """Ask for a page; its status and body."""
        return await ask(self.internal_port, path)

    async def ready(self) -> tuple[int, dict[str, Any]]:
        """Ask whether it is ready."""
        status, body = await self.page("/ready")
        return status, msgspec.json.decode(body)

    async def becomes_ready(self) -> None:
        """Ask until it is: what another task and the backend do wakes nobody here."""
        with within():
            while (await self.ready())[0] != READY_STATUS:  # noqa: ASYNC110 - see above
                await trio.sleep(0.05)

    async def numbers(self) -> Numbers:
        """Read ``/metrics``."""
        return await numbers_at(self.internal_port)

    async def series(self) -> list[tuple[str, dict[str, str]]]:
        """Return the name and the labels of everything on ``/metrics``."""
        return [(sample.name, sample.labels) for sample in await _samples(self.internal_port)]


async def numbers_at(port: int) -> Numbers:
    """Read ``/metrics`` of the internal port given."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for sample in await _samples(port)
    }


async def _samples(port: int) -> list[Any]:
    status, body = await ask(port, "/metrics")
    assert status == READY_STATUS
    families = text_string_to_metric_families(body.decode())
    return [sample for family in families for sample in family.samples]


async def ask(port: int, path: str) -> tuple[int, bytes]:
    """Send a GET and return the status and the body of the answer, which must end cleanly."""
    with within():
        async with open_raw(port) as client:
            await client.send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
            head, _, body = (await client.rest()).partition(b"\r\n\r\n")
    return int(head.split(b" ")[1]), body


def watched_settings(fake: FakeBackend, **groups: Any) -> Settings:
    """Settings with an internal port; the groups given are taken, the others are mild."""
    return Settings(
        **{
            "listen": ListenSettings(host="127.0.0.1", port=0),
            "internal": InternalSettings(port=0),
            "backend": backend_settings(fake.url, timeout=30.0),
            "admission": NO_CAPS,
            "rates": NO_RATES,
            "drain": DrainSettings(timeout=5.0),
            **groups,
        }
    )


def small_backend(fake: FakeBackend, **changes: Any) -> BackendSettings:
    """The way to the fake, with some settings of its own."""
    return attrs.evolve(backend_settings(fake.url, timeout=30.0), **changes)


@asynccontextmanager
async def open_watched(fake: FakeBackend, **groups: Any) -> AsyncIterator[Watched]:
    """Run a gateway with these groups of settings; the block's end drains it, or cuts it."""
    settings = watched_settings(fake, **groups)
    stop, stopped = trio.Event(), trio.Event()
    reloads: list[Reload] = []
    wanted = [settings]

    async def run(*, task_status: trio.TaskStatus[Serving]) -> None:
        await run_node(
            settings,
            stop,
            reloads=reloads,
            reread=lambda: wanted[-1],
            task_status=task_status,
        )
        stopped.set()

    async with trio.open_nursery() as nodes:
        serving = await nodes.start(run)
        assert serving.internal_port is not None
        yield Watched(
            serving.port,
            serving.metrics,
            stop,
            stopped,
            reloads,
            wanted,
            serving.internal_port,
        )
        stop.set()
        nodes.cancel_scope.deadline = trio.current_time() + PATIENCE

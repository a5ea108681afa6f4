"""What a backend call costs this process, by transport: ``python bench/micro_backend.py``.

POSTs and GETs through the adapter against the fake backend in C, the transports taking turns in
one run. CPU of this process alone, user and system; the fake has another core to itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import trio

import tools
from gogate_trio.backend.rest import open_backend
from gogate_trio.config import BackendSettings, Secret
from gogate_trio.ids import ChatId
from gogate_trio.protocol.commands import SendMessage
from lineup import KEY
from trial import LOAD_CORE, SERVER_CORE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from gogate_trio.backend.rest import RestBackend

TRANSPORTS = ("httpx", "h11")
MESSAGE = SendMessage(ChatId(1), "a chat message of ordinary length, as people write them")
CALLS: dict[str, Callable[[RestBackend], Awaitable[object]]] = {
    "send_message": lambda backend: backend.send_message("user-1", MESSAGE, key="0" * 32),
    "members": lambda backend: backend.members(ChatId(1)),
}


def main() -> None:
    """Measure what the command line asks for, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=3000, help="of a run")
    parser.add_argument("--runs", type=int, default=5, help="of each row, taking turns")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 32])
    options = parser.parse_args()
    os.sched_setaffinity(0, {SERVER_CORE})
    with _fake() as url:
        print(f"µs of CPU a call, median of {options.runs} (least to most)\n")
        for name in CALLS:
            for at_once in options.at_once:
                costs = _compare(url, name, at_once, options)
                print(
                    f"{name}, {at_once} at once: "
                    + " · ".join(map(_line, *zip(*costs.items(), strict=True)))
                )


def _compare(
    url: str, name: str, at_once: int, options: argparse.Namespace
) -> dict[str, list[float]]:
    costs: dict[str, list[float]] = {transport: [] for transport in TRANSPORTS}
    for _ in range(options.runs):
        for transport in TRANSPORTS:
            costs[transport].append(trio.run(_cost, url, transport, name, at_once, options.calls))
    return costs


async def _cost(url: str, transport: str, name: str, at_once: int, calls: int) -> float:
    """Return the microseconds of one call, once connections stand."""
    settings = BackendSettings(
        url=url, internal_api_key=Secret(KEY), max_calls=256, transport=transport
    )
    async with open_backend(settings) as backend:
        await _run(backend, name, at_once, at_once * 4)
        began = time.process_time()
        await _run(backend, name, at_once, calls)
        return (time.process_time() - began) / calls * 1e6


async def _run(backend: RestBackend, name: str, at_once: int, calls: int) -> None:
    left = calls
    ask = CALLS[name]

    async def caller() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await ask(backend)

    async with trio.open_nursery() as callers:
        for _ in range(at_once):
            callers.start_soon(caller)


def _line(transport: str, costs: list[float]) -> str:
    return f"{transport} {statistics.median(costs):.0f} ({min(costs):.0f} to {max(costs):.0f})"


@contextmanager
def _fake() -> Iterator[str]:
    """A fake backend that answers at once, on the other core: its address."""
    command = [str(tools.fake_backend()), "--users", "100", "--chat-size", "2", "--key", KEY]
    process = subprocess.Popen(
        ["taskset", "-c", str(LOAD_CORE), *command], stdout=subprocess.PIPE, text=True
    )
    with process:
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


if __name__ == "__main__":
    main()

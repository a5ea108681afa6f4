"""What ``gogate bench`` does with its arguments."""

from __future__ import annotations

import signal
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

import attrs
import trio

from gogate_trio.bench import report
from gogate_trio.bench.demo_server import open_demo
from gogate_trio.bench.measure import MEASURING, measure, prepare
from gogate_trio.bench.plan import Plan, UnusablePlan, checked, read_address, read_tokens
from gogate_trio.bench.screen import show

if TYPE_CHECKING:
    from pathlib import Path

    from gogate_trio.bench.measure import Run

UNSOUND: Final = 1
"""The status of a run in which something was lost, refused or wrong."""

NOWHERE: Final = read_address("ws://127.0.0.1:8080/ws")
"""Stands in the plan until the demo has said where it is."""


def run(url: str | None, token_file: Path | None, plan: Plan, *, as_json: bool) -> int:
    """Check everything, measure, print; the status. No ``url`` means a demo of our own.

    Raises ``UnusablePlan`` before anything is opened, ``OperatorError`` when nobody gets in.
    """
    if url is None:
        checked(plan)
        return trio.run(partial(_with_demo, plan, as_json=as_json))
    if token_file is None:
        raise UnusablePlan("--token-file is missing: one token a line")
    ours = attrs.evolve(plan, address=read_address(url), tokens=read_tokens(token_file))
    return trio.run(partial(print_run, checked(ours), as_json=as_json))


async def _with_demo(plan: Plan, *, as_json: bool) -> int:
    async with open_demo() as demo:
        ours = attrs.evolve(plan, address=read_address(demo.url), tokens=demo.tokens)
        return await print_run(ours, as_json=as_json)


async def print_run(plan: Plan, *, as_json: bool) -> int:
    """Measure, and print what came out; the status."""
    run = prepare(plan)
    async with trio.open_nursery() as watching:
        watching.start_soon(_heed_ctrl_c, run)
        await measure(run, show)
        watching.cancel_scope.cancel()
    lines = [report.as_json(run)] if as_json else report.as_text(run)
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0 if run.is_sound else UNSOUND


async def _heed_ctrl_c(run: Run) -> None:
    """The first one ends the traffic: what was measured is printed. The next one ends it all."""
    with trio.open_signal_receiver(signal.SIGINT) as signals:
        async for _ in signals:
            if run.phase != MEASURING or run.traffic.cut_short:
                raise KeyboardInterrupt
            run.traffic.stop()

"""One whole run: everybody in, traffic, goodbye; and how busy this process was meanwhile."""

from __future__ import annotations

import gc
import resource
import secrets
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Final

import attrs
import trio

from gogate_trio.bench.crowd import Crowd
from gogate_trio.bench.histogram import Histogram
from gogate_trio.bench.ledger import Ledger, Verdict
from gogate_trio.bench.plan import UnusablePlan
from gogate_trio.bench.traffic import Traffic
from gogate_trio.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gogate_trio.bench.plan import Plan

CONNECTING, MEASURING, LEAVING = "connecting", "measuring", "leaving"
"""The phases of a run, as they are shown."""

LAG_PERIOD: Final = 0.02
"""seconds between two looks at how late this loop is."""

BUSY: Final = 0.8
"""of a core: above it this process may be what is measured."""

LAG_SHARE: Final = 0.25
"""of the deliveries' p99: where our own lag is more, the p99 is ours and not the gateway's."""

SPARE_FILES: Final = 64
"""descriptors besides one for each connection."""


@attrs.define(eq=False)
class Run:
    """A run while it goes on, and afterwards: everything that is shown."""

    plan: Plan
    crowd: Crowd
    traffic: Traffic
    phase: str = CONNECTING
    lag: Histogram = attrs.field(factory=Histogram)
    cpu: float = 0.0
    """of a core, by this process, while there was traffic"""

    @property
    def ledger(self) -> Ledger:
        """The books."""
        return self.crowd.ledger

    @property
    def verdict(self) -> Verdict:
        """What is wrong with what was heard."""
        return self.ledger.verdict()

    @property
    def is_sound(self) -> bool:
        """Whether everybody got in and stayed, and everything was said and heard as it should."""
        verdict, crowd = self.verdict, self.crowd
        wrong = sum(attrs.astuple(verdict)) + crowd.invalid + self.traffic.unsent
        return wrong == 0 and not (crowd.turned_away or crowd.errors or crowd.closes)

    def doubts(self) -> list[str]:
        """Why the times may be this process's own and not the gateway's."""
        found = []
        if self.cpu > BUSY:
            found.append(
                f"this process used {self.cpu:.0%} of a core: it may be the bottleneck; "
                "lower --rate or --connections, or run several"
            )
        lag, p99 = self.lag.quantile(0.99), self.crowd.deliveries.quantile(0.99)
        if self.crowd.deliveries.total and lag > LAG_SHARE * p99:
            found.append(
                "this process was late itself by a good part of the p99 of deliveries: "
                "the gateway is faster than that"
            )
        return found


def prepare(plan: Plan) -> Run:
    """Return a run that has not begun. Raises ``UnusablePlan`` when too few files may be open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = plan.connections + SPARE_FILES
    if hard != resource.RLIM_INFINITY and wanted > hard:
        raise UnusablePlan("--connections needs as many open files: raise the limit (ulimit -Hn)")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    ledger = Ledger(secrets.token_hex(4), plan.chats, plan.text_size)
    crowd = Crowd(plan, ledger)
    return Run(plan, crowd, Traffic(crowd))


async def measure(run: Run, show: Callable[[Run], Awaitable[None]]) -> None:
    """Go through with it; ``show`` is run beside it and cancelled in the end.

    Raises ``OperatorError`` when nobody got in.
    """
    async with trio.open_nursery() as connections:
        connections.start_soon(show, run)
        connections.start_soon(_watch_lag, run.lag)
        await run.crowd.enter(connections)
        if not run.crowd.inside:
            connections.cancel_scope.cancel()
        else:
            await _through(run)
            connections.cancel_scope.cancel()
    if not run.crowd.entries.total:
        reasons = ", ".join(sorted(run.crowd.turned_away))
        raise OperatorError(f"nobody got in: {reasons}")


async def _through(run: Run) -> None:
    gc.freeze()
    run.phase = MEASURING
    began, used = perf_counter(), process_time()
    await run.traffic.run()
    run.cpu = (process_time() - used) / (perf_counter() - began)
    run.phase = LEAVING
    await run.crowd.goodbye()


async def _watch_lag(lag: Histogram) -> None:
    while True:
        due = perf_counter() + LAG_PERIOD
        await trio.sleep(LAG_PERIOD)
        lag.add(perf_counter() - due)

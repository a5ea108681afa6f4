"""Figures while a run goes on: on a terminal, redrawn four times a second; elsewhere nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import trio
from rich.console import Console, Group
from rich.live import Live
from rich.padding import Padding
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from gogate_trio.bench.histogram import Histogram
    from gogate_trio.bench.measure import Run

PERIOD: Final = 0.25
"""seconds between two pictures."""

BAR: Final = 40
"""characters of the progress bar."""


async def show(run: Run) -> None:
    """Draw until cancelled. The figures go where messages go, not into the result."""
    console = Console(stderr=True)
    if not console.is_terminal:
        return
    # Drawn from here only: rich's own thread would look at figures that are changing.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            live.update(picture(run), refresh=True)
            await trio.sleep(PERIOD)


def picture(run: Run) -> Group:
    """The run as it stands."""
    crowd = run.crowd
    done, total = crowd.entries.total, run.plan.connections
    if run.ledger.sent:
        done, total = run.ledger.sent, run.traffic.total
    figures = Table.grid(padding=(0, 2))
    for name, value in (
        ("connected", f"{len(crowd.inside):,} of {run.plan.connections:,}"),
        ("messages", f"{run.ledger.sent:,}"),
        ("deliveries", f"{run.ledger.deliveries:,}"),
        ("p50", _quantile(crowd.deliveries, 0.5)),
        ("p99", _quantile(crowd.deliveries, 0.99)),
        ("errors", f"{crowd.errors.total() + crowd.turned_away.total():,}"),
        ("hung up on", f"{crowd.closes.total():,}"),
    ):
        figures.add_row(Text(name, style="dim"), value)
    bar = ProgressBar(total=max(total, 1), completed=done, width=BAR, finished_style="green")
    # A bar by itself ends no line: what follows would stand beside it.
    return Group(Text(run.phase, style="bold"), Padding(bar), figures)


def _quantile(times: Histogram, share: float) -> str:
    """In milliseconds, once there is something to tell."""
    return f"{times.quantile(share) * 1000:.1f} ms" if times.total else "-"

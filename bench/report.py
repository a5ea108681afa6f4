"""The report: tables for the terminal and for ``RESULTS.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import figures
import plots
from figures import BY_NAME, TARGETS, UNITS, Runs, faults, ratio, spread
from lineup import PEERS
from tools import HERE

if TYPE_CHECKING:
    from figures import Target
    from scenarios import Scenario

RESULTS = HERE / "RESULTS.md"

REASONS = HERE / "reasons.md"
"""Kept by hand: why a target is not met, as far as it was found out."""

PREAMBLE = """\
# Results

Written by `nox -s bench` (`python bench/run.py`); how to run and read it: [README.md](README.md).

The figure that counts is the CPU of the server process, user and system, for one unit of work,
between two moments of rest: it stays steady on a machine that is not. Every run starts a fresh
server on a core of its own; load generator and backend share another core; the peers take turns
within each repetition. "over" columns divide GoGate's figure by the peer's of the same repetition
(below 1: GoGate needs less) and show the median of these ratios. Every frame was checked: one JSON
document, right chat, in order, nothing lost, nothing twice; "faults" counts what was not.
"load %" is what load generator and backend used of their core: the server is the one that is
measured as long as it is below 100.
"""


def write(runs: Runs, meta: dict[str, str]) -> None:
    """Write RESULTS.md and its plots."""
    drawn = plots.write(runs, HERE / "plots")
    parts = [PREAMBLE, _machine(meta)]
    parts += ["## Targets\n", targets(runs), _why_not(runs), _checked(runs)]
    parts += [f"![{title}](plots/{name})\n" for name, title in drawn]
    parts.append("## Scenarios\n")
    parts += [scenario_table(runs, BY_NAME[name]) for name in BY_NAME if name in runs]
    RESULTS.write_text("\n".join(parts), encoding="utf-8")


def targets(runs: Runs) -> str:
    """The targets that were measured, as a Markdown table."""
    lines = ["| target | at most | measured | |", "|---|---:|---:|---|"]
    for target in TARGETS:
        reached = target.reached(runs)
        if reached is None:
            continue
        verdict = "met" if _met(target, runs) else "**not met**"
        verdict += "" if target.sound(runs) else " (faults)"
        floor = target.floor_itself(runs)
        verdict += f"; the floor itself {_number(floor)}" if floor else ""
        lines.append(f"| {target.says} | {target.bound:g} | {_number(reached)} | {verdict} |")
    return "\n".join(lines) + "\n"


def _met(target: Target, runs: Runs) -> bool:
    reached = target.reached(runs)
    return reached is not None and reached <= target.bound and target.sound(runs)


def _why_not(runs: Runs) -> str:
    """For each target not met, the reason that was found."""
    known = reasons()
    missed = [t for t in TARGETS if t.reached(runs) is not None and not _met(t, runs)]
    if not missed:
        return "Every target is met.\n"
    lines = [f"- **{t.says}**: {known.get(t.says, 'no reason was found yet.')}" for t in missed]
    return "\n".join(["Not met, and why:\n", *lines]) + "\n"


def reasons() -> dict[str, str]:
    """Target → reason, from the list in reasons.md."""
    _, *items = f"\n{REASONS.read_text(encoding='utf-8')}".split("\n- **")
    pairs = [item.split("**:", 1) for item in items]
    return {says: " ".join(reason.split()) for says, reason in pairs}


def _checked(runs: Runs) -> str:
    """What the gateway delivered in all repetitions, and what of it was wrong."""
    counts = figures.totals(runs, "gogate")
    wrong = ", ".join(f"{name.replace('_', ' ')} {counts[name]}" for name in figures.FAULTS)
    return (
        f"In {counts['runs']} runs GoGate made {counts['deliveries']:,} deliveries that were "
        f"counted, each of them checked. {wrong.capitalize()}.\n"
    )


def scenario_table(runs: Runs, scenario: Scenario) -> str:
    """One scenario's figures for all its peers, as a Markdown table with a heading."""
    unit = UNITS[scenario.unit]
    deliveries = scenario.unit == "delivery"
    head = [scenario.name, f"{unit} (min to max)", "GoGate over", "% of core", "load %"]
    if deliveries:
        head += ["deliveries/s", "p50 ms", "p99 ms (min to max)", "max ms"]
    if scenario.slow:
        head += ["KiB/slow one", "hung up on (code)"]
    head += ["runs", "faults"]
    rows = [
        _row(runs, scenario, peer, deliveries=deliveries)
        for peer in PEERS
        if peer in runs[scenario.name]
    ]
    align = ["---", *["---:"] * (len(head) - 2), "---"]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, align, *rows)]
    title = f"### {scenario.name}: {scenario.title}{_rate(runs, scenario)}"
    return f"{title}\n\n" + "\n".join(lines) + "\n"


def _rate(runs: Runs, scenario: Scenario) -> str:
    """The rate of a scenario that depends on another's outcome: the same for all peers."""
    ended = [
        result for peer in runs[scenario.name] for result in figures.good(runs, scenario.name, peer)
    ]
    if not scenario.half_of or not ended:
        return ""
    return f", {ended[0]['rate']:.0f} messages a second"


def _row(runs: Runs, scenario: Scenario, peer: str, *, deliveries: bool) -> list[str]:
    name = scenario.name
    measured = spread(runs, name, peer)
    ended = figures.good(runs, name, peer)
    if measured is None:
        blank = 3 + (4 if deliveries else 0) + (2 if scenario.slow else 0)
        return [PEERS[peer].title, "failed", *[""] * blank, "0", faults(runs, name, peer)]
    compared = ratio(runs, (name, "gogate"), (name, peer)) if peer != "gogate" else None
    cells = [
        PEERS[peer].title,
        f"**{_number(measured.median)}** {_range(measured)}",
        f"{compared:.2f}" if compared else "",
        f"{spread(runs, name, peer, figures.core).median:.0f}",
        f"{spread(runs, name, peer, figures.load).median:.0f}",
    ]
    if deliveries:
        cells.append(f"{spread(runs, name, peer, figures.throughput).median:,.0f}")
        p50, p99, slowest = (
            spread(runs, name, peer, metric)
            for metric in (figures.p50, figures.p99, figures.slowest)
        )
        cells += [
            _number(p50.median),
            f"{_number(p99.median)} {_range(p99)}",
            _number(slowest.median),
        ]
    if scenario.slow:
        memory = spread(runs, name, peer, figures.memory_per_slow).median
        cells += [f"{memory:.0f}", f"{ended[-1]['slow_closed']} ({ended[-1]['slow_close_code']})"]
    return [*cells, str(len(ended)), faults(runs, name, peer)]


def _range(measured: figures.Spread) -> str:
    return f"({_number(measured.least)} to {_number(measured.largest)})"


def _machine(meta: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in meta.items()) + "\n"


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"

"""The report: tables for the terminal and for ``RESULTS.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import figures
import plots
import quotes
import reasons_growth
from figures import BY_NAME, TARGETS, UNITS, Runs, faults, ratio, spread
from lineup import PEERS
from quotes import number
from tools import HERE
from trial import CORES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from figures import Target
    from saved import Saved
    from scenarios import Scenario

RESULTS = HERE / "RESULTS.md"

REASONS = HERE / "reasons.md"
"""Why a target is not met, as far as it was found out; its figures are quotes of the runs."""

PREAMBLE = """\
# Results

Written by `nox -s bench` (`python bench/run.py`); how to run and read it: [README.md](README.md).

The figure that counts is the CPU of the server process, user and system, for one unit of work,
between two moments of rest: it stays steady on a machine that is not. Every run starts a fresh
server on a core of its own; load generator, backend and Redis share another; the peers take
turns within each repetition. "over" columns divide GoGate's figure by the peer's of the same
repetition (below 1: GoGate needs less) and show the median of these ratios. Every frame was
checked: one JSON document, right chat, in order, nothing lost, nothing twice; "faults" counts what
was not.
"load %" is what load generator, backend and Redis used of their core: the server is the one that
is measured as long as it is below 100. Of two processes, CPU is that of both.
"""


GROWTH = """\
## Nothing but `send`

What growth costs without any gateway: a bare loop over sockets that another core empties
(`reasons_growth.py`). The connections that are merely open cost nothing; those that take turns do,
and so do the same few when other memory has been through the caches in between.
"""

LAYERS = """\
## What trio takes

The floor's work again, once in one epoll loop and once as trio means it: a task for every
connection, and for a message one bare POST to the backend, which the floor does not ask at all. No
HTTP library, no deadline, no check. What GoGate takes beyond it is its own.
"""

WITH_REDIS = """\
## With Redis

What a message costs the gateway more when it has a Redis: CPU of its process, or of both together
when they are two, each with half of every chat. "Redis adds" is the median of the differences
within the repetitions. "elsewhere" are the deliveries to clients of the node that the sender is not
on; where two share a port, nobody knows which those are.
"""


def write(kept: Saved) -> None:
    """Write RESULTS.md and its plots."""
    runs, growth = kept.runs, dict(kept.growth)
    drawn = plots.write(runs, HERE / "plots")
    parts = [PREAMBLE, _machine(kept.meta)]
    parts += ["## Targets\n", targets(runs), _left_out(), _why_not(runs, growth), _checked(runs)]
    parts += [f"![{title}](plots/{name})\n" for name, title in drawn]
    parts += [layers(runs), *with_redis(runs)]
    parts.append("## Scenarios\n")
    parts += [scenario_table(runs, BY_NAME[name]) for name in BY_NAME if name in runs]
    if kept.growth:
        parts += [GROWTH, reasons_growth.table(list(growth.items()))]
    RESULTS.write_text("\n".join(part for part in parts if part), encoding="utf-8")


def targets(runs: Runs) -> str:
    """The targets that were measured, as a Markdown table."""
    lines = ["| target | at most | measured | |", "|---|---:|---:|---|"]
    for target in TARGETS:
        reached = target.reached(runs)
        if reached is None or target.cores > len(CORES):
            continue
        verdict = "met" if _met(target, runs) else "**not met**"
        verdict += "" if target.sound(runs) else " (faults)"
        floor = target.floor_itself(runs)
        verdict += f"; the floor itself {number(floor)}" if floor else ""
        lines.append(f"| {target.says} | {target.bound:g} | {number(reached)} | {verdict} |")
    return "\n".join(lines) + "\n"


def _met(target: Target, runs: Runs) -> bool:
    reached = target.reached(runs)
    return reached is not None and reached <= target.bound and target.sound(runs)


def _left_out() -> str:
    """The targets for which this machine is too small."""
    lines = [
        f"Not measured here, with {len(CORES)} cores: {target.says}. With fewer than "
        f"{target.cores} the load generator takes from the servers what it measures; CPU per "
        "delivery stays right.\n"
        for target in TARGETS
        if target.cores > len(CORES)
    ]
    return "\n".join(lines)


def _why_not(runs: Runs, growth: Mapping[str, float]) -> str:
    """For each target not met, the reason that was found."""
    known = reasons()
    judged = [t for t in TARGETS if t.reached(runs) is not None and t.cores <= len(CORES)]
    missed = [target for target in judged if not _met(target, runs)]
    if not missed:
        return "Every target is met.\n"
    lines = [f"- **{t.says}**: {known.get(t.says, 'no reason was found yet.')}" for t in missed]
    return quotes.filled("\n".join(["Not met, and why:\n", *lines]) + "\n", runs, growth)


def reasons() -> dict[str, str]:
    """Target → reason with its quotes unfilled, from the list in reasons.md."""
    _, *items = f"\n{REASONS.read_text(encoding='utf-8')}".split("\n- **")
    pairs = [item.split("**:", 1) for item in items]
    return {" ".join(says.split()): " ".join(reason.split()) for says, reason in pairs}


def layers(runs: Runs) -> str:
    """What of a unit of work is the loop's, what trio's, what the gateway's; "" if not measured."""
    rows = [
        [BY_NAME[name].title, UNITS[BY_NAME[name].unit], *cells]
        for name in runs
        if all(cells := _layers_of(runs, name))
    ]
    head = ["", "unit", "floor", "plain trio", "GoGate", "trio over the floor", "GoGate over trio"]
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, align, *rows)]
    return LAYERS + "\n" + "\n".join(lines) + "\n" if rows else ""


def _layers_of(runs: Runs, name: str) -> list[str]:
    """The costs of the three, and the median differences between them."""
    costs = [spread(runs, name, peer) for peer in ("floor", "trio", "gogate")]
    steps = [
        quotes.differences(runs, name, pair, figures.cost)
        for pair in (("trio", "floor"), ("gogate", "trio"))
    ]
    return [
        *(number(cost.median) if cost else "" for cost in costs),
        *(number(step) if step is not None else "" for step in steps),
    ]


def with_redis(runs: Runs) -> list[str]:
    """What Redis adds to a message, wherever a gateway ran with and without; nothing if nowhere."""
    rows = [
        _redis_row(runs, name, peer)
        for name in runs
        for peer in runs[name]
        if PEERS[peer].redis and spread(runs, name, "gogate") and spread(runs, name, peer)
    ]
    if not rows:
        return []
    head = ["", "", "µs a message without", "with", "Redis adds", "Redis itself, µs a message"]
    head += ["deliveries/s without", "with", "elsewhere p50 ms", "p99 ms", "connections on each"]
    align = ["---", "---", *["---:"] * (len(head) - 2)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, align, *rows)]
    return [WITH_REDIS, "\n".join(lines) + "\n"]


def _redis_row(runs: Runs, name: str, peer: str) -> list[str]:
    def middle(who: str, metric: figures.Metric) -> str:
        return number(spread(runs, name, who, metric).median)

    several = PEERS[peer].servers > 1 and not PEERS[peer].one_port
    adds = quotes.differences(runs, name, (peer, "gogate"), figures.message)
    return [
        name,
        PEERS[peer].title,
        middle("gogate", figures.message),
        middle(peer, figures.message),
        f"**{number(adds)}**" if adds is not None else "",
        middle(peer, figures.redis),
        middle("gogate", figures.throughput),
        middle(peer, figures.throughput),
        middle(peer, figures.elsewhere_p50) if several else "",
        middle(peer, figures.elsewhere_p99) if several else "",
        " : ".join(str(count) for count in figures.good(runs, name, peer)[-1]["sockets"]),
    ]


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
        f"**{number(measured.median)}** {_range(measured)}",
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
            number(p50.median),
            f"{number(p99.median)} {_range(p99)}",
            number(slowest.median),
        ]
    if scenario.slow:
        memory = spread(runs, name, peer, figures.memory_per_slow).median
        cells += [f"{memory:.0f}", f"{ended[-1]['slow_closed']} ({ended[-1]['slow_close_code']})"]
    return [*cells, str(len(ended)), faults(runs, name, peer)]


def _range(measured: figures.Spread) -> str:
    return f"({number(measured.least)} to {number(measured.largest)})"


def _machine(meta: dict[str, str]) -> str:
    return "\n".join(f"- {name}: {value}" for name, value in meta.items()) + "\n"

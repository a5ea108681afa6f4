"""From raw results to figures: the cost of a run, medians, ratios, faults, targets."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import scenarios

if TYPE_CHECKING:
    from collections.abc import Callable

    from scenarios import Scenario

    Metric = Callable[[Scenario, dict], float]

Runs = dict[str, dict[str, list[dict]]]
"""scenario → peer → one result per repetition, in order; a failed one has only ``failed``."""

BY_NAME = {scenario.name: scenario for scenario in (*scenarios.ALL, scenarios.SMOKE)}

UNITS = {
    "delivery": "µs/delivery",
    "message": "µs/message",
    "connection": "µs/connect",
    "idle": "KiB/connection",
}

FAULTS = (
    "lost",
    "again_or_late",
    "misdirected",
    "invalid_json",
    "unexpected",
    "errors",
    "closed",
)


def cost(scenario: Scenario, result: dict) -> float:
    """What one unit of work cost the server: µs of CPU, or KiB of memory when idle."""
    if scenario.unit == "idle":
        grown = result["rss_after_kib"] - result["rss_before_kib"]
        return grown / (result["connections"] - 1)
    units = {
        "delivery": result["deliveries"],
        "message": result["messages"],
        "connection": result["connections"] - 1,
    }
    return result["server_cpu_ns"] / 1000 / max(units[scenario.unit], 1)


def core(_scenario: Scenario, result: dict) -> float:
    """The share of one core the server used, in percent."""
    return result["server_cpu_ns"] / result["seconds"] / 1e7


def load(_scenario: Scenario, result: dict) -> float:
    """The share of one core that load generator, backend and Redis used, in percent."""
    helpers = result["backend_cpu_ns"] + result.get("redis_cpu_ns", 0)
    return (result["load_cpu_ns"] + helpers) / result["seconds"] / 1e7


def throughput(_scenario: Scenario, result: dict) -> float:
    """Deliveries a second, as far as the load went."""
    return result["deliveries"] / result["seconds"]


def p99(_scenario: Scenario, result: dict) -> float:
    """99 of 100 deliveries came within so many ms."""
    return result["p99_us"] / 1000


def elsewhere_p50(_scenario: Scenario, result: dict) -> float:
    """Half of the deliveries from one node to clients of another came within so many ms."""
    return result["elsewhere_p50_us"] / 1000


def elsewhere_p99(_scenario: Scenario, result: dict) -> float:
    """99 of 100 of those."""
    return result["elsewhere_p99_us"] / 1000


def redis(_scenario: Scenario, result: dict) -> float:
    """µs of CPU of the Redis server for a message."""
    return result["redis_cpu_ns"] / 1000 / max(result["messages"], 1)


def message(_scenario: Scenario, result: dict) -> float:
    """µs of CPU of the server for a message and all its deliveries."""
    return result["server_cpu_ns"] / 1000 / max(result["messages"], 1)


def p50(_scenario: Scenario, result: dict) -> float:
    """Half of the deliveries came within so many ms."""
    return result["p50_us"] / 1000


def slowest(_scenario: Scenario, result: dict) -> float:
    """Every delivery came within so many ms."""
    return result["max_us"] / 1000


def memory_per_slow(_scenario: Scenario, result: dict) -> float:
    """KiB by which the server's memory peaked over its state before, per slow consumer."""
    return (result["rss_peak_kib"] - result["rss_before_kib"]) / max(result["slow"], 1)


@dataclass(frozen=True)
class Spread:
    """Median, least and largest of the repetitions."""

    median: float
    least: float
    largest: float


def good(runs: Runs, scenario: str, peer: str) -> list[dict]:
    """The results of the repetitions that ended."""
    return [result for result in runs.get(scenario, {}).get(peer, []) if "failed" not in result]


def spread(runs: Runs, scenario: str, peer: str, metric: Metric = cost) -> Spread | None:
    """A metric over the repetitions, None when there is none."""
    values = [metric(BY_NAME[scenario], result) for result in good(runs, scenario, peer)]
    return Spread(median(values), min(values), max(values)) if values else None


def ratio(
    runs: Runs, over: tuple[str, str], under: tuple[str, str], metric: Metric = cost
) -> float | None:
    """The median of the ratios of paired repetitions: neighbours in time share the noise."""
    pairs = zip(
        runs.get(over[0], {}).get(over[1], []),
        runs.get(under[0], {}).get(under[1], []),
        strict=False,
    )
    ratios = [
        metric(BY_NAME[over[0]], a) / metric(BY_NAME[under[0]], b)
        for a, b in pairs
        if "failed" not in a and "failed" not in b and metric(BY_NAME[under[0]], b) > 0
    ]
    return median(ratios) if ratios else None


def fell_behind(result: dict) -> bool:
    """Whether the server could not keep the pace: what it cost is then not what was asked."""
    if "failed" in result or not result["rate"]:
        return False
    return result["seconds"] > 1.2 * result["asked_seconds"] + 0.5


def faults(runs: Runs, scenario: str, peer: str) -> str:
    """What went wrong in all repetitions together, or 0."""
    results = runs.get(scenario, {}).get(peer, [])
    counts = {name: sum(result.get(name, 0) for result in results) for name in FAULTS}
    counts["failed"] = sum("failed" in result for result in results)
    counts["behind"] = sum(fell_behind(result) for result in results)
    counts["stalled"] = sum(not result.get("finished", True) for result in results)
    return ", ".join(f"{count} {name}" for name, count in counts.items() if count) or "0"


def totals(runs: Runs, peer: str) -> dict[str, int]:
    """What a peer did in all repetitions of all scenarios together, and what went wrong."""
    results = [
        result
        for name in runs
        for result in good(runs, name, peer)
        if BY_NAME[name].unit == "delivery"
    ]
    counts = {name: sum(result[name] for result in results) for name in ("deliveries", *FAULTS)}
    return {"runs": len(results)} | counts


@dataclass(frozen=True)
class Target:
    """What the gateway (or another ``peer``) has to reach: at most ``bound``, or that ratio."""

    says: str
    """Unique: reasons.md names a target by it."""
    scenario: str
    bound: float
    over_peer: str = ""
    over_scenario: str = ""
    peer: str = "gogate"
    metric: Metric = cost
    also: tuple[str, ...] = ()
    """Scenarios to which it applies as well: the worst of all counts."""
    cores: int = 2
    """With fewer the load generator takes from the servers what is measured: no verdict then."""

    def reached(self, runs: Runs) -> float | None:
        """The figure that must not pass the bound, None when not all of it was measured."""
        figures = [self._of(runs, name, self.peer, self.over_peer) for name in self.scenarios()]
        return max(figures) if None not in figures else None

    def floor_itself(self, runs: Runs) -> float | None:
        """What the floor takes, or grows by between the scenarios: the kernel's share of it."""
        if self.over_peer and not self.over_scenario:
            return None
        over = "floor" if self.over_peer else ""
        figures = [self._of(runs, name, "floor", over) for name in self.scenarios()]
        return max(figures) if None not in figures else None

    def sound(self, runs: Runs) -> bool:
        """Whether nothing went wrong where it was measured."""
        return all(faults(runs, name, self.peer) == "0" for name in self.scenarios())

    def scenarios(self) -> tuple[str, ...]:
        """Where it is measured."""
        return (self.scenario, *self.also)

    def _of(self, runs: Runs, name: str, peer: str, over_peer: str) -> float | None:
        if not over_peer:
            measured = spread(runs, name, peer, self.metric)
            return measured.median if measured else None
        under = (self.over_scenario or name, over_peer)
        return ratio(runs, (name, peer), under, self.metric)


TARGETS = (
    Target("fan-out to 1,000, over the floor", "fanout-1000", 1.15, "floor"),
    Target("fan-out to 1,000, over Go", "fanout-1000", 0.85, "go"),
    Target("fan-out to 100, over the floor", "fanout-100", 1.25, "floor"),
    Target("fan-out to 100, over Go", "fanout-100", 1.0, "go"),
    Target("10 messages a second to 1,000, CPU over Go", "quiet-1000", 0.8, "go"),
    Target("10 messages a second to 1,000, p99 over Go", "quiet-1000", 0.8, "go", metric=p99),
    Target("burst of 16 to 1,000, over Go", "burst-1000", 0.25, "go"),
    Target("p99 at half of saturation, over Go", "latency-1000", 1.0, "go", metric=p99),
    Target("incoming message, socket to command, µs", "incoming", 12.0, peer="bare"),
    Target("pairs, over Go", "pairs", 1.0, "go"),
    Target("500 pairs at 1,000 deliveries a second, % of a core", "send-path-0ms", 50, metric=core),
    Target("connect and authenticate, over Go", "storm", 1.5, "go"),
    Target("idle connection, KiB", "idle", 20),
    Target(
        "1,000 and 10,000 connections, per delivery over 100",
        "growth-connections-10000",
        1.2,
        "gogate",
        "growth-connections-100",
        also=("growth-connections-1000",),
    ),
    Target(
        "10,000 connections of which the same 100 are in use, per delivery over 100",
        "growth-resting-10000",
        1.2,
        "gogate",
        "growth-connections-100",
    ),
    Target(
        "100 to 5,000 chats, per delivery over 1",
        "growth-chats-5000",
        1.2,
        "gogate",
        "growth-chats-1",
        also=("growth-chats-100", "growth-chats-1000"),
    ),
    Target(
        "100 to 5,000 chats, per delivery over 1 in which another member speaks each time, too",
        "growth-chats-5000",
        1.2,
        "gogate",
        "growth-speakers-100",
        also=("growth-chats-100", "growth-chats-1000"),
    ),
    Target(
        "two processes on one port, CPU per delivery over one with the same Redis"
        " (1.08 makes 1.85 times the work)",
        "processes",
        1.08,
        "redis",
        peer="shared",
    ),
    Target(
        "two processes on one port, CPU per delivery over one that needs no Redis",
        "processes",
        1.08,
        "gogate",
        peer="shared",
    ),
    Target(
        "one process, deliveries a second over those of two on one port (0.54: two do 1.85 times)",
        "processes",
        0.54,
        "shared",
        peer="redis",
        metric=throughput,
        cores=4,
    ),
    Target(
        "p99 of the healthy, with 20 slow over none", "slow-20", 1.2, "gogate", "slow-0", metric=p99
    ),
    Target("memory a slow consumer costs, KiB", "slow-20", 2048, metric=memory_per_slow),
)

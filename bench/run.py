"""Measure the gateway against its peers: ``python bench/run.py`` (or ``nox -s bench``).

Without options: every scenario, five interleaved repetitions, then RESULTS.md and its plots.
``--only`` and ``--peers`` work on one thing and print; ``--quick`` shortens; ``--smoke`` is the
guard for CI. See README.md beside this file.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import figures
import report
import saved
import scenarios
import tools
from figures import Runs
from lineup import PEERS, Peer, available
from scenarios import Scenario
from trial import TrialFailed, run_trial

SMOKE_FACTOR = 3.0
"""The guard fails when a delivery costs more than this many times the floor's. A healthy gateway
is between 1 and 1.5; queue and writer task for every delivery, the usual accident, make it 5."""


def main() -> int:
    """Do what the command line asks for; returns the exit status."""
    options = _options()
    _raise_file_limit()
    if options.report:
        report.write(saved.load())
        return 0
    if options.smoke:
        return _smoke()
    chosen = [s for s in scenarios.ALL if not options.only or _named(s, options.only)]
    if options.quick:
        chosen = [scenario.shortened() for scenario in chosen]
    peers, missing = available(options.peers or list(PEERS))
    for name, reason in missing.items():
        _say(f"without {name}: {reason}")
    runs: Runs = saved.load().complete(options.runs) if options.resume else {}
    left = [scenario for scenario in chosen if scenario.name not in runs]
    kept = saved.load()
    save = options.save or not (options.only or options.peers or options.quick)
    began = time.monotonic()
    for number, scenario in enumerate(left, 1):
        runs[scenario.name] = _measure(scenario, peers, options.runs, runs)
        if runs[scenario.name]:
            print(report.scenario_table(runs, scenario), flush=True)
        if save:
            kept.add({scenario.name: runs[scenario.name]}, options.runs, missing)
            report.write(kept)
        _say(f"{number} of {len(left)} scenarios, {(time.monotonic() - began) / 60:.1f} minutes")
    if save and not options.only:
        kept.growth = _growth()
        kept.keep()
        report.write(kept)
    print(report.targets(runs), report.layers(runs), *report.with_redis(runs), sep="\n")
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    names = ", ".join(scenario.name for scenario in scenarios.ALL)
    split = {"type": lambda text: text.split(",")}
    parser.add_argument(
        "--only", **split, help=f"scenarios, or beginnings of names ending in *: {names}"
    )
    parser.add_argument("--peers", **split, help=f"of {', '.join(PEERS)}")
    parser.add_argument("--runs", type=int, default=0, help="repetitions (5; with --quick 2)")
    parser.add_argument("--quick", action="store_true", help="short runs, fewer clients")
    parser.add_argument("--smoke", action="store_true", help="the guard for CI: under a minute")
    parser.add_argument("--save", action="store_true", help="put a partial run into RESULTS.md")
    parser.add_argument(
        "--resume", action="store_true", help="leave out what this very code has been through"
    )
    parser.add_argument("--report", action="store_true", help="write RESULTS.md from the last runs")
    options = parser.parse_args()
    if options.save and options.peers:
        parser.error("--save puts whole rows into RESULTS.md: leave --peers out")
    options.runs = options.runs or (2 if options.quick else 5)
    for name in options.peers or []:
        if name not in PEERS:
            parser.error(f"no such peer: {name}")
    for name in options.only or []:
        if not any(_named(scenario, [name]) for scenario in scenarios.ALL):
            parser.error(f"no such scenario: {name}")
    return options


def _named(scenario: Scenario, patterns: list[str]) -> bool:
    return any(
        scenario.name.startswith(pattern[:-1])
        if pattern.endswith("*")
        else scenario.name == pattern
        for pattern in patterns
    )


def _raise_file_limit() -> None:
    """Children inherit it: 10,000 connections take as many descriptors at both ends."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _measure(
    scenario: Scenario, peers: list[Peer], times: int, before: Runs
) -> dict[str, list[dict]]:
    """Repetitions of one scenario; in each, the peers take their turns in another order."""
    taking_part = [peer for peer in peers if peer.name in scenario.peers]
    if not taking_part:
        return {}
    rate = _half(scenario, before, taking_part) if scenario.half_of else None
    results: dict[str, list[dict]] = {peer.name: [] for peer in taking_part}
    for repetition in range(times):
        turn = repetition % len(taking_part)
        for peer in taking_part[turn:] + taking_part[:turn]:
            results[peer.name].append(_trial(peer, scenario, rate, repetition))
    return results


def _trial(peer: Peer, scenario: Scenario, rate: float | None, repetition: int) -> dict:
    label = f"{scenario.name} {peer.name} #{repetition + 1}"
    try:
        result = run_trial(peer, scenario, rate)
    except TrialFailed as failure:
        _say(f"{label}: failed: {failure}")
        return {"failed": str(failure)}
    problem = result["first_problem"] or ("" if result["finished"] else "stalled")
    unit = figures.UNITS[scenario.unit]
    _say(f"{label}: {figures.cost(scenario, result):.2f} {unit} {problem}")
    return result


def _half(scenario: Scenario, before: Runs, peers: list[Peer]) -> float:
    """Messages a second at half of what the slowest here delivers when it is kept busy."""
    busy = figures.BY_NAME[scenario.half_of]
    reached = [
        measured.median
        for peer in peers
        if (measured := figures.spread(before, busy.name, peer.name, figures.throughput))
    ]
    if len(reached) < len(peers):
        probes = [_trial(peer, busy.shortened(), None, 0) for peer in peers]
        reached = [figures.throughput(busy, probe) for probe in probes if "failed" not in probe]
    return max(1.0, min(reached, default=0) / 2 / busy.chat_size)


def _growth() -> list[list]:
    """The rows of ``reasons_growth.py``; none when it did not end well."""
    command = [sys.executable, str(tools.HERE / "reasons_growth.py"), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    _say(done.stderr or "growth without a gateway: measured")
    return json.loads(done.stdout) if done.returncode == 0 else []


def _smoke() -> int:
    """Gateway against floor in one run; fails on a fault or a factor, never on noise."""
    scenario = scenarios.SMOKE
    peers, _ = available(["gogate", "floor"])
    runs: Runs = {scenario.name: _measure(scenario, peers, 3, {})}
    print(report.scenario_table(runs, scenario))
    wrong = figures.faults(runs, scenario.name, "gogate")
    factor = figures.ratio(runs, (scenario.name, "gogate"), (scenario.name, "floor"))
    if wrong != "0" or factor is None:
        print(f"failed: {wrong}")
        return 1
    print(f"a delivery costs {factor:.2f} times the floor's; {SMOKE_FACTOR:g} is too much")
    return int(factor > SMOKE_FACTOR)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

"""Figures within prose: what stands in braces in reasons.md becomes what was measured.

``{pairs.gogate}`` is the median of a peer's cost in a scenario; ``{pairs.gogate message}`` the same
for each message, ``{pairs.nodes p99}`` another metric. ``{a / b}`` and ``{a - b}`` compare two of
them within each repetition, and show the median of that. ``{growth: label}`` is a row of
``reasons_growth.py``.
"""

from __future__ import annotations

import re
from statistics import median
from typing import TYPE_CHECKING

import figures
from figures import BY_NAME, Runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from figures import Metric


METRICS: Mapping[str, Metric] = {
    "": figures.cost,
    "message": figures.message,
    "p50": figures.p50,
    "p99": figures.p99,
    "deliveries": figures.throughput,
}
QUOTE = re.compile(r"\{([^{}]+)\}")
TERM = re.compile(r"([\w-]+)\.(\w+)(?: (\w+))?")


class Misquoted(Exception):
    """There is no such scenario, peer or metric, so nothing ever stands there."""


def filled(text: str, runs: Runs, growth: Mapping[str, float]) -> str:
    """The text with every figure in its place; what was not measured is said not to be."""
    return QUOTE.sub(lambda found: _figure(found[1], runs, growth), text)


def number(value: float) -> str:
    """A figure with as many digits as mean something."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def differences(runs: Runs, scenario: str, peers: tuple[str, str], metric: Metric) -> float | None:
    """What the first of two peers has more than the second: the median over the repetitions."""
    values = [_values(runs, scenario, peer, metric) for peer in peers]
    return _paired(*values, "-")


def _figure(expression: str, runs: Runs, growth: Mapping[str, float]) -> str:
    if expression.startswith("growth: "):
        value = growth.get(expression.removeprefix("growth: "))
    else:
        left, operator, right = _parts(expression)
        value = _paired(_term(left, runs), _term(right or left, runs), operator)
    return "(not measured)" if value is None else number(value)


def _parts(expression: str) -> tuple[str, str, str]:
    for operator in ("/", "-"):
        left, found, right = expression.partition(f" {operator} ")
        if found:
            return left, operator, right
    return expression, "", ""


def _term(text: str, runs: Runs) -> list[float | None]:
    found = TERM.fullmatch(text)
    if found is None or found[1] not in BY_NAME or (found[3] or "") not in METRICS:
        raise Misquoted(text)
    if found[2] not in BY_NAME[found[1]].peers:
        raise Misquoted(text)
    return _values(runs, found[1], found[2], METRICS[found[3] or ""])


def _values(runs: Runs, scenario: str, peer: str, metric: Metric) -> list[float | None]:
    return [
        None if "failed" in result else metric(BY_NAME[scenario], result)
        for result in runs.get(scenario, {}).get(peer, [])
    ]


def _paired(left: list[float | None], right: list[float | None], operator: str) -> float | None:
    values = [
        {"/": a / b if b else None, "-": a - b}.get(operator, a)
        for a, b in zip(left, right, strict=False)
        if a is not None and b is not None
    ]
    kept = [value for value in values if value is not None]
    return median(kept) if kept else None

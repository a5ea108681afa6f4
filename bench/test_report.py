"""What the report says about figures that are made up.

pytest bench/test_report.py
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import figures
import quotes
import reasons_growth
import report
import saved

TARGET = next(t for t in figures.TARGETS if t.scenario == "growth-chats-5000")
NAMES = (TARGET.over_scenario, *TARGET.scenarios())


def result(cost_us: float, **changes: float) -> dict:
    """A repetition in which a delivery cost so much."""
    return {
        "finished": True,
        "connections": 100,
        "seconds": 1.0,
        "asked_seconds": 1.0,
        "rate": 0.0,
        "messages": 10,
        "deliveries": 1000,
        "server_cpu_ns": cost_us * 1e6,
        "load_cpu_ns": 5e8,
        "backend_cpu_ns": 0,
        "p50_us": 100.0,
        "p99_us": 200.0,
        "max_us": 300.0,
        **dict.fromkeys(figures.FAULTS, 0),
        **changes,
    }


def growing(*costs: float, **changes: float) -> figures.Runs:
    """A gateway whose delivery costs so much from one growth scenario to the next."""
    return {
        name: {"gogate": [result(cost, **changes)] * 5}
        for name, cost in zip(NAMES, costs, strict=True)
    }


def test_the_worst_of_all_sizes_counts() -> None:
    """A cost that rises in the middle is not hidden by the largest size."""
    assert TARGET.reached(growing(10, 11, 10, 15)) == pytest.approx(1.5)


@pytest.mark.parametrize(
    ("runs", "verdict"),
    [
        (growing(10, 11, 11, 11), "| met |"),
        (growing(10, 13, 10, 10), "| **not met** |"),
        (growing(10, 10, 10, 10, lost=1), "| **not met** (faults) |"),
    ],
)
def test_a_target_is_met_within_its_bound_and_without_a_fault(
    runs: figures.Runs, verdict: str
) -> None:
    """Both are needed."""
    assert verdict in report.targets(runs)


def test_a_part_that_was_not_measured_gives_no_verdict() -> None:
    """No target is called met on half of its scenarios."""
    runs = growing(10, 10, 10, 10)
    del runs[NAMES[-1]]

    assert TARGET.says not in report.targets(runs)


def test_a_missed_target_stands_with_its_reason_and_faults_are_added_up(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The written report has the reason kept by hand, and what was lost in all runs together."""
    monkeypatch.setattr("report.HERE", tmp_path)
    monkeypatch.setattr("report.RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr("report.REASONS", tmp_path / "reasons.md")
    report.REASONS.write_text(f"# Why\n\n- **{TARGET.says}**: it is\n  the moon.\n")

    runs = growing(10, 13, 10, 10, lost=2)

    report.write(saved.Saved(runs=runs, meta={"machine": "a made-up one"}))

    written = report.RESULTS.read_text()
    assert f"- **{TARGET.says}**: it is the moon.\n" in written
    assert "In 20 runs GoGate made 20,000 deliveries" in written
    assert "Lost 40," in written


def test_every_reason_is_about_a_target() -> None:
    """None is left over from a target that has another name now."""
    assert set(report.reasons()) <= {target.says for target in figures.TARGETS}


def test_a_reason_quotes_what_was_measured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Figures in braces come from the runs that are reported, and are never left standing."""
    monkeypatch.setattr("report.HERE", tmp_path)
    monkeypatch.setattr("report.RESULTS", tmp_path / "RESULTS.md")
    monkeypatch.setattr("report.REASONS", tmp_path / "reasons.md")
    first, last = (f"{name}.gogate" for name in (NAMES[0], NAMES[-1]))
    said = f"{{{last}}} is {{{last} / {first}}} of it, {{{last} - {first}}} more, {{pairs.trio}}"
    report.REASONS.write_text(f"- **{TARGET.says}**: {said}, {{growth: bare}}.\n")

    report.write(saved.Saved(runs=growing(10, 10, 10, 25), growth=[["bare", 3.25]]))

    assert ": 25.0 is 2.50 of it, 15.0 more, (not measured), 3.25." in report.RESULTS.read_text()


def test_every_quote_of_the_reasons_can_be_measured() -> None:
    """None names a scenario, a peer or a row that there is not."""
    text = " ".join(report.reasons().values())
    asked = set(re.findall(r"{growth: ([^}]+)}", text))

    assert asked <= set(reasons_growth.LABELS)
    assert quotes.filled(text, {}, {}).count("(not measured)") == len(quotes.QUOTE.findall(text))


def test_a_quote_of_nothing_is_an_error() -> None:
    """A mistyped name does not end up in the report as a figure that is merely missing."""
    for wrong in ("pears.gogate", "pairs.bare", "pairs.gogate p98"):
        with pytest.raises(quotes.Misquoted):
            quotes.filled(f"{{{wrong}}}", {}, {})


def test_what_redis_adds_is_the_difference_within_a_repetition() -> None:
    """For a message, both processes together, with the server's own beside it."""
    alone = [result(10), result(30)]
    joined = [
        result(cost, redis_cpu_ns=400_000, sockets=[48, 52], elsewhere_p50_us=700.0,
               elsewhere_p99_us=900.0)
        for cost in (14, 36)
    ]  # fmt: skip

    said = "\n".join(report.with_redis({"pairs": {"gogate": alone, "nodes": joined}}))

    assert "| 2,000 | 2,500 | **500** | 40.0 |" in said
    assert "| 0.70 | 0.90 | 48 : 52 |" in said


def test_the_price_of_a_unit_is_split_between_loop_trio_and_gateway() -> None:
    """Three peers of one scenario: what each takes more than the one before."""
    costs = {"floor": 16, "trio": 40, "gogate": 124}
    runs = {"pairs": {name: [result(us)] * 5 for name, us in costs.items()}}

    assert "| 16.0 | 40.0 | 124 | 24.0 | 84.0 |" in report.layers(runs)
    del runs["pairs"]["trio"]
    assert report.layers(runs) == ""


def test_only_what_this_code_has_been_through_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Fewer repetitions than wanted, or other code, and a scenario is measured again."""
    monkeypatch.setenv("GOGATE_BENCH_CACHE", str(tmp_path))
    runs = growing(10, 11, 12, 13)
    saved.Saved().add(runs, 5, {})

    assert saved.load().complete(5) == runs
    assert saved.load().complete(6) == {}
    monkeypatch.setattr("saved.code", lambda: "other code")
    assert saved.load().complete(5) == {}

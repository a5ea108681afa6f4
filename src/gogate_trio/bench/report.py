"""What is printed in the end: figures, a histogram, what went wrong; or all of it as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs
import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from gogate_trio.bench.histogram import Histogram
    from gogate_trio.bench.measure import Run

QUANTILES: Final = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999, "max": 1.0}

BAR: Final = 40
"""characters of the longest bar."""

EIGHTHS: Final = " ▏▎▍▌▋▊▉█"


def as_json(run: Run) -> str:
    """One document with every figure. Times are milliseconds."""
    crowd = run.crowd
    document = {
        "sound": run.is_sound,
        "cut_short": run.traffic.cut_short,
        "connections": {
            "asked": run.plan.connections,
            "entered": crowd.entries.total,
            "turned_away": crowd.turned_away,
            "closes": {str(code): count for code, count in crowd.closes.items()},
        },
        "messages": {
            "sent": run.ledger.sent,
            "unsent": run.traffic.unsent,
            "refused": run.ledger.refused,
            "errors": crowd.errors,
        },
        "deliveries": run.ledger.deliveries,
        "seconds": round(run.traffic.seconds, 3),
        **attrs.asdict(run.verdict),
        "invalid_json": crowd.invalid,
        "latency_ms": {
            "connect_and_auth": _times(crowd.entries),
            "ack": _times(crowd.acks),
            "delivery": _times(crowd.deliveries),
        },
        "histogram_ms": [
            [round(bound * 1000, 3), count] for bound, count in crowd.deliveries.bars()
        ],
        "own_cpu": round(run.cpu, 3),
        "own_lag_ms": _times(run.lag),
        "doubts": run.doubts(),
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode()


def as_text(run: Run) -> Iterator[str]:
    """The lines for a terminal or a file."""
    crowd, seconds = run.crowd, max(run.traffic.seconds, 1e-9)
    yield f"connections  {crowd.entries.total:,} of {run.plan.connections:,} got in"
    early = f" of {run.traffic.total:,}, cut short" if run.traffic.cut_short else ""
    yield f"messages     {run.ledger.sent:,} sent{early}, {run.ledger.sent / seconds:,.1f} a second"
    yield (
        f"deliveries   {run.ledger.deliveries:,}, {run.ledger.deliveries / seconds:,.0f} a second"
    )
    yield ""
    yield " " * 19 + "".join(f"{name:>9}" for name in QUANTILES) + "   ms"
    for name, times in (
        ("connect and auth", crowd.entries),
        ("message to ack", crowd.acks),
        ("message to member", crowd.deliveries),
    ):
        if times.total:
            yield f"{name:<19}" + "".join(f"{value:>9.2f}" for value in _times(times).values())
    yield ""
    yield from _bars(crowd.deliveries)
    yield from _wrong(run)
    late = run.lag.quantile(0.99) * 1000
    yield f"this process: {run.cpu:.0%} of a core, {late:.1f} ms late itself (p99)"
    yield from (f"take care: {doubt}" for doubt in run.doubts())


def _times(times: Histogram) -> dict[str, float]:
    return {name: round(times.quantile(share) * 1000, 3) for name, share in QUANTILES.items()}


def _bars(times: Histogram) -> Iterator[str]:
    bars = list(times.bars())
    most = max((count for _, count in bars), default=1)
    if bars:
        yield "message to member, deliveries by how long they took:"
    for bound, count in bars:
        full, part = divmod(round(count / most * BAR * 8), 8)
        bar = "█" * full + EIGHTHS[part].strip()
        yield f"  up to {bound * 1000:>9.2f} ms  {bar:<{BAR}}  {count:,}"
    if bars:
        yield ""


def _wrong(run: Run) -> Iterator[str]:
    """Everything that is not as it should be, or that nothing is."""
    if run.is_sound:
        yield "nothing lost, nothing twice, nothing out of order, nobody sent away"
        return
    verdict, crowd = run.verdict, run.crowd
    counts = {
        "deliveries lost": verdict.lost,
        "deliveries twice": verdict.twice,
        "deliveries out of order": verdict.disordered,
        "messages altered": verdict.altered,
        "messages that were no JSON": crowd.invalid,
        "messages without an answer that nobody heard": verdict.unanswered,
        "messages the gateway did not take": run.traffic.unsent,
        "connections that heard nothing (are their users in the chat?)": verdict.silent,
    }
    yield from (f"wrong: {count:,} {what}" for what, count in counts.items() if count)
    yield from _by("turned away", crowd.turned_away)
    yield from _by("error", crowd.errors)
    yield from _by("hung up on with", crowd.closes)


def _by(what: str, counts: Mapping[str, int] | Mapping[int, int]) -> Iterator[str]:
    yield from (f"wrong: {count:,} times {what} {name}" for name, count in counts.items())

"""The metrics as a table for the docs: printed from the catalogue, never by hand."""

from __future__ import annotations

from gogate_trio.internal.catalogue import METRICS, PROCESS


def metrics_table() -> str:
    """Return one row for each metric: its name, kind, labels and meaning."""
    rows = [
        (one.name, one.kind, ", ".join(f"`{x}`" for x in one.labels), one.help) for one in METRICS
    ]
    rows += [(name, kind, "", help_) for name, kind, help_ in PROCESS]
    lines = [f"| `{name}` | {kind} | {labels} | {text} |" for name, kind, labels, text in rows]
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *lines])

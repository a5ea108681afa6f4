"""The metrics as a table for the docs: printed from the catalogue, never by hand.

``python -m gogate_trio.internal.table FILE`` brings the table in a document up to date.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Final

from gogate_trio.internal.catalogue import METRICS, PROCESS

START: Final = "<!-- metrics -->"
END: Final = "<!-- /metrics -->"
"""What the table stands between."""


def metrics_table() -> str:
    """Return one row for each metric: its name, kind, labels and meaning."""
    rows = [
        (one.name, one.kind, ", ".join(f"`{label}`" for label in one.labels), one.help)
        for one in METRICS
    ]
    rows += [(name, kind, "", meaning) for name, kind, meaning in PROCESS]
    lines = [f"| `{name}` | {kind} | {labels} | {text} |" for name, kind, labels, text in rows]
    return "\n".join(["| metric | kind | labels | meaning |", "|---|---|---|---|", *lines])


def with_metrics_table(document: str) -> str:
    """Return a document with the table of today.

    Raises ``ValueError`` when it has no place for it.
    """
    before, start, rest = document.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise ValueError(f"the document needs one {START} and behind it one {END}")
    return f"{before}{START}\n\n{metrics_table()}\n\n{END}{after}"


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(with_metrics_table(Path(name).read_text()))

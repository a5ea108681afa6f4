"""Tables on standard output: drawn on a terminal, plain aligned lines everywhere else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Sequence

STYLES: Final = {
    "ok": "green",
    "warning": "yellow",
    "failed": "bold red",
    "skipped": "dim",
    "default": "dim",
    ".env": "cyan",
    "environment": "green",
}
"""Words that carry a colour when one of them is a whole cell."""


def show_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print the rows. Without a terminal: no colours, no frames, no wrapping, no heading."""
    console = Console()
    if not console.is_terminal:
        _show_lines(rows)
        return
    table = Table(*columns)
    for row in rows:
        # Text, not str: rich would read square brackets in a value as its markup.
        table.add_row(*(Text(cell, style=STYLES.get(cell, "")) for cell in row))
    console.print(table)


def _show_lines(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())  # noqa: T201  # this is what the module is for

"""The frame that ``gogate top`` draws: numbers above, tables below, cut to the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from gogate_trio.internal.api.overview_shapes import EndShown, Overview
from gogate_trio.internal.api.shapes import ConnectionShown, NodeShown
from gogate_trio.top.figures import Past, ago_text, bytes_text, rate_text, seconds_text

_FRAME_LINES: Final = 11
"""lines that are neither numbers nor rows: the title, a border, four tables with two each"""

_PAIRS: Final = ((100, 3), (72, 2))
"""columns from which so many numbers stand side by side; below, one"""

_NAME_CHARACTERS: Final = 40


def draw(past: Past, *, width: int, height: int, note: str = "") -> RenderableType:
    """Return a frame for a terminal of this size; ``note`` is what there is to say of the look.

    Each table has three rows at least, so a small terminal sees the upper part.
    """
    look = past.now
    cells = _cells(past)
    side_by_side = next((pairs for columns, pairs in _PAIRS if width >= columns), 1)
    lines = _FRAME_LINES + len(look.nodes) - (-len(cells) // side_by_side)
    rows = max(3, (height - lines) // 3)
    parts: list[RenderableType] = [
        _title(look, note),
        _numbers(cells, side_by_side),
        _table("Furthest behind", _SLOWEST, _slowest(look, look.slowest[:rows])),
        _table("Newest", _NEWEST, _newest(look, look.newest[:rows])),
        _table("Latest ends", _ENDS, _ends(look, look.ends[:rows])),
        _table("Nodes", _NODES, _nodes(look, look.nodes)),
    ]
    return Group(*parts)


def _title(look: Overview, note: str) -> Text:
    title = Text(no_wrap=True, overflow="ellipsis")
    title.append(f" {_plain(look.node.name)} ", style="bold white on blue")
    title.append(
        f"  GoGate {_plain(look.node.version)} · up {ago_text(look.node.started, look.time)}  "
    )
    for name, part in look.parts.items():
        style = "green" if part.ready else "bold red"
        title.append(f" {_plain(name)}: {_plain(part.state)} ", style=style)
    if note:
        title.append(f"  {note}", style="bold red")
    return title


def _cells(past: Past) -> list[tuple[str, str]]:
    """Return the numbers, each with its name."""
    look = past.now
    crowd, waiting, totals = look.connections, look.waiting, look.totals
    here = crowd.authenticated + crowd.unauthenticated + crowd.leaving
    cpu = past.cpu()

    def latency(name: str) -> str:
        found = (seconds_text(past.percentile(name, share)) for share in (0.5, 0.99))
        return " / ".join(found)

    cells = [
        ("connections", f"{here:,} of {crowd.most:,}"),
        ("users", f"{crowd.users:,}"),
        ("without a user", f"{crowd.unauthenticated:,}"),
        ("messages/s", rate_text(past.rate("messages"))),
        ("deliveries/s", rate_text(past.rate("deliveries"))),
        ("errors/s", rate_text(past.rate("errors"))),
        ("accepted/s", rate_text(past.rate("accepted"))),
        ("ended/s", rate_text(past.rate("closed"))),
        ("turned away/s", rate_text(past.rate("turned_away"))),
        ("backend calls/s", rate_text(past.rate("backend_calls"))),
        ("failed/s", rate_text(past.rate("backend_failures"))),
        ("under way / waiting", f"{look.backend.running} / {look.backend.waiting}"),
        ("waits for clients", bytes_text(waiting.bytes)),
        ("clients behind", f"{waiting.connections:,}"),
        ("events not told", f"{waiting.publications + waiting.late:,}"),
        ("CPU", "-" if cpu is None else f"{cpu:.0%} of a core"),
        ("memory", bytes_text(look.process.memory_bytes)),
        ("shed / bugs", f"{totals['shed']:,} / {totals['bugs']:,}"),
        ("delivery p50 / p99", latency("delivery")),
        ("backend p50 / p99", latency("backend")),
        ("loop lag p50 / p99", latency("loop_lag")),
    ]
    if look.redis is not None:
        cells += [
            ("redis", _plain(look.redis.state)),
            ("behind", f"{look.redis.behind:,}, {seconds_text(look.redis.behind_seconds)}"),
            ("backlog", f"{look.redis.backlog:,}"),
        ]
    return cells


def _numbers(cells: Sequence[tuple[str, str]], side_by_side: int) -> Panel:
    grid = Table.grid(padding=(0, 2), expand=True)
    for _ in range(side_by_side):
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(style="bold", no_wrap=True, ratio=1)
    for index in range(0, len(cells), side_by_side):
        row = cells[index : index + side_by_side]
        grid.add_row(*(Text(text) for cell in row for text in cell))
    return Panel(grid, border_style="blue")


_CONNECTION: Final = ("#", "user", "name", "from")
_SLOWEST: Final = (*_CONNECTION, "frames", "waiting", "since")
_NEWEST: Final = (*_CONNECTION, "state", "resumes", "since")
_ENDS: Final = ("#", "user", "name", "code", "reason", "ago")
_NODES: Final = ("name", "version", "state", "connections", "users", "up")
_RIGHT: Final = frozenset({"#", "user", "frames", "waiting", "code", "connections", "users"})


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, expand=True, pad_edge=False
    )
    for name in columns:
        table.add_column(
            name,
            justify="right" if name in _RIGHT else "left",
            header_style="dim",
            no_wrap=True,
            overflow="ellipsis",
            ratio=1 if name in {"name", "reason"} else None,
        )
    for row in rows:
        # Text, not str: rich would read square brackets in a name as its markup.
        table.add_row(*(Text(_plain(cell)) for cell in row))
    return table


def _who(one: ConnectionShown) -> tuple[str, ...]:
    return str(one.number), str(one.user_id or "-"), one.name or "", one.address


def _slowest(look: Overview, some: Iterable[ConnectionShown]) -> list[tuple[str, ...]]:
    return [
        (
            *_who(one),
            f"{one.waiting_frames:,}",
            bytes_text(one.waiting_bytes),
            ago_text(one.since, look.time),
        )
        for one in some
    ]


def _newest(look: Overview, some: Iterable[ConnectionShown]) -> list[tuple[str, ...]]:
    return [
        (*_who(one), one.state, "yes" if one.resumes else "", ago_text(one.since, look.time))
        for one in some
    ]


def _ends(look: Overview, some: Iterable[EndShown]) -> list[tuple[str, ...]]:
    return [
        (
            str(one.number),
            str(one.user_id or "-"),
            one.name or "",
            str(one.code or "-"),
            one.reason,
            ago_text(one.at, look.time),
        )
        for one in some
    ]


def _nodes(look: Overview, some: Iterable[NodeShown]) -> list[tuple[str, ...]]:
    return [
        (
            f"{one.name} (this one)" if one.here else one.name,
            one.version,
            one.state,
            f"{one.connections:,}",
            f"{one.users:,}",
            ago_text(one.started, look.time),
        )
        for one in some
    ]


def _plain(text: str) -> str:
    """Return somebody's words, fit for a terminal: no control characters, and not without end."""
    shown = "".join(c if c.isprintable() else "�" for c in text[: _NAME_CHARACTERS + 1])
    return shown if len(shown) <= _NAME_CHARACTERS else f"{shown[:_NAME_CHARACTERS]}…"

"""Plots as SVG made by hand: bars, lines and histograms need no library.

Colours are readable on light and dark pages alike, text takes the page's colour where it can.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from figures import good, spread
from lineup import PEERS

if TYPE_CHECKING:
    from pathlib import Path

    from figures import Runs

WIDTH, HEIGHT = 760, 340
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 58, 48
COLOURS = {
    "gogate": "#2563eb",
    "redis": "#dc2626",
    "nodes": "#ea580c",
    "shared": "#f59e0b",
    "bare": "#60a5fa",
    "trio": "#4b5563",
    "floor": "#8a8f98",
    "go": "#0d9488",
    "node": "#ca8a04",
    "websockets": "#c026d3",
}
FAN_OUTS = ("fanout-100", "fanout-1000", "quiet-1000", "typing-1000", "burst-1000", "pairs")

Points = dict[str, list[tuple[float, float]]]


def write(runs: Runs, folder: Path) -> list[tuple[str, str]]:
    """Draw what was measured; returns file names and titles."""
    folder.mkdir(exist_ok=True)
    drawings = {
        "cost.svg": ("CPU per delivery, µs (log scale)", _cost(runs)),
        "growth-connections.svg": (
            "CPU per delivery, µs, as connections grow (chats of 100)",
            _growth(runs, "growth-connections-"),
        ),
        "growth-chats.svg": (
            "CPU per delivery, µs, as chats grow (100 connections, all in every chat)",
            _growth(runs, "growth-chats-"),
        ),
        "latency.svg": (
            "Latency at half of saturation: % of deliveries later than x ms",
            _latency(runs, "latency-1000"),
        ),
    }
    drawn = []
    for name, (title, content) in drawings.items():
        if content:
            (folder / name).write_text(_page(title, content), encoding="utf-8")
            drawn.append((name, title))
    return drawn


def _page(title: str, content: list[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'width="{WIDTH}" height="{HEIGHT}" font-family="system-ui, sans-serif" font-size="12">'
    )
    back = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>'
    return "\n".join([head, back, _text(LEFT, 22, title, size=15), *content, "</svg>\n"])


def _cost(runs: Runs) -> list[str]:
    names = [name for name in FAN_OUTS if name in runs]
    values = {
        (name, peer): measured.median
        for name in names
        for peer in runs[name]
        if (measured := spread(runs, name, peer))
    }
    if not values:
        return []
    scale = _Scale(min(values.values()) / 2, max(values.values()) * 1.2)
    out = scale.lines()
    room = (WIDTH - LEFT - RIGHT) / len(names)
    for n, name in enumerate(names):
        there = [peer for peer in PEERS if (name, peer) in values]
        width = room * 0.8 / max(len(there), 1)
        for k, peer in enumerate(there):
            x, y = LEFT + n * room + room * 0.1 + k * width, scale.at(values[name, peer])
            out.append(
                f'<rect x="{x:.1f}" y="{y:.1f}" width="{width - 2:.1f}" '
                f'height="{HEIGHT - BOTTOM - y:.1f}" fill="{COLOURS[peer]}"/>'
            )
            out.append(_text(x + width / 2 - 1, y - 4, f"{values[name, peer]:.3g}", "middle", 10))
        out.append(_text(LEFT + (n + 0.5) * room, HEIGHT - BOTTOM + 18, name, "middle"))
    return out + _legend([peer for peer in PEERS if any(p == peer for _, p in values)])


def _growth(runs: Runs, prefix: str) -> list[str]:
    points: Points = {}
    for name in runs:
        if name.startswith(prefix):
            for peer in runs[name]:
                if measured := spread(runs, name, peer):
                    size = float(name.removeprefix(prefix))
                    points.setdefault(peer, []).append((size, measured.median))
    return _lines(points)


def _latency(runs: Runs, name: str) -> list[str]:
    """How many deliveries are later than x: both axes logarithmic, so the tail is seen."""
    points: Points = {}
    for peer in runs.get(name, {}):
        if results := good(runs, name, peer):
            points[peer] = _later_than(results)
    return _lines(points)


def _later_than(results: list[dict]) -> list[tuple[float, float]]:
    bounds = sorted({bound for result in results for bound, _ in result["histogram_us"]})
    out = []
    for bound in bounds:
        shares = []
        for result in results:
            total = sum(count for _, count in result["histogram_us"])
            later = sum(count for at, count in result["histogram_us"] if at > bound)
            shares.append(100 * later / total)
        if median(shares) > 0:
            out.append((bound / 1000, median(shares)))
    return out


def _lines(points: Points) -> list[str]:
    points = {peer: sorted(line) for peer, line in points.items() if line}
    if not points:
        return []
    every = [point for line in points.values() for point in line]
    scale = _Scale(min(y for _, y in every) / 1.5, max(y for _, y in every) * 1.5)
    least, most = math.log(min(x for x, _ in every)), math.log(max(x for x, _ in every))
    room = WIDTH - LEFT - RIGHT - 40

    def across(x: float) -> float:
        return LEFT + 20 + (math.log(x) - least) / ((most - least) or 1) * room

    out = scale.lines()
    for x in sorted({x for x, _ in every})[:: max(1, len(every) // len(points) // 8)]:
        out.append(
            _text(
                across(x), HEIGHT - BOTTOM + 18, f"{x:,.0f}" if x >= 100 else f"{x:.3g}", "middle"
            )
        )
    for peer, line in points.items():
        path = " ".join(f"{across(x):.1f},{scale.at(y):.1f}" for x, y in line)
        out.append(
            f'<polyline points="{path}" fill="none" stroke="{COLOURS[peer]}" stroke-width="2"/>'
        )
        out += [
            f'<circle cx="{across(x):.1f}" cy="{scale.at(y):.1f}" r="3" fill="{COLOURS[peer]}"/>'
            for x, y in line
        ]
    return out + _legend([peer for peer in PEERS if peer in points])


class _Scale:
    """A logarithmic axis upwards."""

    def __init__(self, least: float, most: float) -> None:
        self.least, self.most = least, most

    def at(self, value: float) -> float:
        share = math.log(value / self.least) / math.log(self.most / self.least)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def lines(self) -> list[str]:
        """A line at 1, 2 and 5 of each power of ten."""
        out = []
        for power in range(
            math.floor(math.log10(self.least)), math.ceil(math.log10(self.most)) + 1
        ):
            for step in (1, 2, 5):
                value = step * 10.0**power
                if self.least <= value <= self.most:
                    y = self.at(value)
                    out.append(
                        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" '
                        'stroke="#d4d7dc" stroke-width="1"/>'
                    )
                    out.append(_text(LEFT - 6, y + 4, f"{value:g}", "end"))
        return out


def _legend(peers: list[str]) -> list[str]:
    out, x = [], float(LEFT)
    for peer in peers:
        out.append(f'<rect x="{x:.0f}" y="34" width="10" height="10" fill="{COLOURS[peer]}"/>')
        out.append(_text(x + 14, 43, peer))
        x += 34 + 7 * len(peer)
    return out


def _text(x: float, y: float, text: str, anchor: str = "start", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" '
        f'fill="#1f2937">{text}</text>'
    )

"""A picture of who came back when, for the documents."""

from __future__ import annotations

BIN = 0.1
"""seconds of one bar"""
WIDTH, HEIGHT, BAR = 720, 150, 80
"""of one wave, and the height of its highest bar"""


def draw(waves: list[list[float]]) -> str:
    """Return an SVG with a histogram for each wave: seconds after the stop at which they came."""
    last = max(came for wave in waves for came in wave)
    bins = int(last / BIN) + 2
    counted = [
        [sum(int(came / BIN) == place for came in wave) for place in range(bins)] for wave in waves
    ]
    most = max(max(counts) for counts in counted)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT * len(waves)}">',
        "<style>text { font: 12px sans-serif; fill: #555 }</style>",
    ]
    for number, (wave, counts) in enumerate(zip(waves, counted, strict=True)):
        floor = number * HEIGHT + 120
        lines.append(
            f'<text x="10" y="{floor - BAR - 16}">instance {number + 1} is stopped:'
            f" {len(wave)} clients come back, {max(counts)} at most in {BIN * 1000:.0f} ms</text>"
        )
        width = (WIDTH - 20) / bins
        for place, count in enumerate(counts):
            tall = BAR * count / most
            lines.append(
                f'<rect x="{10 + place * width:.1f}" y="{floor - tall:.1f}"'
                f' width="{width - 1:.1f}" height="{tall:.1f}" fill="#4477aa"/>'
            )
        lines += [
            f'<text x="{10 + second / BIN * width:.1f}" y="{floor + 15}">{second} s</text>'
            for second in range(int(bins * BIN) + 1)
        ]
    return "\n".join([*lines, "</svg>", ""])

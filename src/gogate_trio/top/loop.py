"""Looks at a node every second and draws what it sees."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live

from gogate_trio.errors import OperatorError
from gogate_trio.internal.api.overview_shapes import Overview
from gogate_trio.remote import Remote
from gogate_trio.top.figures import Past
from gogate_trio.top.screen import draw

PERIOD: Final = 1.0
"""seconds between two looks"""

_TALL: Final = 60
_WIDE: Final = 120
"""lines and columns of a frame that goes to no terminal"""


def watch(remote: Remote, *, once: bool, console: Console | None = None) -> None:
    """Draw until Ctrl-C, or once; once too where no terminal is.

    Raises ``OperatorError`` when the node does not answer at first. Later on, a node that does
    not answer is said to be away, and asked again.
    """
    console = console or Console()
    if not console.is_terminal:
        console.width = max(console.width, _WIDE)
    past = Past()
    past.add(_look(remote))
    if once or not console.is_terminal:
        # A rate is between two looks.
        time.sleep(PERIOD)
        past.add(_look(remote))
        console.print(_drawn(past, console))
        return
    # Ctrl-C is how one leaves.
    with suppress(KeyboardInterrupt):
        _draw_for_ever(remote, past, console)


def _draw_for_ever(remote: Remote, past: Past, console: Console) -> None:
    with Live(_drawn(past, console), console=console, screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(PERIOD)
            note = ""
            try:
                past.add(_look(remote))
            except OperatorError:
                note = "does not answer"
            live.update(_drawn(past, console, note), refresh=True)


def _look(remote: Remote) -> Overview:
    return remote.ask("GET", "/overview", Overview)


def _drawn(past: Past, console: Console, note: str = "") -> RenderableType:
    height = console.height if console.is_terminal else _TALL
    return draw(past, width=console.width, height=height, note=note)

"""An event as a line: for people on a terminal, else as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, Processor, WrappedLogger

VALUE_CHARACTERS: Final = 2000
"""characters of one field. An event is a line to be read, and journald cuts lines at 48 KiB."""

TRACEBACK_CHARACTERS: Final = 20_000
"""characters of one traceback: about 200 frames; the middle is what is cut."""


def json_lines() -> list[Processor]:
    """Return what makes a JSON line of an event."""
    # ``format_exc_info`` prints no local variables: those hold tokens and message texts.
    # JSON itself escapes every control character, and everything outside ASCII.
    return [structlog.processors.format_exc_info, cut, structlog.processors.JSONRenderer()]


def pretty_lines(*, colours: bool) -> list[Processor]:
    """Return what makes a line for people of an event."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=colours, exception_formatter=structlog.dev.plain_traceback
    )
    return [structlog.processors.format_exc_info, cut, _escape, renderer]


def cut(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Bound the length of every text, and of whatever else may be long."""
    for key, value in event.items():
        if isinstance(value, int | float | None):
            continue
        limit = TRACEBACK_CHARACTERS if key == "exception" else VALUE_CHARACTERS
        text = value if isinstance(value, str) else repr(value)
        if len(text) > limit:
            event[key] = f"{text[: limit // 2]} … {text[-limit // 2 :]}"
    return event


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave nothing that a terminal or a reader of lines would take for more than text."""
    return {printable(str(key)): _ESCAPES.get(key, _value)(event[key]) for key in event}


def _value(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    return printable(value if isinstance(value, str) else repr(value))


def barred(traceback: object) -> str:
    """Return a traceback with a bar before each line: it is the one thing of several lines."""
    return "\n".join(f"  | {printable(line)}" for line in str(traceback).split("\n"))


_ESCAPES: Final[dict[str, Callable[[object], object]]] = {"exception": barred}


def printable(text: str) -> str:
    """Return a text with an escape in place of all that is not to be seen as itself."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

"""The log: one event per line on standard error, for people on a terminal, else JSON.

What an event may hold: a name, and fields with ids, counts and constant words. Never a
message's text, a token or a key. Whatever ends up in a field all the same can neither
forge a line nor paint the terminal: control characters are escaped, long values are cut.

The libraries log through ``logging``; their warnings come out as events like ours, and
what is below a warning costs them one level check.
"""

from __future__ import annotations

import contextlib
import logging
import sys
from typing import TYPE_CHECKING, Final, TextIO, cast

import structlog
from structlog.stdlib import ProcessorFormatter

if TYPE_CHECKING:
    from collections.abc import Callable

    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

    from gogate_trio.config import LogSettings

VALUE_CHARACTERS: Final = 2000
"""characters of one field. An event is a line to be read, and journald cuts lines at 48 KiB."""

TRACEBACK_CHARACTERS: Final = 20_000
"""characters of one traceback: about 200 frames; the middle is what is cut."""


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of one room; its events carry the name as ``logger``.

    May be called at import: it takes up the configuration with its first event.
    """
    # cast: structlog types this Any, because any class can be configured; ours is this one.
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def configure(settings: LogSettings, *, stream: TextIO | None = None) -> None:
    """Set up logging for the whole process; ``stream`` is standard error unless given."""
    target = stream or sys.stderr
    pretty = settings.format == "pretty" or (settings.format == "auto" and target.isatty())
    tail = _pretty(colours=target.isatty()) if pretty else _json()
    stamps: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*stamps, *tail],
        wrapper_class=structlog.make_filtering_bound_logger(settings.level),
        logger_factory=lambda name="": _Lines(target, name=name),
        # Without it every event would assemble its logger anew.
        cache_logger_on_first_use=True,
    )
    _route_libraries(
        target,
        ProcessorFormatter(
            foreign_pre_chain=stamps,
            processors=[ProcessorFormatter.remove_processors_meta, *tail],
        ),
        level=max(logging.WARNING, logging.getLevelNamesMapping()[settings.level.upper()]),
    )


class _Lines:
    """Writes finished lines. A line that cannot be written is lost; the gateway goes on."""

    def __init__(self, stream: TextIO, *, name: str) -> None:
        self._stream = stream
        self.name = name

    def msg(self, line: str) -> None:
        """Write in one piece, so that lines of two threads do not mix."""
        # OSError: nobody reads any more. ValueError: the stream is closed.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(f"{line}\n")
            self._stream.flush()

    debug = info = warning = error = critical = exception = msg


class _LibraryHandler(logging.StreamHandler[TextIO]):
    """Ours, so that a second ``configure`` finds it."""


def _route_libraries(stream: TextIO, formatter: logging.Formatter, *, level: int) -> None:
    """Let the libraries' records, and Python's warnings, come out as events."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _LibraryHandler)]:
        root.removeHandler(old)
    handler = _LibraryHandler(stream)
    handler.setFormatter(formatter)
    root.addHandler(handler)
    root.setLevel(level)
    logging.captureWarnings(True)


def _json() -> list[Processor]:
    # ``format_exc_info`` prints no local variables: those hold tokens and message texts.
    # JSON itself escapes every control character, and everything outside ASCII.
    return [structlog.processors.format_exc_info, _cut, structlog.processors.JSONRenderer()]


def _pretty(*, colours: bool) -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=colours, exception_formatter=structlog.dev.plain_traceback
    )
    return [structlog.processors.format_exc_info, _cut, _escape, renderer]


def _cut(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Bound the length of every text."""
    for key, value in event.items():
        limit = TRACEBACK_CHARACTERS if key == "exception" else VALUE_CHARACTERS
        if isinstance(value, str) and len(value) > limit:
            event[key] = f"{value[: limit // 2]} … {value[-limit // 2 :]}"
    return event


def _escape(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Leave nothing that a terminal or a reader of lines would take for more than text."""
    return {_printable(str(key)): _ESCAPES.get(key, _value)(event[key]) for key in event}


def _value(value: object) -> object:
    if isinstance(value, bool | int | float | None):
        return value
    return _printable(value if isinstance(value, str) else repr(value))


def _traceback(value: object) -> str:
    """A bar before each line: a traceback is the one thing of several lines."""
    return "\n".join(f"  | {_printable(line)}" for line in str(value).split("\n"))


_ESCAPES: Final[dict[str, Callable[[object], object]]] = {"exception": _traceback}


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)

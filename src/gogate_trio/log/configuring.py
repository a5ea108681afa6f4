"""What is written, and where to.

The libraries log through ``logging``; their warnings come out as events like ours, and
what is below a warning costs them one level check.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TextIO, cast

import structlog
from structlog.stdlib import ProcessorFormatter

from gogate_trio.errors import OperatorError
from gogate_trio.log.fields import whereabouts
from gogate_trio.log.flood import GUARD
from gogate_trio.log.journal import SOCKET, Journal, journal_entries, leads_to_journal
from gogate_trio.log.printing import json_lines, pretty_lines
from gogate_trio.log.writing import Lines

if TYPE_CHECKING:
    from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

    from gogate_trio.config import LogFormat, LogLevel, LogSettings


def get_logger(name: str) -> FilteringBoundLogger:
    """The logger of one room; its events carry the name as ``logger``.

    May be called at import: it takes up the configuration with its first event.
    """
    # cast: structlog types this Any, because any class can be configured; ours is this one.
    return cast("FilteringBoundLogger", structlog.get_logger(name))


def configure(
    settings: LogSettings,
    *,
    node: str,
    stream: TextIO | None = None,
    journal_stream: str = "",
    journal_socket: str = SOCKET,
) -> None:
    """Set up logging for the whole process; ``stream`` is standard error unless given.

    ``node`` is the gateway's name; ``journal_stream`` is systemd's variable of that name.
    Raises ``OperatorError`` when the journal is asked for and is not there.
    """
    write, tail = _outlet(settings.format, stream or sys.stderr, journal_stream, journal_socket)
    head: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.stdlib.add_logger_name,
    ]
    body: list[Processor] = [
        GUARD,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        whereabouts(node),
        *tail,
    ]
    structlog.configure(
        processors=[_drop_below_level, *head, *body],
        logger_factory=lambda name="": _Logger(name, write),
        # Its cost is a processor's for a debug event: the level can change while we run.
        wrapper_class=structlog.make_filtering_bound_logger("debug"),
        # Without it every event would assemble its logger anew.
        cache_logger_on_first_use=True,
    )
    _route_libraries(
        write,
        ProcessorFormatter(
            foreign_pre_chain=[*head, GUARD],
            processors=[ProcessorFormatter.remove_processors_meta, *body[1:]],
        ),
    )
    set_level(settings.level)


def set_level(level: LogLevel) -> None:
    """Write only what is at least so severe, from now on."""
    global _lowest  # noqa: PLW0603 - the log is the process's
    _lowest = logging.getLevelNamesMapping()[level.upper()]
    logging.getLogger().setLevel(max(logging.WARNING, _lowest))


_lowest = logging.INFO


def _drop_below_level(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    if _LEVELS.get(method, logging.CRITICAL) < _lowest:
        raise structlog.DropEvent
    return event


_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "exception": logging.ERROR,
}


Write = Callable[[str], None]
"""Writes one finished line, or entry."""


class _Logger:
    """What structlog hands finished lines to; its name goes into each."""

    def __init__(self, name: str, write: Write) -> None:
        self.name = name
        self.msg = write
        self.debug = self.info = self.warning = self.error = self.critical = write


class _LibraryHandler(logging.Handler):
    """Ours, so that a second ``configure`` finds it."""

    def __init__(self, write: Write) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as an event, unless there are too many of its kind."""
        try:
            self._write(self.format(record))
        except structlog.DropEvent:
            return
        except Exception:  # noqa: BLE001 - a record that cannot be read is no crash of ours
            # Its text would be many lines, of which any could pass for one of ours.
            place = f"{record.module}:{record.lineno}"
            get_logger(__name__).warning("record_unreadable", kind=record.name, place=place)


def _route_libraries(write: Write, formatter: logging.Formatter) -> None:
    """Let the libraries' records, and Python's warnings, come out as events."""
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, _LibraryHandler)]:
        root.removeHandler(old)
    handler = _LibraryHandler(write)
    handler.setFormatter(formatter)
    root.addHandler(handler)
    logging.captureWarnings(True)


def _outlet(
    form: LogFormat, stream: TextIO, journal_stream: str, journal_socket: str
) -> tuple[Write, list[Processor]]:
    """Return what writes, and what makes of an event what is written."""
    if form == "journald" or (form == "auto" and leads_to_journal(stream, journal_stream)):
        try:
            journal = Journal(journal_socket)
        except OperatorError:
            if form == "journald":
                raise
        else:
            return journal.write, journal_entries()
    is_pretty = form == "pretty" or (form == "auto" and stream.isatty())
    tail = pretty_lines(colours=stream.isatty()) if is_pretty else json_lines()
    return Lines(stream).write, tail

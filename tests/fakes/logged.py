"""A log that a test can read.

Usage::

    stream = configured(level="debug")
    log.get_logger("hub").info("joined", connection=7)
    (event,) = events(stream)
"""

from __future__ import annotations

import io
import json
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
import structlog

from gogate_trio import log
from gogate_trio.config import LogSettings
from gogate_trio.log import flood
from gogate_trio.log.journal import Journal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Say so."""
        return True


class Gone(io.StringIO):
    """A stream nobody reads any more."""

    def write(self, _text: str) -> int:
        """Fail as a pipe does whose reader has gone."""
        raise BrokenPipeError


def configured(
    stream: TextIO | None = None, *, journal: str = "", journal_stream: str = "", **settings: Any
) -> Any:
    """Return the stream that the log of this process now goes to."""
    stream = stream or io.StringIO()
    # pytest listens too, and cannot hand what is hostile from a worker to its master.
    logging.getLogger().handlers.clear()
    log.configure(
        LogSettings(**settings),
        node="n1",
        stream=stream,
        journal_stream=journal_stream,
        journal_socket=journal or "/nowhere",
    )
    # Or the rooms of a node in this process would keep it beyond the test.
    structlog.configure(cache_logger_on_first_use=False)
    return stream


@contextmanager
def restored() -> Iterator[None]:
    """Begin with no line said; leave the process's logging as it was."""
    root = logging.getLogger()
    level, journals, init = root.level, list[Journal](), Journal.__init__

    def opened(journal: Journal, path: str) -> None:
        journals.append(journal)
        init(journal, path)

    with pytest.MonkeyPatch.context() as patches:
        guard = flood.Guard()
        patches.setattr("gogate_trio.log.configuring.GUARD", guard)
        patches.setattr(flood, "GUARD", guard)
        patches.setattr(Journal, "__init__", opened)
        yield
    for journal in journals:
        journal.close()
    root.handlers.clear()
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def events(stream: io.StringIO) -> list[dict[str, Any]]:
    """Return the events in a JSON log; a line that is no event fails the test."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]

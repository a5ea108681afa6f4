"""How the command ends when something went wrong: one message and a status, or a crash logged.

What an operator can cause is said on one line without a traceback, also out of a nursery.
"""
# ruff: noqa: PLC0415  # imported when something has gone wrong, so that quick commands are quick

from __future__ import annotations

import sys
from typing import Final

from gogate_trio.errors import OperatorError

USAGE: Final = 2
"""The status for settings and arguments that cannot be used."""

FAILURE: Final = 1
"""The status for everything else that went wrong."""

INTERRUPTED: Final = 130
"""The status after Ctrl-C, as shells count it: 128 + SIGINT."""


def status_of(error: BaseException) -> int:
    """Say what went wrong, once for each thing that did; the status to end with."""
    from gogate_trio.config import ConfigError

    status = FAILURE
    for reason in _leaves(error):
        match reason:
            case KeyboardInterrupt():
                status = INTERRUPTED
            case ConfigError():
                status = complain(str(reason), status=USAGE)
            case OperatorError():
                status = complain(str(reason), status=FAILURE)
            case _:
                return _crash(error)
    return status


def _leaves(error: BaseException) -> list[BaseException]:
    """The errors in a group, or the one there is: trio wraps whatever leaves a nursery."""
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


def _crash(error: BaseException) -> int:
    """A bug of ours: the one case with a traceback, in the log like any event."""
    import structlog

    from gogate_trio import log
    from gogate_trio.config import ClusterSettings, LogSettings

    if not structlog.is_configured():
        log.configure(LogSettings(), node=ClusterSettings().name)
    log.get_logger("cli").critical("crashed", exc_info=error)
    return FAILURE


def complain(text: str, *, status: int) -> int:
    """Say what is wrong on standard error; the status to end with."""
    sys.stderr.write(f"gogate: {text}\n")
    return status

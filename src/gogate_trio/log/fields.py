"""What every event says by itself: the node, and whose doing it is.

Whoever lives in a task of its own says so once with ``about``; the tasks it starts inherit it.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Protocol

from gogate_trio.tracing.spans import current

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger


class Person(Protocol):
    """A user of the product."""

    @property
    def user_id(self) -> int:
        """Its number."""


class Subject(Protocol):
    """A connection, as its log lines name it."""

    @property
    def number(self) -> int:
        """Its number."""

    @property
    def user(self) -> Person | None:
        """Whose it is, once that is known."""


_subject: Final[ContextVar[Subject | None]] = ContextVar("subject", default=None)


def about(subject: Subject | None) -> None:
    """Let what this task logs from now on, and the tasks it starts, name this connection."""
    _subject.set(subject)


def whereabouts(node: str) -> Processor:
    """Return what adds the node, the connection, its user and the trace to an event."""

    def add(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["node"] = node
        subject, span = _subject.get(), current()
        if subject is not None:
            event.setdefault("connection", subject.number)
            if subject.user is not None:
                event.setdefault("user", subject.user.user_id)
        if span is not None:
            event["trace_id"], event["span_id"] = span.trace_id, span.span_id
        return event

    return add

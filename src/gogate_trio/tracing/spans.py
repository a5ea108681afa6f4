"""What the rooms above see of a trace, and where the code that runs is in one.

The place in a trace follows the task, and the tasks it starts. A span is not bound to the
task that began it: a command is read in one task and done in another.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TYPE_CHECKING, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

Kind = Literal["server", "client", "producer", "consumer"]
"""Which side of which conversation: a command, a call, a publication sent, one received."""


class Span(Protocol):
    """A piece of work within a trace. Names and attributes are ids and words of our own."""

    trace_id: str
    """32 hexadecimal digits."""
    span_id: str
    """16 hexadecimal digits."""
    traceparent: str
    """Both, as the W3C's header of that name has them."""
    is_kept: bool
    """Whether it is told to anybody: the sampler has chosen its trace."""

    def begin(self, name: str, kind: Kind, **attributes: int) -> Span:
        """Begin a piece of this one."""

    def note(self, outcome: str, *, failed: bool) -> None:
        """Say how it went; the last word counts. Without one it was cancelled."""

    def end(self) -> None:
        """Say that it is over."""


class Tracer(Protocol):
    """Begins what has no span above it in this process."""

    def begin(self, name: str, kind: Kind, *, since: float, **attributes: int) -> Span:
        """Begin a trace, with a piece of work that began at ``since`` (trio's clock, seconds)."""

    def record(
        self, name: str, kind: Kind, *, parent: str, seconds: float, **attributes: int
    ) -> None:
        """Tell of a piece of work that took so long and is over now; ``parent`` began elsewhere."""


_current: Final[ContextVar[Span | None]] = ContextVar("span", default=None)


def current() -> Span | None:
    """Return what the running task is at; None when nobody traces it."""
    return _current.get()


async def run_within(span: Span, job: Callable[[], Awaitable[None]]) -> None:
    """Do the work of a span, and end it whatever happens."""
    token = _current.set(span)
    try:
        await job()
    except Exception:
        span.note("INTERNAL_ERROR", failed=True)
        raise
    finally:
        _current.reset(token)
        span.end()

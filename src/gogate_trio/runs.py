"""What the hub delivers in one go: consecutive publications of one audience."""

from __future__ import annotations

from collections.abc import Iterator

from gogate_trio.broker.base import Publication, Turn
from gogate_trio.limits import JOINED_BYTES, JOINED_FRAMES
from gogate_trio.tracing.spans import Tracer


def trace(tracer: Tracer, run: list[Publication], seconds: float) -> None:
    """Tell of a run that was offered in so many seconds, in the trace of each publication."""
    for publication in run:
        if publication.trace is not None:
            audience = len(publication.audience)
            tracer.record(
                "deliver",
                "consumer",
                parent=publication.trace,
                seconds=seconds,
                audience=audience,
            )


def runs(publications: Iterator[Publication | Turn]) -> Iterator[list[Publication] | Turn]:
    """Split into runs of consecutive publications that go to the same outboxes in one write.

    A turn of the stream ends a run and stands by itself.
    """
    run: list[Publication] = []
    size = 0
    for publication in publications:
        if not isinstance(publication, Publication):
            if run:
                yield run
                run, size = [], 0
            yield publication
            continue
        joins = (
            run
            and publication.audience is run[0].audience
            and publication.is_durable is run[0].is_durable
            and publication.except_user == run[0].except_user
            and len(run) < JOINED_FRAMES
            and size + len(publication.text) <= JOINED_BYTES
        )
        if run and not joins:
            yield run
            run, size = [], 0
        run.append(publication)
        size += len(publication.text)
    if run:
        yield run

"""On or off, and the exporter's life."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import trio

from gogate_trio.errors import OperatorError
from gogate_trio.limits import TRACE_FLUSH_SECONDS
from gogate_trio.log import get_logger

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gogate_trio.config import TracingSettings
    from gogate_trio.metrics import Metrics
    from gogate_trio.tracing.otel import OtelTracer
    from gogate_trio.tracing.spans import Tracer

_log = get_logger(__name__)


@asynccontextmanager
async def open_tracing(
    settings: TracingSettings, node: str, metrics: Metrics
) -> AsyncIterator[Tracer | None]:
    """Trace for as long as the block lasts; None when that is off.

    At the end what waits is sent, within ``TRACE_FLUSH_SECONDS``. Raises ``OperatorError`` when
    OpenTelemetry is not installed, or cannot make sense of its variables.
    """
    if not settings.on:
        yield None
        return
    tracer = _make(node, metrics)
    try:
        yield tracer
    finally:
        # Its own threads are daemons, and so is trio's: a collector that hangs holds up nobody.
        with trio.move_on_after(TRACE_FLUSH_SECONDS, shield=True) as patience:
            await trio.to_thread.run_sync(tracer.shut_down, abandon_on_cancel=True)
        if patience.cancelled_caught:
            _log.warning("traces_left_behind", seconds=TRACE_FLUSH_SECONDS)


def _make(node: str, metrics: Metrics) -> OtelTracer:
    try:
        from gogate_trio.tracing.otel import OtelTracer  # noqa: PLC0415 - off costs nothing
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "opentelemetry":
            raise
        raise OperatorError("TRACING needs its extra: pip install 'gogate-trio[otel]'") from None
    try:
        return OtelTracer(node, metrics)
    except ValueError:
        raise OperatorError("a variable of OpenTelemetry (OTEL_…) makes no sense") from None

"""The spans of OpenTelemetry; the only module that imports it.

Everything about the export (where to, with which headers, which traces) is read by its SDK from
the variables that its specification names: ``OTEL_EXPORTER_OTLP_ENDPOINT``,
``OTEL_TRACES_SAMPLER`` and so on. Spans wait in a bounded queue for a thread of the SDK's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

import attrs
import trio
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.trace import Span as ForeignSpan
from opentelemetry.trace import SpanKind, Status, StatusCode, format_span_id, format_trace_id
from opentelemetry.trace import Tracer as ForeignTracer
from opentelemetry.trace.propagation import set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from gogate_trio import __version__
from gogate_trio.limits import TRACE_BATCH, TRACE_SPANS
from gogate_trio.metrics import Metrics
from gogate_trio.tracing.spans import Kind, Span


class OtelTracer:
    """A ``Tracer``. ``shut_down`` ends its thread."""

    def __init__(self, node: str, metrics: Metrics, exporter: SpanExporter | None = None) -> None:
        """``node`` names this gateway; ``exporter`` is OTLP over HTTP unless given.

        Raises ``ValueError`` for a variable of the SDK's that makes no sense.
        """
        counted = _Counted(exporter or OTLPSpanExporter(), metrics)
        # Without its own exit hook, which would wait for half a minute.
        self._provider = TracerProvider(resource=_resource(node), shutdown_on_exit=False)
        self._provider.add_span_processor(_Queue(counted, metrics))
        self._tracer = self._provider.get_tracer("gogate", __version__)

    def begin(self, name: str, kind: Kind, *, since: float, **attributes: int) -> Span:
        """Begin a trace."""
        ago = trio.current_time() - since
        return _begin(self._tracer, Context(), name, kind, attributes, ago=ago)

    def record(
        self, name: str, kind: Kind, *, parent: str, seconds: float, **attributes: int
    ) -> None:
        """Tell of what is over; a ``parent`` that is no traceparent begins a trace of its own."""
        above = _PROPAGATOR.extract({"traceparent": parent}, Context())
        _begin(self._tracer, above, name, kind, attributes, ago=seconds).foreign.end()

    def shut_down(self) -> None:
        """Send what waits, and end the thread. Blocks: for as long as the collector takes."""
        self._provider.shutdown()


@attrs.define(eq=False)
class _Span:
    """A ``Span``."""

    foreign: ForeignSpan
    trace_id: str
    span_id: str
    traceparent: str
    is_kept: bool
    _tracer: ForeignTracer
    _is_noted: bool = False

    def begin(self, name: str, kind: Kind, **attributes: int) -> _Span:
        above = set_span_in_context(self.foreign, Context())
        return _begin(self._tracer, above, name, kind, attributes)

    def note(self, outcome: str, *, failed: bool) -> None:
        self._is_noted = True
        self.foreign.set_attribute("gogate.outcome", outcome)
        if failed:
            self.foreign.set_status(Status(StatusCode.ERROR, outcome))

    def end(self) -> None:
        if not self._is_noted:
            # The SDK takes a cancellation for no failure; whoever reads the trace would not.
            self.note("cancelled", failed=True)
        self.foreign.end()


def _begin(  # noqa: PLR0913  # one place for what a span is made of
    tracer: ForeignTracer,
    above: Context,
    name: str,
    kind: Kind,
    attributes: Mapping[str, int],
    *,
    ago: float = 0.0,
) -> _Span:
    foreign = tracer.start_span(
        name,
        above,
        _KINDS[kind],
        {f"gogate.{key}": value for key, value in attributes.items()},
        start_time=time.time_ns() - round(ago * 1e9),
    )
    context = foreign.get_span_context()
    trace_id, span_id = format_trace_id(context.trace_id), format_span_id(context.span_id)
    traceparent = f"00-{trace_id}-{span_id}-{context.trace_flags:02x}"
    return _Span(foreign, trace_id, span_id, traceparent, context.trace_flags.sampled, tracer)


class _Counted(SpanExporter):
    """Counts what an exporter makes of the spans. Runs in the SDK's thread."""

    def __init__(self, exporter: SpanExporter, metrics: Metrics) -> None:
        self._exporter = exporter
        self._metrics = metrics

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self._metrics.spans_taken += len(spans)
        result = self._exporter.export(spans)
        outcome = "sent" if result is SpanExportResult.SUCCESS else "failed"
        self._metrics.spans[outcome] += len(spans)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


class _Queue(BatchSpanProcessor):
    """The SDK's queue, which drops what does not fit; here it is counted, and not logged."""

    def __init__(self, exporter: SpanExporter, metrics: Metrics) -> None:
        super().__init__(exporter, TRACE_SPANS, max_export_batch_size=TRACE_BATCH)
        self._counts = metrics

    def on_end(self, span: ReadableSpan) -> None:
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._counts.spans_queued - self._counts.spans_taken >= TRACE_SPANS:
            self._counts.spans["dropped"] += 1
            return
        self._counts.spans_queued += 1
        super().on_end(span)


def _resource(node: str) -> Resource:
    """Return who speaks; what ``OTEL_RESOURCE_ATTRIBUTES`` says goes before."""
    ours = {"service.name": "gogate", "service.version": __version__, "service.instance.id": node}
    return Resource(ours).merge(OTELResourceDetector().detect())


_PROPAGATOR: Final = TraceContextTextMapPropagator()
_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}

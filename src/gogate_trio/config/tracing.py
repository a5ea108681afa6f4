"""The setting of the traces; all else about them is OpenTelemetry's own."""

# setting() returns attrs fields, as attrs.field() does
from __future__ import annotations

import attrs

from gogate_trio.config.declare import setting
from gogate_trio.config.kinds import Switch


@attrs.frozen(kw_only=True)
class TracingSettings:
    """What becomes of a command, told to a collector of OpenTelemetry."""

    on: bool = setting(
        "TRACING",
        Switch(),
        default=False,
        help="Whether commands are traced. Needs the extra `otel`. Where to, and which of them, say"
        " OpenTelemetry's own variables, read from the environment only:"
        " OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER …",
    )

"""A collector of traces on a real loopback socket: OTLP over HTTP, in a thread.

Usage::

    with open_collector() as collector:
        ...  # OTEL_EXPORTER_OTLP_ENDPOINT=collector.url
        span = collector.span("send_message", "server")
        assert span.trace_id == collector.span("deliver", "consumer").trace_id
"""

from __future__ import annotations

import gzip
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import attrs
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KINDS = ("unspecified", "internal", "server", "client", "producer", "consumer")


@attrs.frozen
class Told:
    """A span as it arrived."""

    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    """Empty for the first of its trace."""
    failed: bool
    begun: int
    ended: int
    """Nanoseconds since 1970."""
    attributes: Mapping[str, str | int]
    """Without the ``gogate.`` before their names."""
    resource: Mapping[str, str]


@attrs.define(eq=False)
class Collector:
    """What has been collected; made by ``open_collector``."""

    url: str
    go_on: threading.Event
    """Clear it, and requests wait for their answer."""
    spans: list[Told] = attrs.field(factory=list)
    bodies: list[bytes] = attrs.field(factory=list)
    """The requests, unpacked: whatever is in them was told."""

    def take(self, body: bytes) -> None:
        """Take a request."""
        self.bodies.append(body)
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: each.value.string_value for each in group.resource.attributes}
            for scope in group.scope_spans:
                self.spans += [_told(span, resource) for span in scope.spans]

    def span(self, name: str, kind: str) -> Told:
        """The one span of this name and kind."""
        (found,) = (one for one in self.spans if (one.name, one.kind) == (name, kind))
        return found


def _told(span, resource) -> Told:
    attributes = {
        each.key.removeprefix("gogate."): each.value.string_value or each.value.int_value
        for each in span.attributes
    }
    return Told(
        span.name,
        KINDS[span.kind],
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        span.status.code == span.status.STATUS_CODE_ERROR,
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        attributes,
        resource,
    )


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    collector: Collector


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_POST(self) -> None:
        """Take what is posted."""
        body = self.rfile.read(int(self.headers["content-length"]))
        if self.headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.collector.go_on.wait()
        self.server.collector.take(body)
        self.send_response(200 if self.path == "/v1/traces" else 404)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def open_collector() -> Iterator[Collector]:
    """Run a collector on a free port for as long as the block lasts."""
    go_on = threading.Event()
    go_on.set()
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.collector = Collector(f"http://127.0.0.1:{server.server_port}", go_on)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.collector
        finally:
            go_on.set()
            server.shutdown()
            thread.join()

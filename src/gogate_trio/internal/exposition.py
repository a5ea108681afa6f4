"""All numbers in Prometheus' text format, read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from gogate_trio.internal.catalogue import METRICS, Metric
from gogate_trio.internal.dials import Dials, Reading
from gogate_trio.metrics import Histogram
from gogate_trio.server.pages import Page

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
"""The format every version of Prometheus reads."""


class Exposition:
    """The page ``/metrics`` of one node."""

    def __init__(self, dials: Dials) -> None:
        # A registry of its own: prometheus-client's global one belongs to the process, and a
        # test runs many nodes in one.
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(dials))
        ProcessCollector(registry=self._registry)

    def page(self) -> Page:
        """Return all numbers of this moment."""
        return Page(CONTENT_TYPE, generate_latest(self._registry))


class _Collector(Collector):
    """Makes prometheus-client's families of our plain numbers."""

    def __init__(self, dials: Dials) -> None:
        self._dials = dials

    def describe(self) -> list[Family]:
        """Name nothing beforehand: nobody else registers here."""
        return []

    def collect(self) -> Iterator[Family]:
        """Yield every metric of the catalogue."""
        reading = self._dials.read()
        for metric in METRICS:
            yield _family(metric, reading)


def _family(metric: Metric, reading: Reading) -> Family:
    family: CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily
    match metric.kind:
        case "counter":
            family = CounterMetricFamily(metric.name, metric.help, labels=metric.labels)
        case "gauge":
            family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        case "histogram":
            family = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
    for labels, value in metric.read(reading):
        if isinstance(family, HistogramMetricFamily):
            assert isinstance(value, Histogram)  # noqa: S101 - for the type checker
            buckets = [(_bound(bound), count) for bound, count in value.cumulated()]
            family.add_metric(labels, buckets, value.sum)
        else:
            assert not isinstance(value, Histogram)  # noqa: S101 - for the type checker
            family.add_metric(labels, value)
    return family


def _bound(value: float) -> str:
    """Write a bucket's bound as Prometheus does."""
    return "+Inf" if value == float("inf") else repr(value)

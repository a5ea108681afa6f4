"""What the tests of the traces share."""

from __future__ import annotations

import pytest

from fakes.backend import open_fake_backend
from fakes.collector import open_collector


@pytest.fixture
async def fake():
    """A backend."""
    async with open_fake_backend() as backend:
        yield backend


@pytest.fixture
def collector(monkeypatch):
    """A collector that this process, too, would tell its traces."""
    with open_collector() as one:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", one.url)
        yield one

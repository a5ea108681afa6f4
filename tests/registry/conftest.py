"""A Redis of the test's own."""

from __future__ import annotations

import pytest

from fixtures.valkey import open_valkey


@pytest.fixture
async def valkey(tmp_path):
    """A real server, empty."""
    async with open_valkey(tmp_path / "valkey") as server:
        yield server

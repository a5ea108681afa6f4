"""What the tests of brokers share: real servers, and nodes without a socket."""

from __future__ import annotations

import pytest

from fixtures.valkey import open_valkey


@pytest.fixture
async def valkey(tmp_path):
    """A real server, empty."""
    async with open_valkey(tmp_path / "valkey") as server:
        yield server

"""What the tests of this room share."""

from __future__ import annotations

import pytest

from fakes.settings import transport
from fakes.worlds import WORLDS

__all__ = ["dialect", "open_world", "transport", "world"]


@pytest.fixture(params=WORLDS)
def open_world(request):
    """Each kind of backend."""
    return WORLDS[request.param]


@pytest.fixture(params=["guide", "symfony"])
def dialect(request):
    """Each dialect."""
    return request.param


@pytest.fixture
async def world(open_world, dialect):
    """Each kind of backend in each dialect."""
    async with open_world(dialect) as running:
        yield running

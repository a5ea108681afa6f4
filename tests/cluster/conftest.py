"""A fake backend, and a world in front of it."""

from __future__ import annotations

from functools import partial

import pytest

from cluster.world import open_world
from fakes.backend import open_fake_backend


@pytest.fixture
async def fake():
    """The backend."""
    async with open_fake_backend() as backend:
        yield backend


@pytest.fixture
def world(fake, tmp_path, monkeypatch):
    """Opens a world."""
    return partial(open_world, fake, tmp_path, monkeypatch)

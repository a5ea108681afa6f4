"""A fake backend, a Valkey, and a world in front of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from cluster.world import open_world
from fakes.backend import open_fake_backend
from fixtures.valkey import open_valkey


def pytest_addoption(parser):
    """``--histogram PATH`` draws anew who came back when; ``--seed`` takes other people."""
    parser.addoption("--seed", default="cluster", help="from which people and chats are drawn")
    parser.addoption("--histogram", type=Path, help="where to write the picture, an SVG")


@pytest.fixture
async def fake():
    """The backend."""
    async with open_fake_backend() as backend:
        yield backend


@pytest.fixture
async def valkey(tmp_path):
    """A Valkey that forgets everything when it is restarted."""
    async with open_valkey(tmp_path / "valkey") as server:
        yield server


@pytest.fixture
async def lasting_valkey(tmp_path):
    """A Valkey that has everything on disk before it answers."""
    async with open_valkey(tmp_path / "valkey", is_persistent=True) as server:
        yield server


@pytest.fixture
def world(fake, tmp_path, monkeypatch, request):
    """Opens a world."""
    seed = request.config.getoption("--seed")
    return partial(open_world, fake, tmp_path, monkeypatch, seed=seed)

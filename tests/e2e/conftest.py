"""A fake backend with a crowd in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.backend import open_fake_backend
from fakes.crowd import seat_crowd

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.backend import FakeBackend


@pytest.fixture
async def fake() -> AsyncIterator[FakeBackend]:
    """The backend, with the crowd beside its own users."""
    async with open_fake_backend() as backend:
        seat_crowd(backend)
        yield backend

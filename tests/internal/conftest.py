"""A fake backend for the node that is watched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fakes.backend import open_fake_backend
from fakes.desk import FakeUser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fakes.backend import FakeBackend


@pytest.fixture
async def fake() -> AsyncIterator[FakeBackend]:
    """The backend; beside its own, chat 3 of users 3 and 5."""
    async with open_fake_backend() as backend:
        backend.users[5] = FakeUser(5, "Eve", "Far", "+79990000005")
        backend.chats[3] = [3, 5]
        yield backend

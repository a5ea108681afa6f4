"""A fake backend, and what the node under test logs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import structlog
from structlog.testing import LogCapture

from fakes.backend import open_fake_backend
from fakes.desk import FakeUser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from structlog.typing import EventDict

    from fakes.backend import FakeBackend


@pytest.fixture
async def fake() -> AsyncIterator[FakeBackend]:
    """The backend; beside its own, chat 3 of users 3 and 5, far from those of users 1 and 2."""
    async with open_fake_backend() as backend:
        backend.users[5] = FakeUser(5, "Eve", "Far", "+79990000005")
        backend.chats[3] = [3, 5]
        yield backend


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> list[EventDict]:
    """What the gateway's rooms log, whatever other tests have configured."""
    capture = LogCapture()
    logger = structlog.wrap_logger(None, processors=[capture])
    for name, room in tuple(sys.modules.items()):
        if name.startswith("gogate_trio.") and hasattr(room, "_log"):
            monkeypatch.setattr(room, "_log", logger)
    return capture.entries

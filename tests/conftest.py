"""What holds for every test: no secret is said, and memory is not tidied again and again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import canary
import collector

if TYPE_CHECKING:
    import pytest


def pytest_configure(config: pytest.Config) -> None:
    """Let them in."""
    for plugin in (canary, collector):
        config.pluginmanager.register(plugin)

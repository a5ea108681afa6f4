"""What holds for every test: no secret is said, and memory is not tidied again and again."""

from __future__ import annotations

import os

import pytest

import canary
import collector


def pytest_configure(config: pytest.Config) -> None:
    """Let them in."""
    for plugin in (canary, collector):
        config.pluginmanager.register(plugin)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For ``-n auto``, half as many again as processors: a good part of a test is waiting."""
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2)

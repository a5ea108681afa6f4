"""What holds for every test: no secret is said, and memory is not tidied again and again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import canary
import collector
from gogate_trio.poller import Poller, open_poller


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--redis-server PATH``: every test that starts a server starts this, not the Valkey."""
    parser.addoption("--redis-server", type=Path, help="a redis-server in the place of the Valkey")


def pytest_configure(config: pytest.Config) -> None:
    """Let them in."""
    for plugin in (canary, collector):
        config.pluginmanager.register(plugin)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Have the server that was named started."""
    if path := session.config.getoption("--redis-server"):
        from fixtures.valkey import name_server  # noqa: PLC0415 - most sessions start none

        name_server(path)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For ``-n auto``, half as many again as processors: a good part of a test is waiting."""
    return max(2, len(os.sched_getaffinity(0)) * 3 // 2)


@pytest.fixture
async def poller() -> AsyncIterator[Poller]:
    """What sockets are waited for with."""
    async with open_poller() as opened:
        yield opened

"""Laws of the datagrams: their form, and that telling never costs a gateway its life."""

from __future__ import annotations

import socket
from contextlib import suppress

import pytest
import structlog
import trio

from fakes.systemd import open_notify_socket
from gogate_trio.systemd.notify import NOTIFY_SECONDS, Notifier


@pytest.mark.parametrize("abstract", [False, True])
async def test_all_variables_arrive_in_one_datagram(tmp_path, abstract):
    """A datagram is read as one statement, whichever kind of socket it has named."""
    async with open_notify_socket(tmp_path, abstract=abstract) as systemd:
        assert await Notifier(systemd.address).tell(READY=1, STATUS="all = well")

        assert await systemd.next() == {"READY": "1", "STATUS": "all = well"}


async def test_without_systemd_nothing_is_told():
    """No address, no datagram, and nothing about it in the log."""
    with structlog.testing.capture_logs() as logs:
        assert not await Notifier("").tell(READY=1)

    assert logs == []


@pytest.mark.parametrize("address", ["/nowhere/at/all", "@nobody/listens", "vsock:2:1", "/" * 200])
async def test_a_row_of_failures_is_one_warning(address):
    """Who cannot be told is not told, and the operator hears of it once."""
    notifier = Notifier(address)
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            assert not await notifier.tell(WATCHDOG=1)

    assert [(entry["event"], entry["log_level"]) for entry in logs] == [
        ("notify_failed", "warning")
    ]


async def test_it_goes_on_when_systemd_is_back(tmp_path):
    """A new socket under the old name is found; the next row of failures is a new warning."""
    notifier = Notifier(str(tmp_path / "notify"))
    with structlog.testing.capture_logs() as logs:
        assert not await notifier.tell(WATCHDOG=1)
        async with open_notify_socket(tmp_path) as systemd:
            assert await notifier.tell(WATCHDOG=1)
            await systemd.next()
        assert not await notifier.tell(WATCHDOG=1)

    assert len(logs) == 2


def _fill(address):
    """Leave no room in somebody's queue; return the socket that did it."""
    crowd = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    crowd.setblocking(False)
    crowd.connect(address)
    with suppress(BlockingIOError):
        while True:
            crowd.send(b"CROWD=1")
    return crowd


async def test_a_busy_systemd_is_waited_for(tmp_path):
    """READY must not be lost because hundreds of services start at once."""
    async with open_notify_socket(tmp_path) as systemd, trio.open_nursery() as telling:
        with _fill(systemd.address):
            telling.start_soon(lambda: Notifier(systemd.address).tell(READY=1))

            await systemd.told("READY")


async def test_a_stuck_systemd_is_not_waited_for(tmp_path, autojump_clock):
    """A gateway that nobody listens to still serves."""
    async with open_notify_socket(tmp_path) as systemd:
        with _fill(systemd.address), structlog.testing.capture_logs() as logs:
            assert not await Notifier(systemd.address).tell(READY=1)

    assert autojump_clock.current_time() == pytest.approx(NOTIFY_SECONDS)
    assert logs[0]["reason"] == "no room in time"

"""From one process to the next: exactly, or not at all."""

from __future__ import annotations

import threading

import pytest
import structlog
import trio

from gogate_trio import succession
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.config import (
    BackendSettings,
    ClusterSettings,
    ResumeSettings,
    Secret,
    Settings,
    StateSettings,
)
from gogate_trio.config.redis import RedisAddress
from gogate_trio.limits import ONCE_SECONDS, STATE_SECONDS
from gogate_trio.metrics import Metrics
from gogate_trio.state.history import Entry, History, Window
from gogate_trio.state.messages import KnownMessages
from gogate_trio.state.sessions import Sessions
from gogate_trio.state.snapshot import Estate
from gogate_trio.statefile import StateFile
from gogate_trio.succession import Succession

URL = "http://backend.example"


@pytest.fixture
def logged(monkeypatch):
    """What it says, and why."""
    capture = structlog.testing.LogCapture()
    monkeypatch.setattr(succession, "_log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@pytest.fixture
def counted():
    """What all processes count."""
    return Metrics()


@pytest.fixture
def process(tmp_path, counted):
    """Make a process that uses the directory; by the wall's clock it is that late."""

    def make(*, wall=1000.0, url=URL, window=300.0, folder=tmp_path, redis=None):
        history = History(f"epoch-{wall}", Window(window, 100, 1000))
        settings = Settings(
            backend=BackendSettings(url=url, internal_api_key=Secret("key")),
            resume=ResumeSettings(window=window),
            state=StateSettings(folder=str(folder) if folder else ""),
            cluster=ClusterSettings(redis=redis),
        )
        broker = MemoryBroker(None, None, counted)
        estate = Estate(history, Sessions(window), KnownMessages())
        return Succession(estate, broker, settings, counted, wall=lambda: wall), history, broker

    return make


def reasons(logged):
    """What was said, each with its reason."""
    return [(entry["event"], entry.get("reason")) for entry in logged]


async def live(process, **how):
    """Let a process come, hear one event, and end in good order; return its history."""
    made, history, _ = process(**how)
    await made.inherit()
    history.append(Entry(history.head + 1, b"hello", {1: "John"}, 1, trio.current_time()))
    await made.leave()
    return history


async def test_the_next_process_goes_on(process, logged, counted):
    """Same epoch, same head, and what is published then is numbered behind it."""
    old = await live(process)
    made, history, broker = process(wall=1299.0)
    await made.inherit()

    assert history.position == old.position
    assert broker._offset == 1
    assert [entry.text for entry in history.after(0)] == [b"hello"]
    assert reasons(logged) == [("state_kept", None), ("state_restored", None)]
    assert counted.restores == {"none": 1, "restored": 1}


async def test_a_key_of_before_publishes_nothing_again(process):
    """For as long as it would have without the restart."""
    made, _, broker = process()
    await made.inherit()
    broker.once.note("key", trio.current_time())
    await made.leave()
    made, _, broker = process(wall=1100.0)
    await made.inherit()
    now = trio.current_time()

    assert broker.once.is_known("key", now)
    assert broker.once.is_known("key", now + ONCE_SECONDS - 110)
    assert not broker.once.is_known("key", now + ONCE_SECONDS - 90)


async def test_a_crash_later_does_not_bring_it_back(process):
    """What was read is gone, also when the process that read it says no more."""
    await live(process)
    crashed, _, _ = process()
    await crashed.inherit()
    made, history, broker = process()
    await made.inherit()

    assert (len(history), broker._offset) == (0, 0)


@pytest.mark.parametrize(
    ("how", "reason", "code"),
    [
        ({"wall": 1300.5}, "too old, or the clock was set back", "old"),
        ({"wall": 999.0}, "too old, or the clock was set back", "old"),
        ({"url": "http://staging.example"}, "of another node", "foreign"),
    ],
)
async def test_what_cannot_be_trusted_is_ignored(  # noqa: PLR0917 - fixtures
    process, logged, counted, how, reason, code
):
    """Older than the window, of the future, or about other people's chats; and it is counted."""
    await live(process)
    made, history, broker = process(**how)
    await made.inherit()

    assert (len(history), broker._offset) == (0, 0)
    assert reasons(logged)[1:] == [("state_ignored", reason)]
    assert counted.restores == {"none": 1, code: 1}


async def test_who_was_followed_leaves_nothing(process, logged):
    """Two that overlapped: what the second told, the first one's window does not have."""
    first, _, _ = process()
    await first.inherit()
    second, _, _ = process()
    await second.inherit()

    await first.leave()

    third, history, _ = process()
    await third.inherit()
    assert len(history) == 0
    assert reasons(logged) == [("state_not_kept", "another process came after this one")]


async def test_what_was_left_in_spite_of_a_follower_is_ignored(process, logged, tmp_path):
    """The first looked, the second came, the first wrote: nobody believes it."""
    await live(process)
    StateFile(tmp_path).own("second")
    made, history, _ = process()
    await made.inherit()

    assert len(history) == 0
    assert reasons(logged)[1:] == [("state_ignored", "of another node")]


async def test_what_is_no_snapshot_is_ignored(process, logged, counted, tmp_path):
    """Another release may have meant something by it."""
    StateFile(tmp_path).put(b"\x93\x01\x02\x03")
    made, history, _ = process()
    await made.inherit()

    assert len(history) == 0
    assert reasons(logged) == [("state_ignored", "damaged")]
    assert counted.restores == {"damaged": 1}


async def test_what_is_too_big_is_not_left(process, logged, monkeypatch, tmp_path):
    """Clients fetch anew, and the disk is not filled."""
    monkeypatch.setattr(succession, "STATE_BYTES", 10)
    await live(process)

    assert not (tmp_path / "state").exists()
    assert reasons(logged) == [("state_not_kept", "too big")]


async def test_a_disk_that_hangs_is_not_waited_for(
    process, logged, counted, monkeypatch, mock_clock
):
    """Neither at the start nor at the end: after some seconds it is given up."""
    mock_clock.rate = 100
    release = threading.Event()
    monkeypatch.setattr(StateFile, "owner", lambda _: release.wait(20) and "")
    made, _, _ = process()
    begin = trio.current_time()
    await made.inherit()
    await made.leave()

    release.set()
    assert 2 * STATE_SECONDS <= trio.current_time() - begin < 30 * STATE_SECONDS
    assert reasons(logged) == [
        ("state_ignored", "took too long"),
        ("state_not_kept", "took too long"),
    ]
    assert counted.restores == {"slow": 1}


async def test_a_place_that_is_none_is_said_and_survived(process, logged, counted, tmp_path):
    """A directory that is not there costs the window, not the start."""
    made, _, _ = process(folder=tmp_path / "nowhere")
    await made.inherit()
    await made.leave()

    assert {event for event, _ in reasons(logged)} == {"state_ignored", "state_not_kept"}
    assert counted.restores == {"unreadable": 1}


@pytest.mark.parametrize(
    "how",
    [{"folder": None}, {"window": 0.0}, {"redis": RedisAddress(hosts=(("redis.example", 6379),))}],
    ids=["no place", "no window", "other nodes"],
)
async def test_where_nothing_is_kept_nothing_is_left(process, logged, tmp_path, how):
    """Off is off: no texts on a disk. Nor where other nodes know what was missed."""
    await live(process, **how)

    assert not (tmp_path / "state").exists()
    assert reasons(logged) == []

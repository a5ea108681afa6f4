"""Laws of a service's life: the order of its words, its pulse, the line about its numbers."""

from __future__ import annotations

import pytest
import trio

from gogate_trio.systemd import Service
from gogate_trio.systemd.service import GRACE_SECONDS, STATUS_SECONDS


class Ear:
    """A notifier that remembers when it was told what."""

    def __init__(self):
        self.told = []
        self.hears = True

    async def tell(self, **variables):
        """Remember."""
        await trio.lowlevel.checkpoint()
        self.told.append((trio.current_time(), variables))
        return self.hears

    def all(self, name):
        """Everything said under a name, with its time."""
        return [(when, told[name]) for when, told in self.told if name in told]


@pytest.fixture
def ear():
    """Whoever listens."""
    return Ear()


async def test_the_pulse_beats_twice_a_period(ear, autojump_clock):  # noqa: ARG001  # time is its own
    """At half the period, so that one late beat is no death."""
    with trio.move_on_after(10.5):
        await Service(ear, watchdog=2.0).run(lambda: "")

    assert [when for when, _ in ear.all("WATCHDOG")] == pytest.approx(list(range(11)))


async def test_without_a_watchdog_there_is_no_pulse(ear, autojump_clock):  # noqa: ARG001  # time is its own
    """Nobody is told what nobody asked for."""
    with trio.move_on_after(60):
        await Service(ear).run(lambda: "")

    assert ear.all("WATCHDOG") == []


async def test_the_numbers_are_told_when_they_change(ear, autojump_clock):  # noqa: ARG001  # time is its own
    """Every few seconds at most, and not again while they are the same."""
    with trio.move_on_after(STATUS_SECONDS * 4.5):
        await Service(ear).run(lambda: f"users: {trio.current_time() // (2 * STATUS_SECONDS):.0f}")

    assert ear.all("STATUS") == [
        (pytest.approx(0), "users: 0"),
        (pytest.approx(2 * STATUS_SECONDS), "users: 1"),
        (pytest.approx(4 * STATUS_SECONDS), "users: 2"),
    ]


async def test_numbers_that_were_not_heard_are_told_again(ear, autojump_clock):  # noqa: ARG001  # time is its own
    """A line that got lost does not stay lost."""
    ear.hears = False
    with trio.move_on_after(STATUS_SECONDS * 2.5):
        await Service(ear).run(lambda: "users: 1")

    assert len(ear.all("STATUS")) == 3


async def test_the_line_says_that_it_drains(ear, autojump_clock):  # noqa: ARG001  # time is its own
    """Who looks at a stop that takes its time sees whom it waits for."""
    service = Service(ear)
    with trio.move_on_after(STATUS_SECONDS * 1.5):
        async with trio.open_nursery() as running:
            running.start_soon(service.run, lambda: "users: 1")
            await trio.sleep(1)
            await service.stopping(20)

    assert [line for _, line in ear.all("STATUS")] == ["users: 1", "draining", "draining: users: 1"]


async def test_stopping_says_how_long_it_may_take(ear):
    """It waits for the drain and a little more, not for its own default."""
    await Service(ear).stopping(20)

    assert ear.all("EXTEND_TIMEOUT_USEC")[0][1] == (20 + GRACE_SECONDS) * 1_000_000
    assert len(ear.all("STOPPING")) == 1


async def test_reloads_follow_each_other(ear, autojump_clock):  # noqa: ARG001  # time is its own
    """RELOADING and READY come in pairs, also when two hangups come at once."""
    service = Service(ear)
    await service.ready()

    async def reload():
        async with service.reload():
            await trio.sleep(1)

    async with trio.open_nursery() as reloading:
        reloading.start_soon(reload)
        reloading.start_soon(reload)

    words = [next(iter(told)) for _, told in ear.told]
    assert words == ["READY", "RELOADING", "READY", "RELOADING", "READY"]


async def test_a_reload_before_the_start_does_not_say_ready(ear):
    """A hangup during the start must not open the gate for what depends on us."""
    async with Service(ear).reload():
        pass

    assert ear.told == []


async def test_a_reload_that_meets_the_stop_does_not_say_ready(ear):
    """After STOPPING there is no way back."""
    service = Service(ear)
    await service.ready()
    async with service.reload():
        await service.stopping(1)

    assert [next(iter(told)) for _, told in ear.told] == ["READY", "RELOADING", "STOPPING"]


@pytest.mark.parametrize(
    ("variables", "beats"),
    [
        ({"WATCHDOG_USEC": "2000000"}, 6),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "42"}, 6),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "41"}, 0),
        ({"WATCHDOG_USEC": "0"}, 0),
        ({"WATCHDOG_USEC": "-1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({"WATCHDOG_USEC": "9" * 5000}, 0),
        ({}, 0),
    ],
)
async def test_the_environment_says_who_is_watched(ear, autojump_clock, variables, beats):  # noqa: ARG001  # time is its own
    """A pulse for the process that is meant, and none for a period that is none."""
    service = Service.of(variables, pid=42)
    service._notifier = ear
    with trio.move_on_after(5.5):
        await service.run(lambda: "")

    assert len(ear.all("WATCHDOG")) == beats

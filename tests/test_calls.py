"""The lanes in which commands reach the backend: laws of order, bounds and fences."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from gogate_trio.calls import Calls, Lane
from gogate_trio.limits import PENDING_COMMANDS
from gogate_trio.metrics import Metrics


@pytest.fixture
def metrics():
    """The counters of a node."""
    return Metrics()


@pytest.fixture
def calls(nursery, metrics):
    """All lanes of a node."""
    return Calls(nursery, metrics)


class Work:
    """Jobs that note their beginning and their end, and wait until they are let."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self._gates: dict[str, trio.Event] = {}

    def job(self, name: str):
        """Return a job that waits for ``let(name)``."""
        gate = self._gates[name] = trio.Event()

        async def run() -> None:
            self.log.append(f"{name} begins")
            await gate.wait()
            self.log.append(f"{name} ends")

        return run

    async def let(self, *names: str) -> None:
        """Let jobs end, and everything settle."""
        for name in names:
            self._gates[name].set()
        await wait_all_tasks_blocked()


@pytest.fixture
def work():
    """Jobs under control."""
    return Work()


def make_lane(calls: Calls, bugs: list[str] | None = None) -> Lane:
    """Return the lane of a connection that notes when it should end."""
    noted = [] if bugs is None else bugs
    return Lane(calls, 7, lambda: noted.append("bug"))


async def test_the_commands_of_one_connection_run_one_after_the_other(calls, work):
    """The second begins when the first has ended, whenever it was given."""
    lane = make_lane(calls)
    for name in "abc":
        assert lane.submit(work.job(name))
    await work.let("c", "b")
    assert work.log == ["a begins"]
    await work.let("a")

    assert work.log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


async def test_connections_do_not_wait_for_each_other(calls, work):
    """A slow call in one lane is nothing to another."""
    for name in "ab":
        make_lane(calls).submit(work.job(name))
    await work.let("b")

    assert "b ends" in work.log
    assert "a ends" not in work.log
    await work.let("a")


async def test_a_lane_is_busy_while_it_has_work(calls, work):
    """From the moment a job is given until the last has ended; then again with the next."""
    lane = make_lane(calls)
    assert not lane.is_busy
    for _ in range(2):
        lane.submit(work.job("a"))
        assert lane.is_busy
        await work.let()
        assert lane.is_busy
        await work.let("a")
        assert not lane.is_busy

    assert work.log == ["a begins", "a ends"] * 2


async def test_so_many_commands_wait_and_no_more(calls, work):
    """``PENDING_COMMANDS`` behind the one that runs; what is turned away never runs."""
    lane = make_lane(calls)
    names = [f"{number}" for number in range(PENDING_COMMANDS + 1)]
    lane.submit(work.job(names[0]))
    await work.let()
    assert all(lane.submit(work.job(name)) for name in names[1:])
    assert not lane.submit(work.job("one too many"))
    await work.let("one too many", *names)

    assert [line for line in work.log if "ends" in line] == [f"{name} ends" for name in names]
    assert lane.submit(work.job("again"))
    await work.let("again")


async def test_dropping_forgets_what_has_not_begun(calls, work):
    """The one that runs goes on to its end: the backend may be doing it already."""
    lane = make_lane(calls)
    for name in "abc":
        lane.submit(work.job(name))
    await work.let()
    lane.drop()
    await work.let("a", "b", "c")

    assert work.log == ["a begins", "a ends"]
    assert not lane.is_busy
    lane.drop()


async def test_a_bug_ends_its_connection_and_nothing_else(calls, metrics, work):
    """It is counted, its own connection is told, and every lane goes on, its own too."""
    bugs, others = [], []
    lane, other = make_lane(calls, bugs), make_lane(calls, others)

    async def stumble() -> None:
        raise ZeroDivisionError

    async def stumble_in_a_nursery() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stumble)
            nursery.start_soon(trio.sleep_forever)

    for job in (stumble, stumble_in_a_nursery, work.job("a")):
        lane.submit(job)
    other.submit(work.job("b"))
    await work.let("a", "b")

    assert bugs == ["bug", "bug"]
    assert others == []
    assert metrics.bugs == 2
    assert {"a ends", "b ends"} <= set(work.log)
    assert not lane.is_busy


async def test_idle_means_that_no_lane_has_work(calls, work):
    """Who drains a node waits for the last of all, and for work that came meanwhile."""
    await calls.wait_idle()
    lane, other = make_lane(calls), make_lane(calls)
    for name in "ab":
        lane.submit(work.job(name))
    other.submit(work.job("c"))
    idle = []

    async def wait() -> None:
        await calls.wait_idle()
        idle.append("idle")

    async with trio.open_nursery() as waiting:
        waiting.start_soon(wait)
        await work.let("a", "c")
        assert idle == []
        other.submit(work.job("d"))
        await work.let("b")
        assert idle == []
        await work.let("d")

    assert idle == ["idle"]


async def test_a_node_that_is_cut_off_is_idle(metrics, work):
    """Cancelled, no lane keeps anybody waiting for it."""
    async with trio.open_nursery() as supervisor:
        calls = Calls(supervisor, metrics)
        lane = make_lane(calls)
        lane.submit(work.job("a"))
        await work.let()
        supervisor.cancel_scope.cancel()

    await calls.wait_idle()
    assert work.log == ["a begins"]
    assert metrics.bugs == 0


async def test_a_job_beside_the_lane_waits_for_nobody_and_has_the_same_fence(
    calls, metrics, work, nursery
):
    """It overtakes what runs in order, and its bug is its own connection's end alone."""
    bugs = []
    lane = make_lane(calls, bugs)
    lane.submit(work.job("a"))
    beside = work.job("b")

    async def stumble() -> None:
        await beside()
        raise ZeroDivisionError

    nursery.start_soon(lane.run_beside, stumble)
    await work.let("b")

    assert work.log[-1] == "b ends"
    assert (bugs, metrics.bugs) == (["bug"], 1)
    await work.let("a")
    assert work.log[-1] == "a ends"

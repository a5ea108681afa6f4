"""The supervisor's nursery of backend calls, and the ordered lane of each connection.

A command that reaches the backend runs here and not in its connection's nursery: a client
that goes away never cancels a call in flight. The commands of one connection run one after
the other; a lane has a task only while it has work.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from gogate_trio.limits import PENDING_COMMANDS
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics

_log = get_logger(__name__)

Job = Callable[[], Awaitable[None]]


class Calls:
    """All lanes of one node; knows when no command is running any more."""

    def __init__(self, supervisor: trio.Nursery, metrics: Metrics) -> None:
        self._supervisor = supervisor
        self._metrics = metrics
        self._running = 0
        self._idle = trio.Event()
        self._idle.set()

    async def wait_idle(self) -> None:
        """Wait until no lane has work."""
        while self._running:
            await self._idle.wait()

    def start(self, lane: Lane) -> None:
        """Run a lane until it is empty. Only a lane that is not running calls this."""
        if not self._running:
            self._idle = trio.Event()
        self._running += 1
        self._supervisor.start_soon(self._run, lane)

    async def _run(self, lane: Lane) -> None:
        try:
            while (job := lane.take()) is not None:
                await self.run_fenced(lane, job)
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def run_fenced(self, lane: Lane, job: Job) -> None:
        """Run a job; a bug in it ends the connection whose lane it is, and is not raised."""
        try:
            await job()
        except Exception:  # noqa: BLE001 - the fence: a bug ends its connection, not the node
            self._metrics.bugs += 1
            _log.exception("command_failed", connection=lane.name)
            lane.on_bug()


class Lane:
    """The commands of one connection that wait for the backend, in order."""

    __slots__ = ("_calls", "_jobs", "_running", "name", "on_bug")

    def __init__(self, calls: Calls, name: int, on_bug: Callable[[], None]) -> None:
        """``on_bug`` is called when a job raised: the connection must end."""
        self._calls = calls
        self._jobs: deque[Job] | None = None
        self._running = False
        self.name = name
        self.on_bug = on_bug

    def submit(self, job: Job) -> bool:
        """Run the job after those before it; False when too many wait already."""
        if self._jobs is None:
            self._jobs = deque()
        if len(self._jobs) >= PENDING_COMMANDS:
            return False
        self._jobs.append(job)
        if not self._running:
            self._running = True
            self._calls.start(self)
        return True

    def take(self) -> Job | None:
        """Return the next job; None ends the lane's task."""
        if self._jobs:
            return self._jobs.popleft()
        self._running = False
        self._jobs = None
        return None

    async def run_beside(self, job: Job) -> None:
        """Run a job out of turn, behind the same fence. For jobs in the supervisor's nursery."""
        await self._calls.run_fenced(self, job)

    def drop(self) -> None:
        """Forget the jobs that have not begun."""
        if self._jobs:
            self._jobs.clear()

    @property
    def is_busy(self) -> bool:
        """Whether a job runs or waits."""
        return self._running

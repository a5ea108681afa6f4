"""Sockets that stay registered, and tasks that wait for news of them without a cancel scope.

trio's ``wait_readable`` tells epoll of a socket anew for every wait, and a deadline, or a shield
against being cancelled, is a scope around it: together they cost a backend call more than to send
it. Here a socket is registered once, edge-triggered, in an epoll that one task watches for all. It
may also read for the task that waits, which is then woken only for what it must do itself.
A deadline is a number, and one task minds them all. Nothing but news, the deadline or ``cut_all``
ends such a wait: a cancellation takes effect after it, so no half-done exchange is ever left.
"""

from __future__ import annotations

import math
import select
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import trio

if TYPE_CHECKING:
    import socket


READING: Final = select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLET
BOTH: Final = READING | select.EPOLLOUT


class TimeUp(Exception):
    """The deadline of a wait has come, or it was cut."""


@asynccontextmanager
async def open_poller() -> AsyncIterator[Poller]:
    """Run a poller. Cancelled from outside, it serves on until the block has ended."""
    poller = Poller()
    async with trio.open_nursery() as polling:
        polling.start_soon(poller.run)
        try:
            yield poller
        finally:
            poller.stop()


class Source:
    """A registered socket. One task at a time waits for it."""

    __slots__ = ("_ended", "_error", "_fd", "_is_news", "_poller", "_task", "_try", "until")

    def __init__(self, poller: Poller, fd: int) -> None:
        """``Poller.add`` makes them."""
        self._poller = poller
        self._fd = fd
        self._task: trio.lowlevel.Task | None = None
        self._try: Callable[[], bool] | None = None
        """What to do with news before anybody is woken."""
        self._error: Exception | None = None
        """What who is woken shall raise."""
        self._is_news = False
        self._ended = False
        """Whether the other side will send no more: an edge that does not come again."""
        self.until = math.inf
        """When a minded wait ends: trio's clock, seconds."""

    async def news(self) -> None:
        """Wait until it may be worth trying again to receive, or to send. Cancellable.

        Raises ``TimeUp`` when nobody polls any more. Cancelled, the news is still there.
        """
        if self._has_news():
            await trio.lowlevel.checkpoint()
            self._is_news = False
        else:
            await self._park(self._leave)

    async def minded_news(self) -> None:
        """The same, until ``until`` at most and whatever is cancelled. Raises ``TimeUp``."""
        if self._has_news():
            await trio.lowlevel.cancel_shielded_checkpoint()
            self._is_news = False
            # Who always has something to say is not woken for it.
            if self.until <= trio.current_time():
                raise TimeUp
        else:
            self._poller.mind(self.until)
            await self._park(_not_now)

    async def try_on_news(self, attempt: Callable[[], bool]) -> None:
        """Have ``attempt`` called whenever there is news, until it returns True. Cancellable.

        It is called in the poller's task, which spares the caller's a turn, but in the caller's
        context, and must not block. Raises as ``news`` does, and what ``attempt`` raises.
        """
        while self._has_news():
            self._is_news = False
            if attempt():
                return
        await self._park(self._leave, attempt)

    def look_again(self) -> None:
        """Let the next wait return at once: there may be more than was looked at."""
        self._is_news = True

    def is_dry(self) -> None:
        """Take note that nothing could be received or sent: whatever was thought, wait."""
        self._is_news = self._ended = False

    def remove(self) -> None:
        """Forget the socket, before it is closed; whoever waits gets ``ClosedResourceError``."""
        self._poller.forget(self._fd)
        self.wake(trio.ClosedResourceError())

    def wake(self, error: Exception | None = None) -> None:
        """Wake who waits, if anybody does."""
        task, self._task, self._try = self._task, None, None
        if task is not None:
            self._error = error
            trio.lowlevel.reschedule(task)

    def tell(self, event: int) -> None:
        """Take note of what epoll says."""
        if event & _END:
            self._ended = True
        if self._task is None:
            self._is_news = True
        elif self._try is None:
            self.wake()
        else:
            self._task.context.run(self._tell_attempt, self._try)

    @property
    def is_waiting(self) -> bool:
        """Whether somebody waits."""
        return self._task is not None

    def _tell_attempt(self, attempt: Callable[[], bool]) -> None:
        try:
            while not attempt():
                # Of what comes with the end, or after it, there is no other news.
                if not self._ended:
                    return
        except Exception as error:  # noqa: BLE001 - it is raised in the task that waits
            self.wake(error)
        else:
            self.wake()

    def _has_news(self) -> bool:
        """Whether there is news that nobody has looked at."""
        return self._is_news or self._ended

    async def _park(
        self,
        abort: Callable[[trio.lowlevel.RaiseCancelT], trio.lowlevel.Abort],
        attempt: Callable[[], bool] | None = None,
    ) -> None:
        if self._task is not None:
            raise trio.BusyResourceError("another task waits for this socket")
        if not self._poller.is_open:
            raise TimeUp
        self._task, self._try = trio.lowlevel.current_task(), attempt
        await trio.lowlevel.wait_task_rescheduled(abort)
        if self._error is not None:
            error, self._error = self._error, None
            try:
                raise error
            finally:
                # Or it would hold this frame, and the frame it.
                del error

    def _leave(self, _: object) -> trio.lowlevel.Abort:
        self._task = self._try = None
        return trio.lowlevel.Abort.SUCCEEDED


class Poller:
    """All registered sockets of one kind. ``run`` must be running for anybody to be woken."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._sources: dict[int, Source] = {}
        self._running = trio.CancelScope(shield=True)
        self._next = math.inf
        """When the earliest deadline is due that is known of: trio's clock, seconds."""
        self._nap = trio.CancelScope()
        self.is_open = True
        """Whether anybody is, or will be, woken."""

    def add(self, sock: socket.socket, edges: int = READING) -> Source:
        """Register a connected, non-blocking socket, until its source is removed.

        ``edges``: ``READING``, or ``BOTH`` if somebody waits for room to send, too.
        """
        fd = sock.fileno()
        source = self._sources[fd] = Source(self, fd)
        self._epoll.register(fd, edges)
        return source

    def forget(self, fd: int) -> None:
        """Unregister a socket, which must still be open. Idempotent."""
        if self._sources.pop(fd, None) is not None and self.is_open:
            self._epoll.unregister(fd)

    def mind(self, until: float) -> None:
        """Wake whose time is up at that time, too."""
        if until < self._next:
            self._next = self._nap.deadline = until

    def cut_all(self) -> None:
        """End every wait that cannot be cancelled, as the deadline would.

        So, too, each that follows before ``until`` is set anew.
        """
        for source in self._sources.values():
            if source.until < math.inf:
                source.until = -math.inf
        self._wake_before(-math.inf)

    def stop(self) -> None:
        """End ``run``. Nobody may wait any more."""
        self._running.cancel()

    async def run(self) -> None:
        """Wake who has news and whose time is up, until ``stop``."""
        try:
            with self._running:
                async with trio.open_nursery() as both:
                    both.start_soon(self._keep_time)
                    await self._watch()
        finally:
            self.is_open = False
            self.cut_all()
            self._epoll.close()

    async def _watch(self) -> None:
        poll, sources = self._epoll.poll, self._sources
        while True:
            await trio.lowlevel.wait_readable(self._epoll.fileno())
            for fd, event in poll(0, _AT_ONCE):
                # What is told may close the next.
                source = sources.get(fd)
                if source is not None:
                    source.tell(event)

    async def _keep_time(self) -> None:
        while True:
            with trio.CancelScope(deadline=self._next) as self._nap:
                await trio.sleep_forever()
            self._next = self._wake_before(trio.current_time())

    def _wake_before(self, now: float) -> float:
        """Wake those whose time is up; return the earliest deadline that is not."""
        earliest = math.inf
        for source in self._sources.values():
            if source.is_waiting:
                if source.until <= now:
                    source.wake(TimeUp())
                else:
                    earliest = min(earliest, source.until)
        return earliest


def _not_now(_: object) -> trio.lowlevel.Abort:
    return trio.lowlevel.Abort.FAILED


_AT_ONCE: Final = 256
"""sockets between two checkpoints: 3 ms where each brings a message"""
_END: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR

"""The life of this process as systemd sees it: ready, reloading, stopping, numbers, pulse."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

import trio

from gogate_trio.systemd.activation import INTERNAL, Inherited, inherit
from gogate_trio.systemd.notify import Notifier

STATUS_SECONDS: Final = 5.0
"""seconds between two looks at the numbers ``systemctl status`` shows. Half of that is how old
they are on average, and a person looks for longer."""

PULSES: Final = 2
"""signs of life within a watchdog's period, as sd_watchdog_enabled(3) advises."""

GRACE_SECONDS: Final = 5.0
"""seconds beyond the drain's bound before systemd may kill: the end of Python itself takes some."""

_MICROSECONDS: Final = 1_000_000


class Service:
    """Tells systemd how this process is. Without systemd every word of it goes nowhere."""

    def __init__(
        self,
        notifier: Notifier | None = None,
        *,
        watchdog: float = 0.0,
        inherited: Sequence[Inherited] = (),
    ) -> None:
        """``watchdog``: seconds after which systemd takes silence for death; 0: it does not."""
        self.inherited = tuple(each for each in inherited if each.name != INTERNAL)
        """The sockets to welcome clients on in place of one of our own, if any."""
        self.internal = tuple(each.socket for each in inherited if each.name == INTERNAL)
        """Those of the internal port, in place of one of its own, if any."""
        self._notifier = notifier or Notifier()
        self._watchdog = watchdog
        self._is_ready = False
        self._is_stopping = False
        self._reloading = trio.Lock()

    @classmethod
    def of(cls, environ: Mapping[str, str], *, pid: int) -> Service:
        """Return the service that systemd's variables in the environment describe.

        To be called once: it takes over what was handed to this process. Raises
        ``OperatorError`` when that is nothing to accept clients on.
        """
        notifier = Notifier(environ.get("NOTIFY_SOCKET", ""))
        inherited = inherit(environ, pid=pid)
        return cls(notifier, watchdog=_watchdog(environ, pid), inherited=inherited)

    async def run(self, describe: Callable[[], str]) -> None:
        """Keep the watchdog fed and the status line true, until cancelled."""
        async with trio.open_nursery() as telling:
            telling.start_soon(self._feed)
            telling.start_soon(self._report, describe)

    async def ready(self) -> None:
        """Say that clients are welcome."""
        self._is_ready = True
        await self._notifier.tell(READY=1)

    @asynccontextmanager
    async def reload(self) -> AsyncIterator[None]:
        """Say that settings are being read again for as long as the block lasts.

        Two such blocks run one after the other. What happens before the start or after the
        stop is no reload to systemd: READY would be a lie then.
        """
        async with self._reloading:
            if self._is_ready and not self._is_stopping:
                await self._notifier.tell(RELOADING=1, MONOTONIC_USEC=_now())
            yield
            if self._is_ready and not self._is_stopping:
                await self._notifier.tell(READY=1)

    async def stopping(self, within: float) -> None:
        """Say that this is the end, and how many seconds it may take."""
        self._is_stopping = True
        patience = int((within + GRACE_SECONDS) * _MICROSECONDS)
        await self._notifier.tell(STOPPING=1, STATUS="draining", EXTEND_TIMEOUT_USEC=patience)

    async def _report(self, describe: Callable[[], str]) -> None:
        shown = ""
        while True:
            line = f"draining: {describe()}" if self._is_stopping else describe()
            if line != shown and await self._notifier.tell(STATUS=line):
                shown = line
            await trio.sleep(STATUS_SECONDS)

    async def _feed(self) -> None:
        """Show that the event loop turns: a stalled one stops to, and systemd restarts us."""
        if not self._watchdog:
            return
        while True:
            await self._notifier.tell(WATCHDOG=1)
            await trio.sleep(self._watchdog / PULSES)


def _watchdog(environ: Mapping[str, str], pid: int) -> float:
    """Return the seconds of the watchdog that is meant for this process; 0 when none is."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    period = environ.get("WATCHDOG_USEC", "")
    is_number = period.isascii() and period.isdecimal() and len(period) < 20  # noqa: PLR2004  # digits of a 64-bit number
    return int(period) / _MICROSECONDS if is_number else 0.0


def _now() -> int:
    """Return the time on systemd's own clock, in microseconds."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000

"""How a node that is alone hands its window and its sessions to the process after it.

After a graceful restart thousands of clients go on where they were, in place of fetching all
of their chats at once. It is exact or it is not done: a node that could not tell all that it
was asked to, or that was followed by another before its end, leaves nothing, and the next one
begins an epoch of its own. So it is after a crash.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import attrs
import msgspec
import trio

from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.caller import Joined
from gogate_trio.config import Settings
from gogate_trio.limits import STATE_BYTES, STATE_SECONDS
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.state.snapshot import Estate, Imprint, Snapshot, restore, take
from gogate_trio.statefile import StateFile, UnusableError

_log = get_logger(__name__)

T = TypeVar("T")


class Succession:
    """One process among those that use a directory one after the other."""

    def __init__(
        self,
        estate: Estate[Joined],
        broker: MemoryBroker,
        settings: Settings,
        metrics: Metrics,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Take what is to be left, and who numbers what is published."""
        # One of several nodes goes on from what they share.
        folder = "" if settings.cluster.redis else settings.state.folder
        self._file = StateFile(Path(folder)) if folder else None
        self._estate = estate
        self._broker = broker
        self._restores = metrics.restores
        self._window = settings.resume.window
        self._backend = settings.backend.url
        self._wall = wall
        self._name = secrets.token_hex(8)

    async def inherit(self) -> None:
        """Go on where the process before this one has ended, if it has left how.

        To be called once, before anything happens. Raises nothing: at worst, clients fetch anew.
        """
        file = self._file
        if file is None:
            return
        try:
            before, data = await _in_thread(lambda: _succeed(file, self._name))
            if data is None:
                self._restores["none"] += 1
                return
            snapshot = _read(data)
            self._check(snapshot.imprint, before)
        except UnusableError as error:
            self._restores[error.code] += 1
            _log.warning("state_ignored", reason=str(error))
            return
        now, wall = trio.current_time(), self._wall()
        restore(snapshot, self._estate, now=now, wall=wall)
        ago = wall - snapshot.imprint.written_at
        self._broker.go_on_from(snapshot.head)
        self._broker.once.restore(((key, left - ago) for key, left in snapshot.keys), now)
        self._restores["restored"] += 1
        _log.info("state_restored", events=len(snapshot.entries), sessions=len(snapshot.sessions))

    async def leave(self) -> None:
        """Leave what there is to the next process. Nothing may happen any more. Raises nothing."""
        file = self._file
        if file is None or not self._window:
            return
        imprint = Imprint(self._name, self._backend, self._wall())
        now = trio.current_time()
        keys = tuple(self._broker.once.left(now))
        snapshot = attrs.evolve(take(self._estate, imprint, now=now), keys=keys)
        data = msgspec.msgpack.encode(snapshot)
        if len(data) > STATE_BYTES:
            _log.warning("state_not_kept", reason="too big")
            return
        try:
            await _in_thread(lambda: _leave(file, self._name, data))
        except UnusableError as error:
            _log.warning("state_not_kept", reason=str(error))
            return
        _log.info("state_kept", events=len(snapshot.entries), sessions=len(snapshot.sessions))

    def leave_nothing(self) -> None:
        """Say that the next process has to begin anew: somebody has missed something."""
        if self._file is not None:
            _log.warning("state_not_kept", reason="not all that happened could be told")

    def _check(self, imprint: Imprint, before: str) -> None:
        """Raise ``UnusableError`` where a snapshot does not count."""
        if imprint.writer != before or imprint.backend != self._backend:
            raise UnusableError("of another node", "foreign")
        if not 0 <= self._wall() - imprint.written_at <= self._window:
            raise UnusableError("too old, or the clock was set back", "old")


async def _in_thread(work: Callable[[], T]) -> T:
    """Do what blocks in a thread, within bounds. Raises ``UnusableError``."""
    with trio.move_on_after(STATE_SECONDS):
        try:
            return await trio.to_thread.run_sync(work, abandon_on_cancel=True)
        except OSError as error:
            raise UnusableError(error.strerror or "no such place", "unreadable") from error
    raise UnusableError("took too long", "slow")


def _succeed(file: StateFile, name: str) -> tuple[str, bytes | None]:
    """Return the name of the process before and what it has left; from now on this one counts."""
    before = file.owner()
    try:
        return before, file.take()
    finally:
        file.own(name)


def _leave(file: StateFile, name: str, data: bytes) -> None:
    if file.owner() != name:
        raise UnusableError("another process came after this one", "foreign")
    file.put(data)


def _read(data: bytes) -> Snapshot:
    try:
        snapshot = msgspec.msgpack.decode(data, type=Snapshot)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnusableError("damaged", "damaged") from error
    if not snapshot.is_sound:
        raise UnusableError("damaged", "damaged")
    return snapshot

"""One node's way to Redis: calls under a deadline, and whether Redis is there.

A call takes a connection that is idle, or opens one; so nothing runs while nothing is asked,
and a Redis that comes back is found by the next call. What blocks or listens gets a
connection of its own.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final
from weakref import WeakSet

import attrs
import trio
from coredis.exceptions import NoScriptError, ReadOnlyError, RedisError

from gogate_trio.cluster.dialling import Dialler, tls_context
from gogate_trio.cluster.wire import Reply, Wire, Word
from gogate_trio.config import ClusterSettings
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.ids import NodeId
from gogate_trio.limits import REDIS_CALLS, SENTINEL_SECONDS
from gogate_trio.log import get_logger
from gogate_trio.metrics import RedisCounts

_log = get_logger(__name__)

_NOT_MASTER: Final = "not the master"


@attrs.frozen
class Script:
    """A Lua script that Redis runs as one step."""

    text: str
    digest: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        digest = hashlib.sha1(self.text.encode(), usedforsecurity=False).hexdigest()
        object.__setattr__(self, "digest", digest)

    async def run_on(self, wire: Wire, keys: Sequence[bytes], *args: Word) -> Reply:
        """Have Redis run it, over a connection of one's own. Raises what ``Wire.ask`` raises."""
        try:
            return await wire.ask(b"EVALSHA", self.digest, len(keys), *keys, *args)
        except NoScriptError:
            return await wire.ask(b"EVAL", self.text, len(keys), *keys, *args)


class Link:
    """Calls to one Redis. Make it by ``open_link``; it serves one node."""

    def __init__(self, settings: ClusterSettings, dialler: Dialler, counts: RedisCounts) -> None:
        self._settings = settings
        self._dialler = dialler
        self._counts = counts
        self._idle: list[Wire] = []
        self._wires: WeakSet[Wire] = WeakSet()
        """All that are open, and some that were."""
        self._is_closed = False
        self._places = trio.CapacityLimiter(REDIS_CALLS)
        self._away_since: float | None = None
        self.node = NodeId(secrets.token_hex(8))
        """This life of this node."""
        self.name = settings.name
        """What the operator calls the node; not unique."""

    @property
    def is_up(self) -> bool:
        """Whether Redis did the last thing it was asked; true before the first."""
        return self._away_since is None

    @property
    def timeout(self) -> float:
        """The seconds a call may take."""
        return self._settings.timeout

    def key(self, name: str) -> bytes:
        """Return a key of this gateway's. All lie in one slot of a cluster."""
        return f"{{{self._settings.prefix}}}:{name}".encode()

    @property
    def channel(self) -> bytes:
        """The channel of this gateway's nodes. A channel knows no databases; its name has to."""
        database = self._dialler.address.database
        return self.key(f"channel:{database}" if database else "channel")

    async def call(self, *words: Word) -> Reply:
        """Have Redis do one command; raises ``ClusterUnavailable`` when that fails.

        Whether it was done is unknown then. Takes REDIS_TIMEOUT at most, connecting included.
        """
        try:
            with trio.fail_after(self.timeout):
                async with self._places:
                    return await self._ask(words)
        except trio.TooSlowError as error:
            # The others may hang like this one, and would cost the next callers as much.
            self._drop_idle()
            self._note_away("no answer in time")
            raise ClusterUnavailable("no answer in time") from error

    async def run(self, script: Script, keys: Sequence[bytes], *args: Word) -> Reply:
        """Have Redis run a script; otherwise like ``call``, with twice the time."""
        words = (len(keys), *keys, *args)
        try:
            return await self.call(b"EVALSHA", script.digest, *words)
        except ClusterUnavailable as error:
            # Redis knew no such script: it has been restarted, and has done nothing.
            if not isinstance(error.__cause__, NoScriptError):
                raise
        return await self.call(b"EVAL", script.text, *words)

    @contextmanager
    def deadline(self, more: float = 0.0) -> Iterator[trio.CancelScope]:
        """Give Redis its time, and ``more``, for what is asked over a connection of one's own."""
        try:
            with trio.fail_after(self.timeout + more) as scope:
                yield scope
        except trio.TooSlowError as error:
            raise ClusterUnavailable("no answer in time") from error

    async def ask_at_length(
        self, wire: Wire, heard: Callable[[], None], *words: Word, more: float = 0.0
    ) -> Reply:
        """Ask over a connection of one's own what may have a long answer.

        Redis has its time, and ``more`` at first, for each part of it; ``heard`` is told when
        one comes. What comes slowly does come: given up, it would come as slowly again.
        """
        with self.deadline(more) as scope:

            def note() -> None:
                scope.deadline = max(scope.deadline, trio.current_time() + self.timeout)
                heard()

            return await wire.ask(*words, heard=note)

    @asynccontextmanager
    async def wire(self) -> AsyncIterator[Wire]:
        """Open a connection for the block alone: for what blocks or listens.

        Raises ``ClusterUnavailable`` when there is none within REDIS_TIMEOUT; what fails in the
        block is noted, too.
        """
        wire = None
        try:
            try:
                with trio.fail_after(self.timeout):
                    wire = await self._dial()
            except trio.TooSlowError as error:
                raise ClusterUnavailable("no answer in time") from error
            yield wire
        except ClusterUnavailable as error:
            self._note_away(error.reason)
            raise
        finally:
            if wire is not None:
                wire.close()

    async def check(self, wire: Wire) -> None:
        """See whether what a connection leads to still is the master, where there are sentinels.

        Raises ``ClusterUnavailable``. The caller sets the deadline.
        """
        await self._dialler.check(wire)

    async def keep_to_master(self) -> None:
        """Leave a master as soon as the sentinels name another, for ever.

        It may not have been told for ten seconds, and takes what will be lost.
        """
        while self._dialler.address.master:
            await trio.sleep(SENTINEL_SECONDS)
            try:
                with self.deadline():
                    place = await self._dialler.find_master()
            except ClusterUnavailable:
                continue
            self._leave([wire for wire in self._wires if wire.place != place])

    def close(self) -> None:
        """Let go of all idle connections, and of each that becomes so."""
        self._is_closed = True
        self._drop_idle()

    async def _ask(self, words: tuple[Word, ...]) -> Reply:
        try:
            wire = self._take() or await self._dial()
            reply = await wire.ask(*words)
        except NoScriptError as error:
            self._give_back(wire)
            raise ClusterUnavailable("no such script") from error
        except RedisError as error:
            # Closed, so that the next call looks for the master anew, if it was one's lack.
            wire.close()
            reason = type(error).__name__
            # A script's refusal is known by its text alone on Redis 6.2.
            if isinstance(error, ReadOnlyError) or "READONLY" in str(error):
                self._leave(self._wires)
                reason = _NOT_MASTER
            self._note_away(reason)
            raise ClusterUnavailable(reason) from error
        except ClusterUnavailable as error:
            self._note_away(error.reason)
            raise
        self._give_back(wire)
        self._note_back()
        return reply

    def _leave(self, wires: Iterable[Wire]) -> None:
        """Hang up on what is no master any more: whoever goes on listening there hears old news."""
        for wire in [each for each in wires if not each.is_closed]:
            wire.close()
            self._note_away(_NOT_MASTER)

    def _drop_idle(self) -> None:
        while self._idle:
            self._idle.pop().close()

    def _give_back(self, wire: Wire) -> None:
        if self._is_closed:
            wire.close()
        else:
            self._idle.append(wire)

    def _take(self) -> Wire | None:
        """Return the connection used last that still stands."""
        while self._idle:
            wire = self._idle.pop()
            if not wire.is_stale:
                return wire
            wire.close()
        return None

    async def _dial(self) -> Wire:
        wire = await self._dialler.dial()
        self._wires.add(wire)
        self._counts.connects += 1
        return wire

    def _note_away(self, reason: str) -> None:
        """Log an outage once; Redis's own words stay out of the log, they quote commands."""
        if self._away_since is None:
            self._away_since = trio.current_time()
            self._counts.outages += 1
            _log.warning("redis_away", at=self._dialler.address.place, reason=reason)

    def _note_back(self) -> None:
        if self._away_since is not None:
            seconds = round(trio.current_time() - self._away_since, 3)
            self._away_since = None
            _log.info("redis_back", at=self._dialler.address.place, seconds=seconds)


@asynccontextmanager
async def open_link(settings: ClusterSettings, counts: RedisCounts) -> AsyncIterator[Link]:
    """Provide a node's link for the block; it connects with its first call.

    Raises ``OperatorError`` when the settings cannot work.
    """
    if settings.redis is None:
        raise ValueError("without REDIS_URL there is nothing to link to")
    dialler = Dialler(settings.redis, f"gogate-{settings.name}", tls_context(settings))
    link = Link(settings, dialler, counts)
    try:
        yield link
    finally:
        link.close()

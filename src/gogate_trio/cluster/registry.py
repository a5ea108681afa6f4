"""One node among the others: it vouches for itself, says who is on it, and who may come in.

All it says goes through one task, one script at a time and in order, so what Redis has is what
this node had a moment ago. What is said is always a whole figure and never a difference:
when a word was lost, or Redis has forgotten everything, all of it is said again.

Nobody waits for Redis longer than a moment. When it does not answer, this node goes by what it
knows itself, and counts that.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import msgspec
import trio

from gogate_trio import limits
from gogate_trio.cluster import scripts
from gogate_trio.cluster.base import Census, NodeInfo, Pulse
from gogate_trio.cluster.entering import Entering
from gogate_trio.cluster.link import Link
from gogate_trio.cluster.replies import items, ms, number, text
from gogate_trio.cluster.vigil import Mourn, Vigil
from gogate_trio.cluster.wire import Reply, Word
from gogate_trio.config import AdmissionSettings
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.ids import UserId
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics

_log = get_logger(__name__)

_PER_REPORT: Final = 256
"""users in one report: about 1 ms of Redis's time with ten nodes"""

_REFUSED: Final = -1
_ALL_STAY: Final = -2
"""Verdicts that are no number of connections."""


class Registry:
    """This node's entry among the others. ``run`` must be running for anything to happen."""

    def __init__(  # noqa: PLR0913 - what it is made of, by keyword
        self,
        link: Link,
        census: Census,
        card: Callable[[], NodeInfo],
        *,
        admission: Callable[[], AdmissionSettings],
        metrics: Metrics,
        pulse: Pulse | None = None,
        mourn: Mourn | None = None,
    ) -> None:
        """``card`` returns what the node says of itself, ``admission`` the caps in force.

        ``mourn`` tells everybody that nodes are lost.
        """
        self._link = link
        self._census = census
        self._card = card
        self._admission = admission
        self._metrics = metrics
        self._moved: Callable[[Iterable[UserId]], None] | None = None
        self._pulse = pulse or Pulse()
        self._vigil = Vigil(self._pulse, metrics, mourn)
        self._entering: deque[Entering] = deque()
        self._under_way: list[Entering] = []
        self._pending: Counter[UserId] = Counter()
        """How many of a user's connections wait for a verdict."""
        self._changed: set[UserId] = set()
        self._is_whole = False
        """Whether Redis has had all users of this node."""
        self._number = 0
        """Of the latest report."""
        self._work = trio.Event()
        self._beat_at = trio.current_time()
        self._cursor = "-"
        self._is_leaving = self._owes = False
        self._gone = trio.Event()
        self._is_away = True
        census.watch(self._note)

    def tell(self, moved: Callable[[Iterable[UserId]], None]) -> None:
        """Call this with users who come to other nodes or leave them. Before ``run``."""
        self._moved, self._cursor = moved, ""

    # ── the questions of the house ───────────────────────────────────────────

    async def enter(self, user_id: UserId) -> bool:
        """Whether one more connection of a user, that is in the census already, may stay.

        Makes room on whatever node where that is the policy. One round trip; while Redis does
        not answer, the word of this node alone counts.
        """
        if not self._admission().per_user:
            return True
        entering = Entering(user_id)
        if not self._is_away and len(self._entering) < limits.CLUSTER_WAITING:
            self._entering.append(entering)
            self._pending[user_id] += 1
            self._work.set()
            with trio.move_on_after(self._pulse.wait):
                await entering.heard.wait()
            if entering.is_waiting:
                # Refused, or let in by this node's word: either way Redis counts them wrong.
                self._let_go(entering)
                self._note(user_id, 0)
        if entering.may_enter is None:
            self._metrics.fallbacks["connections"] += 1
            return True
        return entering.may_enter

    # ── its own work ─────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Vouch for this node and say who is on it, until it leaves."""
        while not self._gone.is_set():
            try:
                await self._keep_up()
            except ClusterUnavailable:
                self._fall_back()
            except Exception:  # noqa: BLE001 - the fence: this is not worth the node
                self._metrics.bugs += 1
                _log.exception("registry_failed")
                self._fall_back()
            if self._is_leaving:
                self._gone.set()
                return
            self._work = trio.Event()
            with trio.move_on_after(self._pulse.beat):
                await self._work.wait()

    async def leave(self, *, owes: bool) -> None:
        """Say goodbye, within a moment: from now on nobody counts on this node.

        ``owes``: what happened here was not all told, so the others are to miss it.
        """
        self._is_leaving, self._owes = True, owes
        self._work.set()
        with trio.move_on_after(self._pulse.wait):
            await self._gone.wait()

    async def _keep_up(self) -> None:
        while True:
            if trio.current_time() >= self._beat_at:
                await self._beat()
                self._beat_at = trio.current_time() + self._pulse.beat
            if not self._is_whole:
                await self._report_everybody()
            while self._entering or self._changed:
                await self._report(dict(self._take_turn()))
            if self._is_leaving:
                node = f"node:{self._link.node}"
                keys = [self._link.key(name) for name in ("nodes", f"{node}:card", "owing")]
                await self._link.run(scripts.GOODBYE, keys, self._link.node, int(self._owes))
                return
            self._work = trio.Event()
            with trio.move_on_at(self._beat_at):
                await self._work.wait()

    def _note(self, user_id: UserId, _connections: int) -> None:
        # What is not whole is said in full anyway.
        if self._is_whole:
            self._changed.add(user_id)
            self._work.set()

    def _fall_back(self) -> None:
        """Let nobody wait, and have everything said again when Redis is back."""
        self._is_away, self._is_whole = True, False
        self._vigil.lose_sight()
        self._changed.clear()
        for entering in (*self._under_way, *self._entering):
            entering.settle(None)
        self._under_way.clear()
        self._entering.clear()

    async def _beat(self) -> None:
        node = f"node:{self._link.node}"
        names = (f"{node}:card", f"{node}:users", f"{node}:errands", "left", "moves", "owing")
        reply = await self._link.run(
            scripts.BEAT,
            [self._link.key(name) for name in ("nodes", *names)],
            self._link.node,
            ms(self._pulse.lease),
            ms(self._pulse.grace),
            msgspec.json.encode(self._card()),
            self._cursor,
            ms(self._pulse.beat),
        )
        latest, nodes, errands, cursor, moves, ago, missing = items(reply, 7)
        self._metrics.nodes = number(nodes)
        self._cursor = text(cursor)
        if number(latest) != self._number:
            # It is our first word, or Redis has forgotten what we said.
            self._is_whole = False
        self._is_away = False
        self._do_errands(errands)
        if self._moved is not None:
            for move in items(moves):
                self._moved(UserId(int(user_id)) for user_id in text(move).split(","))
        await self._vigil.look(number(ago) / 1000, number(missing), trio.current_time())

    async def _report_everybody(self) -> None:
        users = tuple(self._census.users())
        self._is_whole = True
        self._changed.clear()
        try:
            await self._report(dict.fromkeys(users[:_PER_REPORT]), is_first=True)
            for begin in range(_PER_REPORT, len(users), _PER_REPORT):
                await self._report(dict.fromkeys(users[begin : begin + _PER_REPORT]))
        except BaseException:
            self._is_whole = False
            raise

    def _take_turn(self) -> Iterator[tuple[UserId, Entering | None]]:
        """Yield who is reported next: those who wait first, each user once."""
        turn: dict[UserId, Entering | None] = {}
        later = []
        while self._entering and len(turn) < _PER_REPORT:
            entering = self._entering.popleft()
            if entering.user_id in turn:
                later.append(entering)
            else:
                turn[entering.user_id] = entering
                self._under_way.append(entering)
        self._entering.extendleft(reversed(later))
        for user_id in tuple(islice(self._changed, _PER_REPORT - len(turn))):
            turn.setdefault(user_id, None)
        self._changed -= turn.keys()
        yield from turn.items()

    async def _report(self, turn: dict[UserId, Entering | None], *, is_first: bool = False) -> None:
        self._number += 1
        admission = self._admission()
        node = f"node:{self._link.node}"
        names = ("nodes", f"{node}:users", f"{node}:errands", "left", "moves")
        words: list[Word] = []
        counts: dict[UserId, int] = {}
        for user_id, entering in turn.items():
            here = self._census.count(user_id)
            comes = entering is not None and entering.is_waiting and here > 0
            counts[user_id] = self._settled(user_id) + comes
            since = ms(self._census.since(user_id)) if here else 0
            limit = admission.per_user if comes else 0
            words += (user_id, counts[user_id], since, limit)
        reply = await self._link.run(
            scripts.REPORT,
            [self._link.key(name) for name in names],
            self._home,
            self._link.node,
            ms(self._pulse.lease + self._pulse.grace),
            self._number,
            int(is_first),
            int(self._moved is not None),
            admission.user_policy,
            *words,
        )
        verdicts, errands = items(reply, 2)
        self._do_errands(errands)
        for (user_id, entering), verdict in zip(
            turn.items(), items(verdicts, len(turn)), strict=True
        ):
            if entering is not None:
                self._judge(user_id, entering, number(verdict))
            if verdict == _ALL_STAY and self._settled(user_id) != counts[user_id]:
                # Somebody has come or gone meanwhile, or errands have been done.
                self._changed.add(user_id)

    def _judge(self, user_id: UserId, entering: Entering, verdict: int) -> None:
        self._under_way.remove(entering)
        entering.settle(verdict != _REFUSED)
        if verdict != _REFUSED:
            self._let_go(entering)
        if verdict >= 0:
            self._keep(user_id, verdict)

    def _do_errands(self, errands: Reply) -> None:
        for errand in items(errands):
            user_id, most = text(errand).split(":")
            self._keep(UserId(int(user_id)), int(most))

    def _keep(self, user_id: UserId, most: int) -> None:
        """Let so many of a user's connections stay here, the newest, beside those that wait."""
        over = self._settled(user_id) - most
        if over > 0:
            self._census.hang_up_oldest(user_id, over)

    def _settled(self, user_id: UserId) -> int:
        """Return how many of a user's connections are here and do not wait for a verdict."""
        return max(0, self._census.count(user_id) - self._pending[user_id])

    def _let_go(self, entering: Entering) -> None:
        """Count somebody as in, or as gone: they wait no more."""
        if entering.is_waiting:
            entering.is_waiting = False
            self._pending[entering.user_id] -= 1
            if not self._pending[entering.user_id]:
                del self._pending[entering.user_id]

    @property
    def _home(self) -> bytes:
        return self._link.key("node:")

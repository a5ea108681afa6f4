"""Where users are: who is on this node it knows, where the others are it asks the other nodes.

It asks at once when another node says that something has changed, and every few seconds in any
case. So a word that is lost, or a node that dies, is noticed by the look.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Final

import attrs
import trio

from gogate_trio import limits
from gogate_trio.cluster.base import HERE, Census, Others
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.ids import UserId
from gogate_trio.state.presence import Attendance

_PER_LOOK: Final = 500
"""users asked about in one go: about 0.5 ms of Redis's time with three nodes"""


@attrs.frozen(kw_only=True)
class Pace:
    """The seconds of presence; see ``limits`` for each."""

    grace: float = limits.PRESENCE_GRACE_SECONDS
    tick: float = limits.PRESENCE_TICK_SECONDS
    look: float = limits.PRESENCE_LOOK_SECONDS
    lists: float = limits.PRESENCE_LIST_SECONDS


class Whereabouts:
    """Who is online, of those somebody on this node wants to know of."""

    def __init__(
        self,
        census: Census,
        others: Others | None,
        pace: Pace,
        *,
        wanted: Collection[UserId],
        news: Callable[[UserId], None],
    ) -> None:
        """``others``: None on a single node. ``wanted``: a view of those it is all about.

        ``news`` is called with each of them who counts as online from now on, or no longer.
        """
        self._census = census
        self._others = others
        self._pace = pace
        self._wanted = wanted
        self._news = news
        self._attendance = Attendance(pace.grace)
        self._known: set[UserId] = set()
        """Those of whom it has been found out where they are."""
        self._left: OrderedDict[UserId, float] = OrderedDict()
        """Who left this node within the grace, and when."""
        self._is_blind = False
        """Whether the other nodes did not say, when they were asked last."""
        self._sighted_at = -math.inf
        """When they last said again, after they had not."""
        self._suspects: set[UserId] = set()
        self._look = trio.Event()

    def is_online(self, user_id: UserId) -> bool:
        """Whether somebody it is about counts as online."""
        return self._attendance.is_online(user_id)

    def note(self, user_id: UserId, connections: int) -> None:
        """Take note of who comes to this node, and who leaves it."""
        if connections:
            self._left.pop(user_id, None)
        else:
            now = trio.current_time()
            self._left[user_id] = now
            self._forget_leavers(now)
            self.suspect((user_id,))
        if user_id in self._known:
            self._place(user_id, None)

    def suspect(self, users: Iterable[UserId]) -> None:
        """Look soon where these are: another node says that it has changed."""
        self._suspects.update(user_id for user_id in users if user_id in self._wanted)
        if self._suspects:
            self._look.set()

    def forget(self, users: Iterable[UserId]) -> None:
        """Nobody wants to know of these any more."""
        for user_id in users:
            self._attendance.forget(user_id)
            self._known.discard(user_id)
            self._suspects.discard(user_id)

    def expire(self) -> None:
        """See whose grace is over."""
        for user_id in self._attendance.expire(trio.current_time()):
            self._news(user_id)

    async def get_to_know(self, users: Iterable[UserId]) -> None:
        """Find out about those of them of whom nothing is known yet."""
        await self._look_at([user_id for user_id in users if user_id not in self._known])

    async def online_of(self, users: Sequence[UserId]) -> list[UserId]:
        """Return who of these is online, whether somebody wants to know of them or not.

        Raises ``ClusterUnavailable`` when the other nodes do not say.
        """
        away = [each for each in users if not self._is_here(each) and each not in self._known]
        near: set[UserId] = set()
        if self._others is not None and away:
            standings = await self._others.standings(away)
            near = {
                user_id
                for user_id, standing in zip(away, standings, strict=True)
                if standing is not None and standing < self._pace.grace
            }
        return [
            each
            for each in users
            if each in near or self._is_here(each) or self._attendance.is_online(each)
        ]

    async def look_closer(self) -> None:
        """Look where those are of whom another node has said something, for ever."""
        while True:
            await self._look.wait()
            self._look = trio.Event()
            suspects, self._suspects = self._suspects, set()
            await self._look_at(list(suspects))
            # What comes in a storm is looked at together.
            await trio.sleep(self._pace.tick / 2)

    async def look_around(self) -> None:
        """Look where everybody is, every few seconds, for ever."""
        while True:
            await trio.sleep(self._pace.look)
            if self._others is not None:
                await self._look_at(list(self._wanted))

    # ── finding out ──────────────────────────────────────────────────────────

    def _forget_leavers(self, now: float) -> None:
        while self._left:
            user_id, left_at = next(iter(self._left.items()))
            if left_at + self._pace.grace > now and len(self._left) <= limits.PRESENCE_LEAVERS:
                return
            del self._left[user_id]

    def _is_here(self, user_id: UserId) -> bool:
        """Whether a user is on this node, or was just now."""
        self._forget_leavers(trio.current_time())
        return self._census.count(user_id) > 0 or user_id in self._left

    async def _look_at(self, users: Sequence[UserId]) -> None:
        """Find out where users are. While the other nodes do not say, what was known holds."""
        for begin in range(0, len(users), _PER_LOOK):
            part = users[begin : begin + _PER_LOOK]
            standings = await self._standings(part)
            for user_id in part:
                if user_id in self._wanted:
                    self._known.add(user_id)
                    is_final = standings is not None
                    self._place(user_id, (standings or {}).get(user_id), is_final=is_final)

    async def _standings(self, users: Sequence[UserId]) -> dict[UserId, float | None] | None:
        """Ask the other nodes about those who are not here; None when they do not say."""
        if self._others is None:
            return {}
        away = [user_id for user_id in users if not self._census.count(user_id)]
        try:
            standings = await self._others.standings(away)
        except ClusterUnavailable:
            self._is_blind = True
            return None
        if self._is_blind:
            self._is_blind, self._sighted_at = False, trio.current_time()
        return dict(zip(away, standings, strict=True))

    def _place(self, user_id: UserId, standing: float | None, *, is_final: bool = False) -> None:
        """Take down where a user is: what this node knows, and what the others say.

        Without a final word nobody is taken for gone who may be elsewhere.
        """
        now = trio.current_time()
        left_at = self._left.get(user_id)
        if standing is not None and standing != HERE:
            left_at = max(now - standing, -math.inf if left_at is None else left_at)
            if self.is_online(user_id):
                # Before that no node could say that it lives: theirs may be about to.
                left_at = max(left_at, self._sighted_at)
        if self._census.count(user_id) or standing == HERE:
            is_news = self._attendance.arrive(user_id)
        elif left_at is not None:
            is_news = self._attendance.depart(user_id, left_at, now)
        else:
            is_news = is_final and self._attendance.miss(user_id, now)
        if is_news:
            self._news(user_id)

"""Nodes that know each other by a real Redis, without sockets or clients.

Usage::

    async with open_nodes(valkey, "a", "b", limit=2) as (a, b):
        ann = await a.enter(1)
        assert await b.enter(1)
"""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import attrs
import trio

from gogate_trio.broker.mourning import mourn
from gogate_trio.cluster.base import NodeInfo, Pulse
from gogate_trio.cluster.link import Link, open_link
from gogate_trio.cluster.rates import SharedRates
from gogate_trio.cluster.registry import Registry
from gogate_trio.cluster.survey import Survey
from gogate_trio.config import AdmissionSettings, ClusterSettings
from gogate_trio.config.redis import RedisUrl
from gogate_trio.metrics import Metrics
from gogate_trio.roster import Roster
from gogate_trio.state.ratelimit import Rate
from gogate_trio.whereabouts import Pace, Whereabouts

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fixtures.valkey import Valkey
    from gogate_trio.protocol.close import Hangup

PULSE = Pulse(beat=0.05, lease=1.5, wait=10.0, grace=0.5)
"""Fast, but for the patience: a busy machine must not pass for an outage."""
PACE = Pace(tick=0.02, look=0.1, lists=0.1)
PATIENCE = 20.0

_numbers = count(1)


@attrs.define(eq=False)
class Somebody:
    """A connection, as the roster sees it."""

    roster: Roster = attrs.field(repr=False)
    user_id: int
    hangup: Hangup | None = None

    def hang_up(self, hangup: Hangup) -> None:
        """Be gone."""
        self.hangup = self.hangup or hangup
        self.leave()

    def leave(self) -> None:
        """Go."""
        self.roster.leave(self, self.user_id)


@attrs.define(eq=False)
class RegisteredNode:
    """A node of which there is only what the others see."""

    link: Link
    roster: Roster
    registry: Registry
    survey: Survey
    rates: SharedRates
    metrics: Metrics
    tasks: trio.Nursery
    moved: list[int]
    pace: Pace

    async def enter(self, user_id: int) -> Somebody | None:
        """Let somebody in, as the keeper does; None when they may not."""
        somebody = Somebody(self.roster, user_id)
        if not self.roster.admit(somebody, user_id):
            return None
        if not await self.registry.enter(user_id):
            somebody.leave()
            return None
        return somebody

    def look_at(self, *users: int) -> Whereabouts:
        """Return where these are, kept up to date."""
        news: list[int] = []
        found = Whereabouts(
            self.roster, self.survey, self.pace, wanted=set(users), news=news.append
        )
        self.roster.watch(found.note)
        for service in (found.look_closer, found.look_around):
            self.tasks.start_soon(service)
        return found

    def die(self) -> None:
        """Be killed: say nothing any more."""
        self.tasks.cancel_scope.cancel()


@asynccontextmanager
async def open_registered(
    valkey: Valkey,
    name: str,
    *,
    limit: int = 0,
    policy: str = "newest",
    rate: Rate | None = None,
    deadline: float = 10.0,
    pulse: Pulse = PULSE,
) -> AsyncIterator[RegisteredNode]:
    """Run a node; the end of the block kills it."""
    settings = ClusterSettings(redis=RedisUrl().parse(valkey.url), node=name, timeout=deadline)
    admission = AdmissionSettings(per_user=limit, user_policy=policy)
    metrics, moved, roster = Metrics(), [], Roster(admission)
    async with open_link(settings, metrics.redis) as link, trio.open_nursery() as lives:
        # Of a task of its own: who cancels it must not cancel the test.
        tasks = await lives.start(_live)

        def card() -> NodeInfo:
            return NodeInfo(link.node, name, "1.0", "serving", 1.5, 7, len(roster))

        survey = Survey(link, card, metrics, grace=pulse.grace)
        registry = Registry(
            link,
            roster,
            card,
            admission=lambda: admission,
            metrics=metrics,
            pulse=pulse,
            mourn=partial(mourn, link),
        )
        registry.tell(moved.extend)
        rates = SharedRates(
            link, lambda _name: rate, metrics, patience=pulse.wait, pause=pulse.beat
        )
        for service in (registry.run, rates.run):
            tasks.start_soon(service)
        pace = attrs.evolve(PACE, grace=pulse.grace)
        yield RegisteredNode(link, roster, registry, survey, rates, metrics, tasks, moved, pace)
        lives.cancel_scope.cancel()


async def _live(task_status: trio.TaskStatus[trio.Nursery]) -> None:
    async with trio.open_nursery() as tasks:
        task_status.started(tasks)
        await trio.sleep_forever()


@asynccontextmanager
async def open_nodes(
    valkey: Valkey, *names: str, **options: object
) -> AsyncIterator[list[RegisteredNode]]:
    """Run several nodes that know each other."""
    async with AsyncExitStack() as running:
        nodes = [
            await running.enter_async_context(open_registered(valkey, name, **options))
            for name in names
        ]
        await until(lambda: all(node.metrics.nodes == len(names) for node in nodes))
        yield nodes


async def until(law, within: float = PATIENCE) -> None:
    """Wait until something holds, which may be a coroutine function's word."""
    with trio.fail_after(within):
        while True:
            held = law()
            if held is True or (held is not False and await held):
                return
            await trio.sleep(0.01)

"""One seed: a backend, a gateway, people, and everything that goes wrong between them."""

from __future__ import annotations

import random
import secrets
import uuid
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any
from unittest import mock

import attrs
import structlog
import trio
from trio.testing import MockClock

from gogate_trio import hub, outbox, resume
from gogate_trio.config import ResumeSettings
from simulation.checker import LIFE, Breach, Case, Member, breaches
from simulation.chronicle import Chronicle
from simulation.gateway import Gateway, run_gateway
from simulation.model import ModelBackend, Weather
from simulation.people import Careful, Guide
from simulation.wires import Break, Link, Stall

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from simulation.model import Stored
    from simulation.wires import MemoryWire

CHATS = {1: [1, 2, 3], 2: [1, 2], 3: [2, 3, 4]}
TROUBLE_SECONDS = 60.0
CALM_SECONDS = 60.0
"""seconds in which everybody must have come to rest: dead connections are given up, refused
messages said again, late ones told"""
LEAVE_SECONDS = 30.0


@attrs.frozen
class Verdict:
    """What came of one seed."""

    seed: int
    breaches: tuple[Breach, ...]
    chronicle: Chronicle

    def story(self) -> str:
        """Return the breaches, and what happened around them."""
        texts = {text for breach in self.breaches for text in breach.texts}
        lines = [f"seed {self.seed}", *map(str, self.breaches), ""]
        return "\n".join([*lines, self.chronicle.story(texts or None)])


def simulate(seed: int) -> Verdict:
    """Let one seed happen. The same seed happens the same way again, in any process."""
    world = World(seed)
    with ExitStack() as patches:
        for patch in _reproducibly(random.Random(f"{seed}-luck"), world.log):
            patches.enter_context(patch)
        for patch in _small_house(random.Random(f"{seed}-house")):
            patches.enter_context(patch)
        patches.callback(structlog.reset_defaults)
        case = trio.run(world.run, clock=world.clock)
    return Verdict(seed, tuple(breaches(case)), world.chronicle)


def _reproducibly(luck: random.Random, log: Callable[..., Any]) -> list[Any]:
    """Return patches for all that is random in a gateway, in the order of tasks first of all."""
    structlog.configure(processors=[log], cache_logger_on_first_use=False)
    trio._core._run._r.seed(luck.random())
    random.seed(luck.random())
    return [
        mock.patch.object(trio._core._run, "_ALLOW_DETERMINISTIC_SCHEDULING", new=True),
        mock.patch.object(secrets, "token_hex", lambda size: luck.randbytes(size).hex()),
        mock.patch.object(
            secrets, "token_urlsafe", lambda size: f"{luck.getrandbits(8 * size):0>22x}"[:22]
        ),
        mock.patch.object(uuid, "uuid4", side_effect=partial(_uuid, luck)),
    ]


def _uuid(luck: random.Random) -> uuid.UUID:
    return uuid.UUID(int=luck.getrandbits(128))


def _small_house(draw: random.Random) -> list[Any]:
    """Return patches that let a few messages do what else takes thousands."""
    return [
        mock.patch.object(outbox, "OUTBOX_FRAMES", draw.choice((8, 32, 256))),
        mock.patch.object(resume, "REPLAY_ENTRIES", draw.choice((1, 4, 256))),
        mock.patch.object(hub, "SENDS_PER_TURN", draw.choice((1, 3, 256))),
        mock.patch.object(hub, "HUB_INBOX", draw.choice((1, 1024))),
    ]


class World:
    """Everything there is in one seed. It is also the ``Network`` of its people."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.random = random.Random(f"{seed}-world")
        self.clock = MockClock(autojump_threshold=0)
        self.chronicle = Chronicle(trio.current_time)
        self.gateway: Gateway | None = None
        self.lives = 0
        self._links = 0
        self._gaps = 0
        self._bugs: list[str] = []
        self._resume = ResumeSettings(
            window=self.random.choice((10.0, 60.0, 300.0)),
            events=self.random.choice((5, 40, 10_000)),
        )
        self._room = self.random.choice((300, 1000, 4000))
        self.honours_keys = self.random.random() < _HONOURS_KEYS

    # ── the network ──────────────────────────────────────────────────────────

    def dial(self, who: str) -> tuple[int, MemoryWire] | None:
        """Connect somebody to the gateway, if there is one."""
        if self.gateway is None:
            return None
        self._links += 1
        number = self.lives * LIFE + self._links
        luck = random.Random(f"{self.seed}-{number}-{who}")
        link = Link.between(number, luck, self._room)
        self.gateway.dial(link)
        return number, link.client

    async def fetch(self, user_id: int) -> list[Stored]:
        """Load everything a user may see, as soon as the backend is there."""
        while self.model.weather in {Weather.AWAY, Weather.HANGING}:  # noqa: ASYNC110 - it polls
            await trio.sleep(1)
        return self.model.fetch(user_id)

    def log(self, _logger: object, level: str, event: dict[str, Any]) -> Any:
        """Take down what the gateway logs."""
        if level == "exception":
            exception = event.pop("exc_info", None)
            self._bugs.append(f"{event.get('event')}: {exception!r}")
        if level in {"warning", "error", "exception"}:
            self.chronicle.note("gateway", event.pop("event"), **event)
        raise structlog.DropEvent

    # ── the course of things ─────────────────────────────────────────────────

    async def run(self) -> Case:
        """Trouble, calm, leave; return what there is to judge."""
        async with trio.open_nursery() as universe:
            luck = random.Random(f"{self.seed}-backend")
            self.model = ModelBackend(luck, self.chronicle, CHATS, self.honours_keys, universe)
            await self._begin_life(universe)
            people = self._people()
            for person in people:
                universe.start_soon(person.live)
            with trio.move_on_after(TROUBLE_SECONDS):
                await self._trouble(universe)
            await self._calm(universe, people)
            case = await self._leave(people)
            universe.cancel_scope.cancel()
        return case

    def _people(self) -> list[Guide]:
        people: list[Guide] = []
        for name, user_id, kind in _PEOPLE:
            chats = [chat for chat, members in CHATS.items() if user_id in members]
            luck = random.Random(f"{self.seed}-{name}")
            people.append(kind(name, user_id, chats, self, luck, self.chronicle))
        return people

    async def _begin_life(self, universe: trio.Nursery) -> None:
        self.lives += 1
        seed = f"{self.seed}-{self.lives}"
        self.gateway = await universe.start(run_gateway, self.model, self._resume, seed)
        self.chronicle.note("world", "life", number=self.lives)

    async def _trouble(self, universe: trio.Nursery) -> None:
        kinds: list[Callable[[], Awaitable[None]]] = [
            self._break_links,
            self._change_weather,
            partial(self._restart, universe),
            self._jump,
            self._hide_members,
        ]
        # Some seeds have much of one trouble, and none of another.
        async with trio.open_nursery() as trouble:
            for kind in kinds:
                if self.random.random() < _LIKELY:
                    trouble.start_soon(kind)
            await trio.sleep_forever()

    async def _break_links(self) -> None:
        every = self.random.choice((1.0, 3.0, 10.0))
        while True:
            await trio.sleep(self.random.expovariate(1 / every))
            open_links = [each for each in self._open_links() if not each.is_over]
            if not open_links:
                continue
            link = self.random.choice(open_links)
            how = self.random.choice((*Break, *Stall, Stall.HICCUP))
            self.chronicle.note("world", "breaks", connection=link.number, how=how.value)
            if isinstance(how, Break):
                link.cut(how)
            else:
                link.stall(how)
            if how is Stall.HICCUP:
                await trio.sleep(self.random.uniform(0.5, 3.5))
                link.go_on()

    async def _change_weather(self) -> None:
        while True:
            self.model.weather = self.random.choices(tuple(Weather), _CLIMATE)[0]
            self.chronicle.note("world", "weather", now=self.model.weather.name)
            await trio.sleep(self.random.expovariate(1 / 6))

    async def _hide_members(self) -> None:
        while True:
            await trio.sleep(self.random.expovariate(1 / 10))
            self.model.hides_members = not self.model.hides_members
            self.chronicle.note("world", "members", hidden=self.model.hides_members)

    async def _restart(self, universe: trio.Nursery) -> None:
        while True:
            await trio.sleep(self.random.uniform(5, 40))
            if self.gateway is not None:
                self._end_life()
                await trio.sleep(self.random.uniform(0, 5))
            await self._begin_life(universe)

    def _end_life(self) -> None:
        assert self.gateway is not None
        self.chronicle.note("world", "kill", number=self.lives)
        self._gaps += self.gateway.metrics.gaps
        self.gateway.kill()
        self.gateway = None

    async def _jump(self) -> None:
        while True:
            await trio.sleep(self.random.uniform(5, 40))
            seconds = self.random.choice((2.0, 9.0, 30.0, 100.0))
            self.chronicle.note("world", "clock", jumps=seconds)
            self.clock.jump(seconds)

    async def _calm(self, universe: trio.Nursery, people: list[Guide]) -> None:
        self.chronicle.note("world", "calm")
        for person in people:
            person.is_talking = False
        self.model.weather, self.model.hides_members = Weather.CALM, False
        for link in self._open_links():
            link.go_on()
        if self.gateway is None:
            await self._begin_life(universe)
        await trio.sleep(CALM_SECONDS)

    async def _leave(self, people: list[Guide]) -> Case:
        assert self.gateway is not None
        members = tuple(_member(person) for person in people)
        for person in people:
            person.leave()
        await trio.sleep(LEAVE_SECONDS)
        return Case(
            self.chronicle,
            members,
            honours_keys=self.honours_keys,
            leaks=tuple(self.gateway.leaks()),
            bugs=tuple(self._bugs),
            gaps_told=self._gaps + self.gateway.metrics.gaps,
        )

    def _open_links(self) -> list[Link]:
        return [] if self.gateway is None else self.gateway.links


def _member(person: Guide) -> Member:
    unsure = tuple(person.unsure) if isinstance(person, Careful) else ()
    return Member(
        person.name,
        frozenset(person.chats),
        frozenset(person.known),
        isinstance(person, Careful),
        unsure,
    )


_PEOPLE: tuple[tuple[str, int, type[Guide]], ...] = (
    ("ann", 1, Careful),
    ("ann-phone", 1, Guide),
    ("bob", 2, Careful),
    ("cat", 3, Careful),
    ("cat-phone", 3, Careful),
    ("dan", 4, Guide),
)
_LIKELY = 0.6
"""how likely a seed has a kind of trouble"""
_HONOURS_KEYS = 0.7
_CLIMATE = (5, 4, 1, 1, 2)
"""weights of the kinds of weather, in their order"""

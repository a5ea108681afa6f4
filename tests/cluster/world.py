"""A town in front of several gateways and one Valkey, and its judge.

Usage::

    async with open_world(fake, tmp_path, monkeypatch, nodes="ab") as world:
        await world.stored(100)             # a hundred messages later
        await world.nodes.kill("a")
        await world.stored(100)
    # the block's end lets everybody come to rest, and has the checker judge
"""

from __future__ import annotations

import sys
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING

import attrs
import trio

from cluster.nodes import Nodes
from cluster.people import seat, settle
from cluster.probes import Probes, open_probes, seat_probes
from fakes.town import Town, keep_books, members, until
from simulation.checker import Case, breaches
from simulation.chronicle import Chronicle
from simulation.people import Careful

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import pytest

    from fakes.backend import FakeBackend
    from fixtures.valkey import Valkey
    from simulation.people import Guide

PATIENCE = 90.0
"""seconds for everybody to come to rest; a connection that hangs is given up after 15"""


@attrs.define(eq=False)
class World:
    """Everything there is in one test."""

    fake: FakeBackend
    town: Town
    nodes: Nodes
    people: list[Guide]
    luck: Random
    valkey: Valkey | None = None

    @property
    def chronicle(self) -> Chronicle:
        """What has happened."""
        return self.town.chronicle

    async def stored(self, messages: int) -> None:
        """Wait until so many more messages are stored."""
        enough = len(self.town.stored) + messages
        await until(lambda: len(self.town.stored) >= enough, within=PATIENCE)

    def note(self, what: str) -> None:
        """Write down what is done to the nodes: ``apart``, ``together``, ``lossy``, ``whole``."""
        self.chronicle.note("world", what)

    def open_probes(self) -> AbstractAsyncContextManager[Probes]:
        """Have probes on all nodes of now."""
        return open_probes(self.fake, self.nodes.running.values())

    async def come_to_rest(self) -> None:
        """Let nobody talk any more, and wait until everybody knows everything, or time is up."""
        for person in self.people:
            person.is_talking = False
        with trio.move_on_after(PATIENCE):
            await until(self._is_at_rest, within=PATIENCE + 1)

    def _is_at_rest(self) -> bool:
        ids: dict[int, set[int]] = {chat: set() for chat in self.town.chats}
        for each in self.town.stored:
            ids[each.chat_id].add(each.message_id)
        return all(
            not (isinstance(person, Careful) and person.unsure)
            and all(ids[chat] <= person.known for chat in person.chats)
            for person in self.people
        )

    def judge(self) -> None:
        """Fail when any law was broken, with the story."""
        case = Case(self.chronicle, members(self.people), bugs=self.nodes.bugs())
        verdict = breaches(case)
        if verdict:
            texts = {text for each in verdict for text in each.texts}
            story = self.chronicle.story(set(sorted(texts)[:_TOLD])).splitlines()
            told = [*map(str, verdict[:_TOLD]), f"({len(verdict)} breaches)", *story[-_LINES:]]
            raise AssertionError("\n".join(told))


@asynccontextmanager
async def open_world(
    fake: FakeBackend,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    nodes: str = "ab",
    seed: str = "cluster",
    valkey: Valkey | None = None,
    **environment: str,
) -> AsyncIterator[World]:
    """Start a gateway of each name and let the people live; the block's end judges."""
    sys.stdout.write(f"seed {seed}\n")
    chats = seat(seed)
    town = Town(Chronicle(trio.current_time), chats)
    keep_books(monkeypatch, fake, town)
    seat_probes(fake)
    given = {"REDIS_URL": valkey.url} if valkey else {}
    people = settle(seed, chats, town, town.chronicle)
    async with trio.open_nursery() as lives:
        world = World(
            fake,
            town,
            Nodes(fake, town, folder, lives, {**given, **environment}),
            people,
            Random(f"world-{seed}"),
            valkey,
        )
        for name in nodes:
            await world.nodes.start(name)
        if valkey:
            world.note("together")
        async with trio.open_nursery() as streets:
            for person in people:
                streets.start_soon(person.live)
            await until(world_is_awake(world))
            yield world
            await world.come_to_rest()
            for person in people:
                person.leave()
        lives.cancel_scope.cancel()
    world.judge()


def world_is_awake(world: World):
    """Return what tells whether everybody has been welcomed once."""

    def is_awake() -> bool:
        welcomed = {note.who for note in world.chronicle.of("welcomed")}
        return len(welcomed) == len(world.people)

    return is_awake


_TOLD = 10
"""breaches whose stories are told"""
_LINES = 400
"""lines of them"""

"""A town in front of several gateways and one Valkey, and its judge.

Usage::

    async with open_world(fake, tmp_path, monkeypatch, nodes="ab", valkey=valkey) as world:
        await world.stored(100)             # a hundred messages later
        await world.nodes.kill("a")
        await world.stored(100)
    # the block's end lets everybody come to rest, and has the checker judge
"""

from __future__ import annotations

import sys
from collections import Counter
from contextlib import asynccontextmanager
from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import trio

from cluster.nodes import Nodes
from cluster.people import Herald, seat, settle
from cluster.probes import Probes, open_probes, seat_probes
from fakes.town import Town, keep_books, members, until
from simulation.checker import LIFE, Case, breaches
from simulation.chronicle import Chronicle
from simulation.people import Careful

if TYPE_CHECKING:
    import socket
    from collections.abc import AsyncIterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    import pytest

    from cluster.nodes import Node
    from fakes.backend import FakeBackend
    from fixtures.valkey import Valkey
    from simulation.chronicle import Note
    from simulation.people import Guide

PATIENCE = 90.0
"""seconds for everybody to come to rest; a connection that hangs is given up after 15"""
HERALD = 3999
CHAT_OF_THE_HERALD = 1


@attrs.define(eq=False)
class World:
    """Everything there is in one test."""

    fake: FakeBackend
    town: Town
    nodes: Nodes
    people: list[Guide]
    herald: Herald
    """One of the people, who is silent until told to talk."""
    patience: float = PATIENCE
    """Seconds for everybody to come to rest."""

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

    def stall(self, who: Sequence[Guide], *, is_stalled: bool) -> None:
        """Have some people read nothing over the connections of now, or go on."""
        for person in who:
            person.stall(is_stalled=is_stalled)

    # ── what has happened ────────────────────────────────────────────────────

    def notes(self, *whats: str, node: Node | None = None, **details: Any) -> list[Note]:
        """Return what has happened of some kinds, with these details, to a node's clients."""
        return [
            note
            for note in self.chronicle.of(*whats)
            if details.items() <= note.details.items()
            and (node is None or note.details["connection"] // LIFE == node.life)
        ]

    async def logged(self, event: str) -> None:
        """Wait until any node has logged something."""
        await until(lambda: any(event in node.gateway.events() for node in self.nodes.all))

    # ── the end ──────────────────────────────────────────────────────────────

    async def come_to_rest(self) -> None:
        """Let nobody talk any more, and wait until everybody knows everything, or time is up."""
        for person in self.people:
            person.is_talking = False
        with trio.move_on_after(self.patience):
            stored = -1
            while stored != len(self.town.stored) or not self._is_at_rest():
                await until(self._is_at_rest, within=self.patience + 1)
                # What was said without an id is waited for by nobody, and may be under way.
                stored = len(self.town.stored)
                await trio.sleep(_UNDER_WAY)

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
            texts = {text for each in verdict[:_TOLD] for text in each.texts}
            story = self.chronicle.story(texts).splitlines()
            laws = Counter(each.law for each in verdict)
            told = [str(dict(laws)), *map(str, verdict[:_TOLD]), *story[-_LINES:]]
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
    programs: Mapping[str, Sequence[str]] | None = None,
    keep: Sequence[socket.socket] = (),
    shares_port: bool = False,
    **environment: str,
) -> AsyncIterator[World]:
    """Start a gateway of each name and let the people live; the block's end judges."""
    sys.stdout.write(f"seed {seed}\n")
    chats = seat(seed)
    chats[CHAT_OF_THE_HERALD].append(HERALD)
    town = Town(Chronicle(trio.current_time), chats)
    keep_books(monkeypatch, fake, town)
    seat_probes(fake)
    herald = Herald(
        "herald", HERALD, [CHAT_OF_THE_HERALD], town, Random("herald"), town.chronicle, paces=(0.0,)
    )
    herald.is_talking = False
    people = [*settle(seed, chats, town, town.chronicle), herald]
    given = {"REDIS_URL": valkey.url} if valkey else {}
    async with trio.open_nursery() as lives:
        houses = Nodes(fake, town, folder, lives, {**given, **environment}, keep, shares_port)
        houses.programs.update(programs or {})
        world = World(fake, town, houses, people, herald)
        await houses.start_all(nodes)
        if valkey:
            world.note("together")
        async with trio.open_nursery() as streets:
            for person in people:
                streets.start_soon(person.live)
            await until(lambda: len({note.who for note in world.notes("welcomed")}) == len(people))
            yield world
            await world.come_to_rest()
            for person in people:
                person.leave()
        lives.cancel_scope.cancel()
    world.judge()


@asynccontextmanager
async def open_nodes(
    fake: FakeBackend,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    nodes: str = "ab",
    valkey: Valkey | None = None,
    **environment: str,
) -> AsyncIterator[Nodes]:
    """Start a gateway of each name, in front of a backend that knows keys, and nobody else."""
    town = Town(Chronicle(trio.current_time), {})
    keep_books(monkeypatch, fake, town)
    given = {"REDIS_URL": valkey.url} if valkey else {}
    async with trio.open_nursery() as lives:
        houses = Nodes(fake, town, folder, lives, {**given, **environment})
        await houses.start_all(nodes)
        yield houses
        lives.cancel_scope.cancel()
    assert not houses.bugs()


_UNDER_WAY = 1.0
"""seconds from when something is said to when it is stored, at most"""
_TOLD = 10
"""breaches that are told"""
_LINES = 400
"""lines of their story"""

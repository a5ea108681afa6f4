"""A gateway that is killed under load, again and again: clients that resume lose nothing.

The people and the judge are those of the simulation; the processes and the sockets are real.
"""

from __future__ import annotations

import signal
from functools import partial
from random import Random

import pytest
import trio

from fakes.process import open_gateway
from fakes.town import PATIENCE, Town, keep_books, members, until
from simulation.checker import LIFE, Case, breaches
from simulation.chronicle import Chronicle
from simulation.people import Careful, Guide

LIVES = 10
PEOPLE = range(2001, 2025)
CHATS = {
    number: [each for each in PEOPLE if each % 6 in {number, (number + 1) % 6}]
    for number in range(6)
}
MESSAGES = 60
"""stored messages after which a life may end"""


@pytest.fixture
def town(fake, monkeypatch):
    """A backend that knows everybody, and ``Idempotency-Key``."""
    town = Town(Chronicle(trio.current_time), CHATS)
    keep_books(monkeypatch, fake, town)
    return town


def settle_in(town):
    """Return the people: every fourth knows only the guide."""
    people = []
    for user_id in PEOPLE:
        chats = [chat for chat, members in CHATS.items() if user_id in members]
        kind = Guide if user_id % 4 == 0 else Careful
        luck = Random(f"kill-{user_id}")
        people.append(kind(f"no{user_id}", user_id, chats, town, luck, town.chronicle, haste=6.0))
    return people


async def test_nothing_is_lost_when_the_gateway_is_killed_under_load(fake, tmp_path, town):
    """Ten times: a new epoch each, everybody loads anew and says again what nobody answered."""
    people, luck = settle_in(town), Random("kill")
    async with trio.open_nursery() as streets:
        for person in people:
            streets.start_soon(person.live)
        for _ in range(LIVES):
            async with open_gateway(fake, tmp_path) as gateway:
                life, enough = town.open(gateway.port), len(town.stored) + MESSAGES
                await until(lambda enough=enough: len(town.stored) >= enough)
                await trio.sleep(luck.uniform(0, 0.3))
                town.close(life)
                gateway.signal(signal.SIGKILL)
                await gateway.ended()
        async with open_gateway(fake, tmp_path) as gateway:
            town.open(gateway.port)
            for person in people:
                person.is_talking = False
            case = partial(Case, town.chronicle)
            with trio.move_on_after(PATIENCE):
                await until(lambda: not breaches(case(members(people))))
            verdict = breaches(case(members(people)))
            for person in people:
                person.leave()

    assert not verdict, town.chronicle.story({text for each in verdict for text in each.texts})
    assert len(list(town.chronicle.of("resync"))) >= LIVES
    lives = {note.details["connection"] // LIFE for note in town.chronicle.of("acked")}
    assert len(lives) >= LIVES

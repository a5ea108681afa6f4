"""A gateway that is killed under load, again and again: clients that resume lose nothing.

The people and the judge are those of the simulation; the processes and the sockets are real.
"""

from __future__ import annotations

import signal
import socket
from functools import partial
from random import Random
from typing import TYPE_CHECKING

import attrs
import pytest
import trio

from fakes.backend import FakeBackend
from fakes.desk import FakeUser
from fakes.process import open_gateway
from simulation.checker import LIFE, Case, Member, breaches
from simulation.chronicle import Chronicle
from simulation.model import Stored
from simulation.people import Careful, Guide

if TYPE_CHECKING:
    from fakes.http import Call, Reply

LIVES = 10
PEOPLE = range(2001, 2025)
CHATS = {
    number: [each for each in PEOPLE if each % 6 in {number, (number + 1) % 6}]
    for number in range(6)
}
MESSAGES = 60
"""stored messages after which a life may end"""
PATIENCE = 60.0


class Line:
    """A client's socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(sock))

    async def send_all(self, data: bytes) -> None:
        """Send everything."""
        try:
            await self._stream.send_all(data)
        except trio.ClosedResourceError as error:
            raise trio.BrokenResourceError from error

    async def receive_some(self) -> bytes:
        """Receive something; nothing at the end."""
        try:
            return bytes(await self._stream.receive_some(65536))
        except trio.ClosedResourceError:
            return b""

    def close(self) -> None:
        """Hang up."""
        self._stream.socket.close()


@attrs.define(eq=False)
class Town:
    """The ``Network`` of the people, and what the backend writes down."""

    chronicle: Chronicle
    port: int = 0
    lives: int = 0
    stored: list[Stored] = attrs.field(factory=list)
    _links: int = 0
    _replies: dict[str, Reply] = attrs.field(factory=dict)

    def dial(self, _who: str) -> tuple[int, Line] | None:
        """Connect to the gateway, if one listens."""
        if not self.port:
            return None
        try:
            sock = socket.create_connection(("127.0.0.1", self.port), timeout=5)
        except OSError:
            return None
        self._links += 1
        return self.lives * LIFE + self._links, Line(sock)

    async def fetch(self, user_id: int) -> list[Stored]:
        """Load everything a user may see."""
        return [each for each in self.stored if user_id in CHATS[each.chat_id]]

    def take(self, call: Call, answer: Reply) -> Reply:
        """Write down what was stored. A key that was seen stores nothing again."""
        body = answer.body
        self.stored.append(Stored(body["id"], body["chat_id"], body["user"]["id"], body["text"]))
        for what in ("stored", "answered"):
            self.chronicle.note("backend", what, text=body["text"], message=body["id"])
        if key := call.headers.get("idempotency-key"):
            self._replies[key] = answer
        return answer

    def known(self, call: Call) -> Reply | None:
        """Return the answer to a call that was made before."""
        return self._replies.get(call.headers.get("idempotency-key", ""))


@pytest.fixture
def town(fake, monkeypatch):
    """A backend that knows everybody, and ``Idempotency-Key``."""
    town = Town(Chronicle(trio.current_time))
    answer = FakeBackend.answer

    async def answer_once(backend: FakeBackend, call: Call) -> Reply | None:
        if call.endpoint != "send_message":
            return await answer(backend, call)
        if known := town.known(call):
            return known
        reply = await answer(backend, call)
        return reply and town.take(call, reply)

    monkeypatch.setattr(FakeBackend, "answer", answer_once)
    fake.chats.update(CHATS)
    fake.users.update({each: FakeUser(each, "Number", f"{each}", f"+7{each}") for each in PEOPLE})
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


def member(person):
    """What the judge wants to know of somebody."""
    unsure = tuple(person.unsure) if isinstance(person, Careful) else ()
    chats, known = frozenset(person.chats), frozenset(person.known)
    return Member(person.name, chats, known, isinstance(person, Careful), unsure)


async def until(holds):
    """Wait until something is so; what other processes do wakes nobody here."""
    with trio.fail_after(PATIENCE):
        while not holds():  # noqa: ASYNC110 - see above
            await trio.sleep(0.02)


async def test_nothing_is_lost_when_the_gateway_is_killed_under_load(fake, tmp_path, town):
    """Ten times: a new epoch each, everybody loads anew and says again what nobody answered."""
    people, luck = settle_in(town), Random("kill")
    async with trio.open_nursery() as streets:
        for person in people:
            streets.start_soon(person.live)
        for _ in range(LIVES):
            town.lives += 1
            async with open_gateway(fake, tmp_path) as gateway:
                town.port, enough = gateway.port, len(town.stored) + MESSAGES
                await until(lambda enough=enough: len(town.stored) >= enough)
                await trio.sleep(luck.uniform(0, 0.3))
                town.port = 0
                gateway.signal(signal.SIGKILL)
                await gateway.ended()
        town.lives += 1
        async with open_gateway(fake, tmp_path) as gateway:
            town.port = gateway.port
            for person in people:
                person.is_talking = False
            case = partial(Case, town.chronicle)
            with trio.move_on_after(PATIENCE):
                await until(lambda: not breaches(case(tuple(map(member, people)))))
            verdict = breaches(case(tuple(map(member, people))))
            for person in people:
                person.leave()

    assert not verdict, town.chronicle.story({text for each in verdict for text in each.texts})
    assert len(list(town.chronicle.of("resync"))) >= LIVES
    lives = {note.details["connection"] // LIFE for note in town.chronicle.of("acked")}
    assert len(lives) >= LIVES

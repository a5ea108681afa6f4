"""The people of the simulation among real processes: their sockets, and a backend that remembers.

Usage::

    town = Town(Chronicle(trio.current_time), chats)
    keep_books(monkeypatch, fake, town)
    life = town.open(gateway.port)      # from now on people may come in there
    ...
    town.close(life)

The town is the ``Network`` of its people, and writes down what the backend stores.
"""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import attrs
import trio

from fakes.backend import FakeBackend
from fakes.desk import FakeUser
from simulation.checker import LIFE, Member
from simulation.model import Stored
from simulation.people import Careful

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

    from fakes.http import Call, Reply
    from simulation.chronicle import Chronicle
    from simulation.people import Guide

PATIENCE = 60.0


@attrs.define(eq=False)
class Line:
    """A client's socket, which connects when it has something to say."""

    port: int
    refused: Callable[[str], None]
    """Told why nobody let it in."""
    receive_buffer: int = 0
    """bytes our kernel takes for it; 0 for as many as it likes"""
    _stream: trio.SocketStream | None = None
    _sock: trio.socket.SocketType | None = None

    async def send_all(self, data: bytes) -> None:
        """Send everything."""
        try:
            if self._stream is None:
                self._stream = await self._connect()
            await self._stream.send_all(data)
        except trio.ClosedResourceError as error:
            raise trio.BrokenResourceError from error

    async def receive_some(self) -> bytes:
        """Receive something; nothing at the end."""
        assert self._stream is not None
        try:
            return bytes(await self._stream.receive_some(65536))
        except trio.ClosedResourceError:
            return b""

    def close(self) -> None:
        """Hang up."""
        if self._sock is not None:
            self._sock.close()

    async def _connect(self) -> trio.SocketStream:
        self._sock = sock = trio.socket.socket()
        if self.receive_buffer:
            sock.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_RCVBUF, self.receive_buffer)
        try:
            await sock.connect(("127.0.0.1", self.port))
            return trio.SocketStream(sock)
        except OSError as error:
            self.refused(error.strerror or "refused")
            raise trio.BrokenResourceError from error


@attrs.define(eq=False)
class Town:
    """The ``Network`` of the people, and what the backend writes down."""

    chronicle: Chronicle
    chats: Mapping[int, list[int]]
    """Chat id → ids of its members."""
    stored: list[Stored] = attrs.field(factory=list)
    lines: dict[str, Line] = attrs.field(factory=dict)
    """Who → the connection they dialled last."""
    lives: int = 0
    """How many gateways there have been."""
    receive_buffers: dict[str, int] = attrs.field(factory=dict)
    """Who → the ``receive_buffer`` of their connections."""
    _doors: dict[int, int] = attrs.field(factory=dict)
    _links: int = 0
    _luck: Random = attrs.field(factory=lambda: Random("doors"))
    _replies: dict[str, Reply] = attrs.field(factory=dict)

    def open(self, port: int) -> int:
        """Let people in at a port; return the number of the life that begins there."""
        self.lives += 1
        self._doors[self.lives] = port
        return self.lives

    def close(self, life: int) -> None:
        """Nobody tries that port any more."""
        self._doors.pop(life, None)

    def dial(self, who: str) -> tuple[int, Line] | None:
        """Connect to one of the gateways, if any listens."""
        if not self._doors:
            return None
        life, port = self._luck.choice(tuple(self._doors.items()))
        self._links += 1
        number = life * LIFE + self._links

        def refused(why: str) -> None:
            self.chronicle.note(who, "refused entry", connection=number, why=why)

        line = Line(port, refused, self.receive_buffers.get(who, 0))
        self.lines[who] = line
        return number, line

    async def fetch(self, user_id: int) -> list[Stored]:
        """Load everything a user may see."""
        return [each for each in self.stored if user_id in self.chats[each.chat_id]]

    def take(self, call: Call, answer: Reply) -> Reply:
        """Write down what was stored in our chats. A key that was seen stores nothing again."""
        match answer.body:
            case {"id": message, "chat_id": chat, "user": user, "text": text} if chat in self.chats:
                self.stored.append(Stored(message, chat, user["id"], text))
                for what in ("stored", "answered"):
                    self.chronicle.note("backend", what, text=text, message=message)
        if key := call.headers.get("idempotency-key"):
            self._replies[key] = answer
        return answer

    def known(self, call: Call) -> Reply | None:
        """Return the answer to a call that was made before."""
        return self._replies.get(call.headers.get("idempotency-key", ""))


def keep_books(monkeypatch: pytest.MonkeyPatch, fake: FakeBackend, town: Town) -> None:
    """Let a fake know the people and chats of a town, and ``Idempotency-Key``."""
    answer = FakeBackend.answer

    async def answer_once(backend: FakeBackend, call: Call) -> Reply | None:
        if call.endpoint != "send_message":
            return await answer(backend, call)
        if known := town.known(call):
            return known
        reply = await answer(backend, call)
        return reply and town.take(call, reply)

    monkeypatch.setattr(FakeBackend, "answer", answer_once)
    fake.chats.update(town.chats)
    for user_id in {each for members in town.chats.values() for each in members}:
        fake.users[user_id] = FakeUser(user_id, "Number", f"{user_id}", f"+7{user_id}")


def member(person: Guide) -> Member:
    """What the judge wants to know of somebody."""
    unsure = tuple(person.unsure) if isinstance(person, Careful) else ()
    chats, known = frozenset(person.chats), frozenset(person.known)
    return Member(person.name, chats, known, isinstance(person, Careful), unsure)


def members(people: Iterable[Guide]) -> tuple[Member, ...]:
    """What the judge wants to know of everybody."""
    return tuple(map(member, people))


async def until(holds: Callable[[], bool], *, within: float = PATIENCE) -> None:
    """Wait until something is so; what other processes do wakes nobody here."""
    with trio.fail_after(within):
        while not holds():  # noqa: ASYNC110 - see above
            await trio.sleep(0.02)

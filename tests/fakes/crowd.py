"""Two hundred people in twenty chats, each with a client that remembers what it saw.

Usage::

    seat_crowd(fake)
    async with open_crowd(gateway.port, fake) as people:
        await people[0].client.say("send_message", chat_id=people[0].chat_id, text="hello")
        ...
        await everybody_sees_the_end(people)
"""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from fakes.clients import CLOSE, TEXT, Client, open_client
from fakes.desk import FakeUser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from fakes.backend import FakeBackend

CROWD = range(1001, 1201)
PATIENCE = 30.0


@attrs.define(eq=False)
class Person:
    """One of the crowd, and all it has seen."""

    number: int
    client: Client
    texts: list[str] = attrs.field(factory=list)
    """of the messages that reached it"""
    close_code: int = 0

    @property
    def chat_id(self) -> int:
        """The chat this one is in, with nine others."""
        return _chat_of(self.number)

    async def live(self) -> None:
        """See what comes until the close frame, and hang up."""
        while (got := await self.client.next_frame()).opcode != CLOSE:
            if got.opcode == TEXT:
                event = msgspec.json.decode(got.payload)
                assert event["event"] == "new_message", event
                self.texts.append(event["data"]["text"])
        self.close_code = int.from_bytes(got.payload[:2])
        await self.client.stream.aclose()


def seat_crowd(fake: FakeBackend) -> None:
    """Let the backend know the crowd."""
    for number in CROWD:
        fake.users[number] = FakeUser(number, "Number", str(number), f"+7{number}")
        fake.chats.setdefault(_chat_of(number), []).append(number)


@asynccontextmanager
async def open_crowd(port: int, fake: FakeBackend) -> AsyncIterator[list[Person]]:
    """Log everybody in for as long as the block lasts."""
    people: list[Person] = []
    leave = trio.Event()

    async def come(number: int, *, task_status: trio.TaskStatus[None]) -> None:
        async with open_client(port, fake.token(number)) as client:
            people.append(Person(number, client))
            task_status.started()
            await leave.wait()

    async with trio.open_nursery() as crowd:
        with trio.fail_after(PATIENCE):
            for number in CROWD:
                await crowd.start(partial(come, number))
        yield people
        leave.set()


async def everybody_sees_the_end(people: Sequence[Person]) -> None:
    """Let all read on, at the same time, up to their close frames."""
    with trio.fail_after(PATIENCE):
        async with trio.open_nursery() as reading:
            for person in people:
                reading.start_soon(person.live)


def _chat_of(number: int) -> int:
    return 101 + (number - CROWD.start) // 10

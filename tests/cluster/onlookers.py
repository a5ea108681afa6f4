"""People who look who is online, on several nodes; and what each of them was told, and when."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from fakes.api import call
from fakes.clients import PING, PONG, Client, frame, open_client
from fakes.desk import FakeUser
from fakes.town import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from cluster.nodes import Node
    from fakes.backend import FakeBackend

CHAT, BIG = 77, 78
"""a chat, and one with a member too many"""
MEMBERS = range(5001, 5021)
PATIENCE = 60.0


@attrs.define(eq=False)
class Onlooker:
    """One client of one node."""

    node: Node
    user_id: int
    client: Client
    asks: bool
    """Whether it has asked."""
    told: list[tuple[float, frozenset[int]]] = attrs.field(factory=list)
    """Who was online in ``CHAT``, each time it was told: when, by trio's clock, and who."""
    refused: list[tuple[int, str]] = attrs.field(factory=list)
    """The chats it may not look at: which, and the code."""
    leaving: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    gone: trio.Event = attrs.field(factory=trio.Event)

    @property
    def online(self) -> frozenset[int]:
        """Who is online, as far as it knows."""
        return self.told[-1][1] if self.told else frozenset()

    async def listen(self) -> None:
        """Take everything in until the connection is over."""
        while True:
            got = await self.client.next_frame()
            if got.opcode == PING:
                await self.client.send(frame(PONG, got.payload))
                continue
            event = msgspec.json.decode(got.payload)
            data = event["data"]
            if event["event"] == "presence":
                assert data["chat_id"] == CHAT
                self.told.append((trio.current_time(), frozenset(data["online"])))
            elif event["event"] == "error":
                self.refused.append((data["chat_id"], data["code"]))

    def missed(self, user_id: int) -> float | None:
        """Return when it was told that somebody is online no more, if ever it was."""
        seen = False
        for at, online in self.told:
            if seen and user_id not in online:
                return at
            seen = seen or user_id in online
        return None


@attrs.define(eq=False)
class Gallery:
    """All of them."""

    fake: FakeBackend
    tasks: trio.Nursery
    here: list[Onlooker] = attrs.field(factory=list)
    """Those who are there."""
    everybody: list[Onlooker] = attrs.field(factory=list)

    async def come(self, node: Node, user_id: int, *chats: int) -> Onlooker:
        """Have somebody come to a node and ask about chats; with none, ask nothing."""
        onlooker: Onlooker = await self.tasks.start(self._be_there, node, user_id, chats)
        return onlooker

    async def leave(self, onlooker: Onlooker) -> None:
        """Have somebody go, without a word."""
        onlooker.leaving.cancel()
        await onlooker.gone.wait()

    async def all_see(self, *users: int, within: float = PATIENCE) -> None:
        """Wait until everybody who has asked knows that exactly these are online."""
        await until(
            lambda: all(each.online == {*users} for each in self.here if each.asks), within=within
        )

    async def _be_there(
        self,
        node: Node,
        user_id: int,
        chats: Sequence[int],
        *,
        task_status: trio.TaskStatus[Onlooker],
    ) -> None:
        async with open_client(node.port) as client:
            onlooker = Onlooker(node, user_id, client, asks=bool(chats))
            wish = {"presence": list(chats)} if chats else {}
            await client.say("auth", token=self.fake.token(user_id), **wish)
            await client.event("auth_success")
            self.here.append(onlooker)
            self.everybody.append(onlooker)
            task_status.started(onlooker)
            # At the end its node is gone, or it is.
            with onlooker.leaving, suppress(EOFError, trio.BrokenResourceError):
                await onlooker.listen()
            self.here.remove(onlooker)
        onlooker.gone.set()


async def online_at(node: Node, chat_id: int = CHAT) -> frozenset[int]:
    """Ask a node's internal API who of a chat is online."""
    answer = await call(node.internal_port, "GET", f"presence?chat_id={chat_id}")
    return frozenset(answer.json["online"])


@asynccontextmanager
async def open_gallery(fake: FakeBackend) -> AsyncIterator[Gallery]:
    """Let the backend know the chats, and people look for the block."""
    fake.chats[CHAT] = [*MEMBERS]
    fake.chats[BIG] = [*MEMBERS, MEMBERS.stop]
    for user_id in fake.chats[BIG]:
        fake.users[user_id] = FakeUser(user_id, "Onlooker", f"{user_id}", f"+7{user_id}")
    async with trio.open_nursery() as tasks:
        yield Gallery(fake, tasks)
        tasks.cancel_scope.cancel()

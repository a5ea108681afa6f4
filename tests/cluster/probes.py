"""Two clients on each node that everything said in one chat must reach, and how long that takes."""

from __future__ import annotations

from contextlib import asynccontextmanager
from itertools import count
from typing import TYPE_CHECKING

import attrs
import msgspec
import trio

from fakes.clients import PING, PONG, Client, frame, open_client
from fakes.desk import FakeUser

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable

    from cluster.nodes import Node
    from fakes.backend import FakeBackend

CHAT = 99
FIRST = 4001
"""the user of the first probe"""
LAST = 4008
"""a member whom no probe plays"""
PATIENCE = 60.0


@attrs.define(eq=False)
class Probe:
    """A plain client of one node."""

    node: str
    client: Client
    heard: dict[str, float] = attrs.field(factory=dict)
    """Text → when it came, by trio's clock."""
    again: list[str] = attrs.field(factory=list)
    """What came more than once."""

    async def listen(self) -> None:
        """Take everything in, for ever."""
        while True:
            got = await self.client.next_frame()
            if got.opcode == PING:
                await self.client.send(frame(PONG, got.payload))
                continue
            event = msgspec.json.decode(got.payload)
            if event["event"] == "new_message":
                text = event["data"]["text"]
                if text in self.heard:
                    self.again.append(text)
                self.heard.setdefault(text, trio.current_time())


@attrs.define(eq=False)
class Probes:
    """All of them."""

    probes: list[Probe]
    _numbers: count = attrs.field(factory=lambda: count(1))

    async def say(self, node: str) -> str:
        """Say something on a node; return what."""
        text = f"probe-{node}.{next(self._numbers)}"
        speaker = next(probe for probe in self.probes if probe.node == node)
        await speaker.client.say("send_message", chat_id=CHAT, text=text)
        return text

    async def told(self, text: str, *nodes: str, within: float = PATIENCE) -> float:
        """Wait until everybody on these nodes, or on all, has heard it; return the seconds."""
        began = trio.current_time()
        audience = [probe for probe in self.probes if not nodes or probe.node in nodes]
        with trio.fail_after(within):
            while any(text not in probe.heard for probe in audience):  # noqa: ASYNC110 - others tell
                await trio.sleep(0.005)
        return max(probe.heard[text] for probe in audience) - began

    async def told_from_each(self) -> float:
        """Say something on every node; return the seconds until all have heard all of it."""
        began = trio.current_time()
        texts = [await self.say(node) for node in sorted({probe.node for probe in self.probes})]
        for text in texts:
            await self.told(text)
        return max(probe.heard[text] for probe in self.probes for text in texts) - began

    def said_again(self) -> list[str]:
        """Return what somebody has heard more than once."""
        return [text for probe in self.probes for text in probe.again]


def seat_probes(fake: FakeBackend) -> None:
    """Let the backend know the chat of the probes."""
    fake.chats[CHAT] = list(range(FIRST, LAST + 1))
    for user_id in fake.chats[CHAT]:
        fake.users[user_id] = FakeUser(user_id, "Probe", f"{user_id}", f"+7{user_id}")


@asynccontextmanager
async def open_probes(fake: FakeBackend, nodes: Iterable[Node]) -> AsyncIterator[Probes]:
    """Have two clients on each of the nodes for the block."""
    probes: list[Probe] = []
    users = count(FIRST)

    async def live(node: Node, *, task_status: trio.TaskStatus[None]) -> None:
        async with open_client(node.port, fake.token(next(users))) as client:
            probe = Probe(node.name, client)
            probes.append(probe)
            task_status.started()
            await probe.listen()

    async with trio.open_nursery() as lives:
        with trio.fail_after(PATIENCE):
            for node in nodes:
                await lives.start(live, node)
                await lives.start(live, node)
        yield Probes(probes)
        lives.cancel_scope.cancel()

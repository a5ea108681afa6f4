"""Many who come and talk in the same turns: what each of them hears is whole, and in order."""

from __future__ import annotations

from typing import Any

import attrs
import msgspec
import trio

from fakes.clients import TEXT, UPGRADE, Client, open_client, open_raw
from fakes.node import open_node, within
from fakes.resuming import asking

GUESTS = 32
ASKED = ["bad", *range(4)]
"""The commands of each, by id. The first is refused at once, the others the backend answers."""


@attrs.define(eq=False)
class Guest:
    """One of the crowd, and all that it heard."""

    token: str
    resumes: bool
    receive_buffer: int
    is_done: trio.Event = attrs.field(factory=trio.Event)
    heard: list[dict[str, Any]] = attrs.field(factory=list)

    async def live(self, port: int) -> None:
        """Come in and ask for the next when the last is answered; hear all up to the end."""
        resume = {"resume": True} if self.resumes else {}
        async with open_raw(port, receive_buffer=self.receive_buffer) as client:
            await client.send(UPGRADE + b"\r\n" + asking("in", "auth", token=self.token, **resume))
            assert (await client.read_until(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            while not self.heard or self.heard[-1]["data"].get("text") != "the end":
                got = await client.next_frame()
                assert got.opcode == TEXT
                self.heard.append(msgspec.json.decode(got.payload))
                if "id" in self.heard[-1]:
                    await self._go_on(client)

    def answered(self) -> list[Any]:
        """The ids of what was answered, as the answers came."""
        return [each["id"] for each in self.heard if "id" in each]

    def seen(self) -> list[int]:
        """The messages it saw, as they came."""
        return [each["data"]["id"] for each in self.heard if each["event"] == "new_message"]

    async def _go_on(self, client: Client) -> None:
        asked = len(self.answered()) - 1
        # Two at a time: one that is answered now, and one later.
        if asked == 0:
            await client.send(
                asking("bad", "send_message", chat_id=0)
                + asking(0, "send_message", chat_id=2, text="0")
            )
        elif 2 <= asked < len(ASKED):
            await client.send(asking(ASKED[asked], "send_message", chat_id=2, text="x" * 500))
        elif asked == len(ASKED):
            self.is_done.set()


async def test_everybody_in_a_crowd_hears_all_in_order(fake):
    """The 101, the welcome, answers, and messages as all see them; some have little room."""
    guests = [
        Guest(fake.token(1 + number % 2), number % 3 == 0, 4096 if number % 4 == 0 else 0)
        for number in range(GUESTS)
    ]
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as host:
        with within():
            async with trio.open_nursery() as living:
                for guest in guests:
                    living.start_soon(guest.live, node.port)
                    # The later ones come in among the talk of the earlier.
                    await trio.sleep(0.005)
                for guest in guests:
                    await guest.is_done.wait()
                await host.say("send_message", chat_id=2, text="the end")
            everything = [(await host.event("new_message"))["id"] for _ in fake.messages]
        for guest in guests:
            assert guest.heard[0]["event"] == "auth_success"
            assert guest.answered() == ["in", *ASKED]
            seen = guest.seen()
            assert seen == everything[-len(seen) :]
            places = [each["position"] for each in guest.heard if "position" in each]
            assert len(places) == (len(seen) if guest.resumes else 0)
    assert node.metrics.bugs == 0

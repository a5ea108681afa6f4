"""Clients that do what ``docs/protocol.md`` tells them to, on a network that does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs
import trio

from simulation.visit import Over, TurnedAway, Visit

if TYPE_CHECKING:
    from random import Random

    from simulation.chronicle import Chronicle
    from simulation.model import Stored
    from simulation.visit import Line

PATIENCE = 10.0
"""seconds a client waits for the upgrade and for its authentication"""
IN_FLIGHT = 4
"""messages a client that wants acknowledgements sends without having one"""
AGAIN = frozenset({"BACKEND_UNAVAILABLE", "BUSY", "RATE_LIMITED"})
"""Codes after which a command may be repeated."""


class Network(Protocol):
    """What clients can reach."""

    def dial(self, who: str) -> tuple[int, Line] | None:
        """Connect to the gateway; None when nobody listens."""

    async def fetch(self, user_id: int) -> list[Stored]:
        """Ask the backend for everything, over REST."""


@attrs.define(eq=False)
class Guide:
    """A client that knows only the guide: it loads everything whenever it is back."""

    name: str
    user_id: int
    chats: list[int]
    network: Network
    random: Random
    chronicle: Chronicle
    haste: float = 1.0
    """How many times as fast as a person it is."""
    is_talking: bool = True
    is_leaving: bool = False
    """Whether it hangs up as soon as it can and does not come back."""
    paces: tuple[float, ...] = (0.0, 0.0, 0.0, 0.02, 0.3)
    """Seconds it takes over each frame: one of these on each connection."""
    known: set[int] = attrs.field(factory=set)
    """Ids of all messages it has heard of or loaded."""
    _said: int = 0
    _visit: Visit | None = None

    async def live(self) -> None:
        """Be there, come back whenever the connection is lost, until it is time to leave."""
        async with trio.open_nursery() as home:
            while not self.is_leaving:
                retry = await self._be_there(home)
                if not self.is_leaving:
                    pause = self.random.uniform(0.1, 3.0) / self.haste
                    await trio.sleep(pause if retry is None else retry)
            home.cancel_scope.cancel()

    def leave(self) -> None:
        """Hang up, and do not come back."""
        self.is_leaving = True
        if self._visit is not None:
            self._visit.wire.close()

    def stall(self, *, is_stalled: bool) -> None:
        """Read nothing over the connection of now, or go on."""
        if self._visit is not None:
            self._visit.is_stalled = is_stalled

    def note(self, what: str, **details: Any) -> None:
        """Write down what happens to this client."""
        number = self._visit.number if self._visit else 0
        self.chronicle.note(self.name, what, connection=number, **details)

    async def _be_there(self, home: trio.Nursery) -> float | None:
        """Live through one connection; return after how many seconds to come back, if told."""
        dialled = self.network.dial(self.name)
        if dialled is None:
            return None
        pace = self.random.choice(self.paces)
        self._visit = visit = Visit(*dialled, pace)
        self.note("dialled", pace=pace)
        try:
            await self._converse(visit, home)
        except Over as over:
            what = "turned away" if isinstance(over, TurnedAway) else "over"
            what = "left" if self.is_leaving else what
            self.note(what, why=over.args[0], retry=over.retry)
            return over.retry
        finally:
            visit.wire.close()
        return None

    async def _converse(self, visit: Visit, home: trio.Nursery) -> None:
        with trio.move_on_after(PATIENCE) as coming:
            await visit.upgrade()
            await visit.say("auth", **self._auth())
            welcome = await self._hear_of(visit, "auth_success")
        if coming.cancelled_caught:
            raise Over("no welcome")
        self._welcomed(welcome, home)
        over: list[Over] = []

        async def until_over(what: Any) -> None:
            try:
                await what(visit, home)
            except Over as end:
                over.append(end)
                here.cancel_scope.cancel()

        async with trio.open_nursery() as here:
            here.start_soon(until_over, self._talk)
            here.start_soon(until_over, self._listen)
        raise over[0]

    async def _hear_of(self, visit: Visit, name: str) -> dict[str, Any]:
        while True:
            event = await visit.next()
            if event["event"] == name:
                return event["data"]

    async def _listen(self, visit: Visit, home: trio.Nursery) -> None:
        while True:
            self._hear(await visit.next(), home)

    def _hear(self, event: dict[str, Any], home: trio.Nursery) -> None:
        """Take an event in."""
        del home
        data = event["data"]
        if event["event"] == "new_message":
            self.known.add(data["id"])
            self.note(
                "heard",
                text=data["text"],
                message=data["id"],
                chat=data["chat_id"],
                position=event.get("position"),
            )
        elif event["event"] == "new_reaction":
            key = (data["message_id"], data["emoji"])
            message = data["message_id"]
            self.note("felt", reaction=key, message=message, position=event.get("position"))

    async def _fetch(self) -> None:
        await trio.sleep(self.random.uniform(0.0, 0.5))
        fetched = await self.network.fetch(self.user_id)
        self.known |= {each.message_id for each in fetched}
        self.note("fetched", messages=len(fetched))

    # ── what others do otherwise ─────────────────────────────────────────────

    def _auth(self) -> dict[str, Any]:
        return {"token": f"token-{self.user_id}"}

    def _welcomed(self, welcome: dict[str, Any], home: trio.Nursery) -> None:
        self.note("welcomed", **{key: welcome[key] for key in welcome if key == "session"})
        home.start_soon(self._fetch)

    async def _talk(self, visit: Visit, home: trio.Nursery) -> None:
        del home
        while True:
            await trio.sleep(self.random.expovariate(0.4 * self.haste))
            if not self.is_talking:
                continue
            chat_id = self.random.choice(self.chats)
            if self.random.random() < _TYPES:
                await visit.say("typing", chat_id=chat_id, is_typing=True)
                continue
            for _ in range(self.random.choice(_BURSTS)):
                text = self._next_text()
                self.note("said", text=text, chat=chat_id)
                await visit.say("send_message", chat_id=chat_id, text=text)

    def _next_text(self) -> str:
        self._said += 1
        return f"{self.name}.{self._said}"


@attrs.define(eq=False)
class Unsure:
    """A message nobody has acknowledged yet. Its text is also its id."""

    text: str
    chat_id: int
    is_on_its_way: bool = False
    """Whether it has been sent over the connection of now, and no answer come."""


@attrs.define(eq=False)
class Careful(Guide):
    """A client that resumes, gives ids, and repeats what nobody has acknowledged."""

    session: str = ""
    position: str = ""
    unsure: dict[str, Unsure] = attrs.field(factory=dict)
    """By id, oldest first."""
    _news: trio.Event = attrs.field(factory=trio.Event)

    def _auth(self) -> dict[str, Any]:
        resume: Any = True
        if self.session:
            resume = {"session": self.session, "position": self.position}
        return {"token": f"token-{self.user_id}", "resume": resume}

    def _welcomed(self, welcome: dict[str, Any], home: trio.Nursery) -> None:
        is_recovered, is_new = welcome["recovered"], not self.session
        self.note(
            "welcomed",
            recovered=is_recovered,
            new=is_new,
            position=welcome["position"],
            asked=self.position,
        )
        self.session, self.position = welcome["session"], welcome["position"]
        if not is_recovered:
            # The ``resync`` that follows may be lost on its way.
            home.start_soon(self._fetch)
        for each in self.unsure.values():
            each.is_on_its_way = False

    def _hear(self, event: dict[str, Any], home: trio.Nursery) -> None:
        super()._hear(event, home)
        self.position = event.get("position", self.position)
        name, data = event["event"], event["data"]
        if name == "resync":
            self.position = data["position"]
            self.note("resync", position=self.position)
            home.start_soon(self._fetch)
        elif name in {"ack", "error"} and "id" in event:
            self._answered(event["id"], data, home)

    def _answered(self, text: str, data: dict[str, Any], home: trio.Nursery) -> None:
        code = data.get("code")
        what = "refused" if code else "acked"
        self.note(what, text=text, code=code, message=data.get("message_id"))
        if code in AGAIN:
            home.start_soon(self._again_later, text)
            return
        self.unsure.pop(text, None)
        self._ring()

    async def _again_later(self, text: str) -> None:
        await trio.sleep(self.random.uniform(0.5, 3.0))
        if text in self.unsure:
            self.unsure[text].is_on_its_way = False
            self._ring()

    async def _talk(self, visit: Visit, home: trio.Nursery) -> None:
        home.start_soon(self._think_of_more, visit)
        while True:
            self._news = trio.Event()
            await self._send_all(visit)
            await self._news.wait()

    async def _send_all(self, visit: Visit) -> None:
        for each in tuple(self.unsure.values()):
            if not each.is_on_its_way:
                await self._send(visit, each)

    async def _send(self, visit: Visit, each: Unsure) -> None:
        each.is_on_its_way = True
        self.note("said", text=each.text, chat=each.chat_id, id=each.text)
        await visit.say("send_message", each.text, chat_id=each.chat_id, text=each.text)
        if self.random.random() < _STUTTERS:
            self.note("said", text=each.text, chat=each.chat_id, id=each.text)
            await visit.say("send_message", each.text, chat_id=each.chat_id, text=each.text)

    async def _think_of_more(self, visit: Visit) -> None:
        while self._visit is visit:
            await trio.sleep(self.random.expovariate(0.8 * self.haste))
            if self.is_talking and self._visit is visit and len(self.unsure) < IN_FLIGHT:
                text = self._next_text()
                self.unsure[text] = Unsure(text, self.random.choice(self.chats))
                self._ring()

    def _ring(self) -> None:
        self._news.set()


_BURSTS = (1, 1, 1, 1, 1, 1, 1, 20)
"""messages a guide's client says at once"""
_TYPES = 0.2
"""the share of what a guide's client says that is typing"""
_STUTTERS = 0.05
"""how often a careful client says the same thing twice at once"""

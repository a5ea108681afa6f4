"""All clients: they come in a few at a time, and whatever they are told goes into the books."""

from __future__ import annotations

import math
import re
from collections import Counter
from time import perf_counter
from typing import TYPE_CHECKING, Final

import attrs
import msgspec
import trio

from gogate_trio.bench.client import Client, TurnedAway, open_client
from gogate_trio.bench.histogram import Histogram

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gogate_trio.bench.ledger import Ledger
    from gogate_trio.bench.plan import Plan

WINDOW: Final = 32
"""connections that are being opened at the same time: the gateway validates as many at once."""

ENTRY_SECONDS: Final = 15.0
"""seconds for one to connect and to be let in: the gateway's own deadline is 10."""

GOODBYE_SECONDS: Final = 2.0
"""seconds for all to be let go in the end."""

MAX_CODES: Final = 64
"""different error codes that are told apart; the gateway has 28."""

OTHER: Final = "other"
"""Any further code, and one that is no word in capitals."""

_CODE: Final = re.compile(r"[A-Z][A-Z_]{1,39}")


class _Data(msgspec.Struct):
    chat_id: int | None = None
    text: str | None = None
    code: str | None = None


class _Said(msgspec.Struct):
    event: str
    data: _Data
    id: int | str | None = None


_said: Final = msgspec.json.Decoder(_Said)


@attrs.define(eq=False)
class Crowd:
    """The clients of one run, and what they saw."""

    plan: Plan
    ledger: Ledger
    inside: dict[int, Client] = attrs.field(factory=dict)
    """connection → its client, while it is in"""
    entries: Histogram = attrs.field(factory=Histogram)
    """From the first packet to ``auth_success``."""
    acks: Histogram = attrs.field(factory=Histogram)
    """From the moment a message was due to its ``ack``."""
    deliveries: Histogram = attrs.field(factory=Histogram)
    """From the moment a message was due to a member's ``new_message``."""
    turned_away: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)
    closes: Counter[int] = attrs.field(factory=Counter)
    """By close code, of connections that were in."""
    invalid: int = 0
    """Messages that were not one JSON document."""
    _leaving: bool = False
    _gone: trio.Event = attrs.field(factory=trio.Event)

    async def enter(self, connections: trio.Nursery) -> None:
        """Bring everybody in; returns when each is in or turned away."""
        numbers = iter(range(self.plan.connections))
        async with trio.open_nursery() as door:
            for _ in range(WINDOW):
                door.start_soon(self._usher, connections, numbers)

    async def goodbye(self) -> None:
        """Let everybody go, within a bound."""
        self._leaving = True
        for client in self.inside.values():
            client.leave()
        if self.inside:
            with trio.move_on_after(GOODBYE_SECONDS):
                await self._gone.wait()

    async def _usher(self, connections: trio.Nursery, numbers: Iterator[int]) -> None:
        for number in numbers:
            await connections.start(self._attend, number)

    async def _attend(self, number: int, *, task_status: trio.TaskStatus[None]) -> None:
        """One connection from its first packet to its end; started when that is decided."""
        began = perf_counter()
        reason = "no answer in time"
        with trio.move_on_after(ENTRY_SECONDS) as patience:
            try:
                async with open_client(self.plan.address) as client:
                    reason, rest = await self._authenticate(client, number)
                    if not reason:
                        patience.deadline = math.inf
                        self.entries.add(perf_counter() - began)
                        task_status.started()
                        await self._listen(client, number, rest)
                        return
            except TurnedAway as away:
                reason = away.reason
        self.turned_away[reason] += 1
        task_status.started()

    async def _authenticate(self, client: Client, number: int) -> tuple[str, list[str]]:
        """Why not, or nothing; and what was said behind ``auth_success`` already."""
        token = self.plan.tokens[number % len(self.plan.tokens)]
        client.say(_encode({"event": "auth", "data": {"token": token}}))
        while (texts := await client.texts()) is not None:
            for at, text in enumerate(texts):
                match self._read(text):
                    case _Said(event="auth_success"):
                        return "", texts[at + 1 :]
                    case _Said(event="error", data=_Data(code=code)):
                        return _word(code), []
                    case _:
                        pass
        return f"closed with {client.close_code}", []

    async def _listen(self, client: Client, number: int, first: list[str]) -> None:
        self.inside[number] = client
        self.ledger.arrive(number)
        try:
            texts: list[str] | None = first
            while texts is not None:
                now = perf_counter()
                for text in texts:
                    self._take(number, text, now)
                texts = await client.texts()
            if not self._leaving:
                self.closes[client.close_code] += 1
                self.ledger.leave(number)
        finally:
            del self.inside[number]
            if self._leaving and not self.inside:
                self._gone.set()

    def _take(self, number: int, text: str, now: float) -> None:
        said = self._read(text)
        match said:
            case _Said(event="new_message", data=_Data(chat_id=int(chat), text=str(words))):
                due = self.ledger.hear(number, chat, words)
                if due is not None:
                    self.deliveries.add(now - due)
            case _Said(event="ack", id=int(message)):
                due = self.ledger.acknowledge(message)
                if due is not None:
                    self.acks.add(now - due)
            case _Said(event="error", data=_Data(code=code)):
                self._count_error(_word(code))
                if isinstance(said.id, int):
                    self.ledger.refuse(said.id)
            case _:
                pass

    def _count_error(self, code: str) -> None:
        self.errors[code if code in self.errors or len(self.errors) < MAX_CODES else OTHER] += 1

    def _read(self, text: str) -> _Said | None:
        """What was said, None when it is an event of no interest here, or no JSON."""
        try:
            return _said.decode(text)
        except msgspec.ValidationError:
            return None
        except (ValueError, RecursionError):
            self.invalid += 1
            return None


def saying(message: int, chat: int, text: str) -> str:
    """The command that sends a message, with its number as its id."""
    data = {"chat_id": chat, "text": text}
    return _encode({"event": "send_message", "id": message, "data": data})


def _encode(command: dict[str, object]) -> str:
    return msgspec.json.encode(command).decode()


def _word(code: str | None) -> str:
    """A code as it may be printed: what a server under test says is not trusted."""
    return code if code and _CODE.fullmatch(code) else OTHER

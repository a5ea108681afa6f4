"""Two hundred people in twenty chats: most resume, give ids and react; some know only the guide."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import attrs
import trio

from simulation.people import Careful, Guide

if TYPE_CHECKING:
    from simulation.chronicle import Chronicle
    from simulation.people import Network
    from simulation.visit import Visit

PEOPLE = range(3001, 3201)
CHATS = range(1, 21)
SIZES = (10, 40)
"""members of a chat: at least, and at most"""
GUIDES = 5
"""every so-manieth knows only the guide"""
TALKERS = 4
"""every so-manieth talks; the others listen"""


def seat(seed: str) -> dict[int, list[int]]:
    """Return who is in which chat. Everybody is in one at least."""
    luck = Random(f"seats-{seed}")
    chats = {chat: sorted(luck.sample(PEOPLE, luck.randint(*SIZES))) for chat in CHATS}
    seated = {each for members in chats.values() for each in members}
    for each in sorted(set(PEOPLE) - seated):
        chats[min(chats, key=lambda chat: len(chats[chat]))].append(each)
    return chats


@attrs.define(eq=False)
class Citizen(Careful):
    """A careful client that asks for notices, and reacts to some of what it hears."""

    _reactions: list[int] = attrs.field(factory=list)
    """Ids of messages it has yet to react to."""
    _reacted: int = 0

    def _auth(self) -> dict[str, Any]:
        return super()._auth() | {"notices": True}

    def _hear(self, event: dict[str, Any], home: trio.Nursery) -> None:
        super()._hear(event, home)
        if event["event"] == "reconnect":
            self.note("told to go", retry=event["data"]["after_ms"] / 1000)
        if event["event"] == "new_message" and self.is_talking and self.random.random() < _REACTS:
            self._reactions.append(event["data"]["id"])
            self._ring()

    def _answered(self, text: str, data: dict[str, Any], home: trio.Nursery) -> None:
        if not text.startswith(_REACTION):
            super()._answered(text, data, home)

    async def _send_all(self, visit: Visit) -> None:
        await super()._send_all(visit)
        while self._reactions:
            self._reacted += 1
            data = {"message_id": self._reactions.pop(), "emoji": f"{self.name}.{self._reacted}"}
            await visit.say("add_reaction", f"{_REACTION}{self._reacted}", **data)


@attrs.define(eq=False)
class Herald(Guide):
    """Says long things in its chats, as fast as it can, while ``is_talking``."""

    async def _talk(self, visit: Visit, home: trio.Nursery) -> None:
        del home
        while True:
            await trio.sleep(_HERALD_SECONDS)
            if self.is_talking:
                text, chat = self._next_text(), self.random.choice(self.chats)
                self.note("said", text=text, chat=chat)
                data = {"chat_id": chat, "text": text, "attachment_ids": [*range(1, 101)]}
                await visit.say("send_message", **data)


def settle(seed: str, chats: dict[int, list[int]], network: Network, chronicle: Chronicle) -> list:
    """Return the people, who have yet to begin to live."""
    people: list[Guide] = []
    for user_id in PEOPLE:
        mine = [chat for chat, members in chats.items() if user_id in members]
        kind = Guide if user_id % GUIDES == 0 else Citizen
        luck = Random(f"{seed}-{user_id}")
        person = kind(f"no{user_id}", user_id, mine, network, luck, chronicle, paces=(0.0,))
        person.is_talking = user_id % TALKERS == 0
        people.append(person)
    return people


_REACTS = 0.02
"""how often one reacts to a message"""
_HERALD_SECONDS = 0.1
_REACTION = "reaction."
"""what the ids of reactions begin with"""

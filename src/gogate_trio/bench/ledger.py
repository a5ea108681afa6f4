"""What was said, who heard it, and what of it is missing, doubled, out of order or wrong: pure.

Every message carries its number. Of each chat the first to hear a message settle its place in
the order, and everybody else has to hear them in that order: with one order for all, nobody can
have heard a later message before. Who has heard one message of a chat is taken for a member, and
has to hear all that were stored: those that were acknowledged, and those that anybody heard.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, Final

import attrs

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_GAPS: Final = 1000
"""places a listener has missed that are remembered, to tell late from twice. More are counted."""

KNOWN: Final = 256
"""texts whose numbers are remembered: some seconds of a chat."""

DIGITS: Final = 10
"""of a message's number, at most."""

_UNANSWERED, _REFUSED, _ACKNOWLEDGED, _HEARD = 0, 1, 2, 4


@attrs.frozen
class Verdict:
    """What went wrong, in numbers of deliveries; 0 is good."""

    lost: int
    twice: int
    disordered: int
    altered: int
    """Another text than was sent, or in another chat."""
    unanswered: int
    """Messages without an answer that nobody heard: what became of them is unknown."""
    silent: int
    """Connections that heard nothing: not in the chat, or everything to them was lost."""


@attrs.define(eq=False)
class _Chat:
    """One chat's order."""

    places: dict[int, int] = attrs.field(factory=dict)
    """message → place, in the order of hearing"""
    unheard: set[int] = attrs.field(factory=set)
    """Acknowledged, and nobody has heard it yet."""
    latest_of: dict[int, int] = attrs.field(factory=dict)
    """sender → its message heard last"""


@attrs.define(eq=False)
class _Ear:
    """Where one listener is in one chat."""

    last: int = -1
    gaps: set[int] = attrs.field(factory=set)
    more_gaps: int = 0


@attrs.define(eq=False)
class Ledger:
    """Keeps the books of one run. ``now`` and ``due`` are seconds of one clock."""

    run: str
    """Letters and digits that no message of another run begins with."""
    chats: Sequence[int]
    text_size: int
    deliveries: int = 0
    sent: int = 0
    refused: int = 0
    twice: int = 0
    disordered: int = 0
    altered: int = 0
    _due: array[float] = attrs.field(factory=lambda: array("d"))
    _senders: array[int] = attrs.field(factory=lambda: array("l"))
    _states: bytearray = attrs.field(factory=bytearray)
    _chats: dict[int, _Chat] = attrs.field(init=False)
    _ears: dict[int, dict[int, _Ear]] = attrs.field(factory=dict)
    """listener → chat → ear"""
    _known: dict[str, int] = attrs.field(factory=dict)
    """Texts seen lately → their numbers: everybody hears the same ones."""

    def __attrs_post_init__(self) -> None:
        self._chats = {chat: _Chat() for chat in self.chats}

    def chat_of(self, number: int) -> int:
        """The chats are spoken to in turn."""
        return self.chats[number % len(self.chats)]

    def text_of(self, number: int) -> str:
        """What message ``number`` says."""
        return f"gogate bench {self.run} {number} ".ljust(self.text_size, ".")

    def send(self, sender: int, due: float) -> int:
        """Note a message that leaves; its number."""
        self._due.append(due)
        self._senders.append(sender)
        self._states.append(_UNANSWERED)
        self.sent += 1
        return self.sent - 1

    def acknowledge(self, number: int) -> float | None:
        """The gateway says it is stored; when it was due, None for no message of ours."""
        if not 0 <= number < self.sent:
            return None
        if not self._states[number] & (_HEARD | _ACKNOWLEDGED):
            self._chats[self.chat_of(number)].unheard.add(number)
        self._states[number] |= _ACKNOWLEDGED
        return self._due[number]

    def refuse(self, number: int) -> None:
        """The gateway says no: nobody has to hear it."""
        if 0 <= number < self.sent and not self._states[number]:
            self._states[number] = _REFUSED
            self.refused += 1

    def arrive(self, listener: int) -> None:
        """Somebody is in, and listens from now on."""
        self._ears[listener] = {}

    def leave(self, listener: int) -> None:
        """Somebody has gone: what they missed is not asked for any more."""
        self._ears.pop(listener, None)

    def hear(self, listener: int, chat: int, text: str) -> float | None:
        """Note one delivery; when its message was due, None when it is none of ours."""
        number = self._known.get(text, -1)
        if number < 0:
            number = self._number_in(text)
            if number < 0:
                return None
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[text] = number
        room = self._chats.get(chat)
        if room is None or self.chat_of(number) != chat:
            self.altered += 1
            return None
        place = room.places.get(number)
        if place is None:
            place = self._settle(room, number)
        ears = self._ears[listener]
        ear = ears.get(chat)
        if ear is None:
            ear = ears[chat] = _Ear()
        if place == ear.last + 1:
            ear.last = place
        elif not self._stray(ear, place):
            return None
        self.deliveries += 1
        return self._due[number]

    def complete(self) -> bool:
        """Whether every message has its answer, and every member has heard every stored one."""
        return not self._unanswered() and not self._lost()

    def verdict(self) -> Verdict:
        """What is wrong by now."""
        return Verdict(
            lost=self._lost(),
            twice=self.twice,
            disordered=self.disordered,
            altered=self.altered,
            unanswered=self._unanswered(),
            silent=sum(not ears for ears in self._ears.values()) if self.sent else 0,
        )

    def _number_in(self, text: str) -> int:
        """The message that this is, -1 for somebody else's; ours in other words are counted."""
        start = f"gogate bench {self.run} "
        if not text.startswith(start):
            return -1
        digits = text[len(start) : len(start) + DIGITS].partition(" ")[0]
        number = int(digits) if digits.isascii() and digits.isdigit() else -1
        if not 0 <= number < self.sent or text != self.text_of(number):
            self.altered += 1
            return -1
        return number

    def _settle(self, room: _Chat, number: int) -> int:
        """The first to hear a message give it its place; a sender's own keep their order."""
        place = room.places[number] = len(room.places)
        room.unheard.discard(number)
        self._states[number] |= _HEARD
        sender = self._senders[number]
        if number < room.latest_of.get(sender, -1):
            self.disordered += 1
        else:
            room.latest_of[sender] = number
        return place

    def _stray(self, ear: _Ear, place: int) -> bool:
        """Not the next one: whether it counts as a delivery."""
        if place > ear.last:
            missed = range(ear.last + 1, place)
            kept = missed[: MAX_GAPS - len(ear.gaps)]
            ear.gaps.update(kept)
            ear.more_gaps += len(missed) - len(kept)
            ear.last = place
            return True
        if place in ear.gaps:
            ear.gaps.remove(place)
            self.disordered += 1
            return True
        self.twice += 1
        return False

    def _lost(self) -> int:
        return sum(
            self._missing(chat, ear) for ears in self._ears.values() for chat, ear in ears.items()
        )

    def _missing(self, chat: int, ear: _Ear) -> int:
        room = self._chats[chat]
        behind = len(room.places) - 1 - ear.last
        return behind + len(ear.gaps) + ear.more_gaps + len(room.unheard)

    def _unanswered(self) -> int:
        return self._states.count(_UNANSWERED)

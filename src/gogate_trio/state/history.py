"""What was published lately: the window out of which a reconnecting client is brought up to date.

Offsets count up by one with every durable publication of one epoch. A position names an
epoch and an offset; under another epoch the offset means nothing. The window is bounded in
time, in events and in bytes; what has left it can only be fetched from the backend.
"""

from __future__ import annotations

import re
import secrets
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import attrs

from gogate_trio.ids import ChatId, UserId

_USER_BYTES: Final = 70
"""bytes a user takes in an audience: the number, and its place in the dictionary."""

_POSITION: Final = re.compile(r"([0-9a-z]{1,32})-([0-9]{1,18})")


@attrs.frozen
class Position:
    """Where in the stream a client is: everything up to ``offset`` has been seen."""

    epoch: str
    """1 to 32 digits and lower-case letters."""
    offset: int

    def __str__(self) -> str:
        """Return the opaque word a client is given."""
        return f"{self.epoch}-{self.offset}"

    @classmethod
    def read(cls, text: str) -> Position | None:
        """Read what a client gives back, or None when it is no position."""
        match = _POSITION.fullmatch(text)
        return cls(match[1], int(match[2])) if match else None


def new_epoch() -> str:
    """Return a word that no stream has been called yet."""
    return secrets.token_hex(8)


@attrs.frozen(eq=False)
class Entry:
    """One durable publication, as the window keeps it."""

    offset: int
    text: bytes
    """The event, one JSON document, without its position."""
    audience: Mapping[UserId, str]
    chat_id: ChatId | None
    """Whose membership decides whether it may still be seen; None for the audience alone."""
    at: float
    """When it came, in the seconds of the clock the window is given."""

    except_user: UserId | None = None
    """Who shall not get it although they are in the audience."""

    def is_for(self, user_id: UserId) -> bool:
        """Whether it was told to a user, or would have been."""
        return user_id in self.audience and user_id != self.except_user

    @property
    def weight(self) -> int:
        """Bytes it takes, about; a chat's audience is the member list, which is kept anyway."""
        own = 0 if self.chat_id is not None else len(self.audience)
        return len(self.text) + own * _USER_BYTES


@attrs.frozen
class Window:
    """The bounds of a history."""

    seconds: float
    events: int
    size: int
    """bytes of event texts, and of audiences that are no chat's"""


class History:
    """The window of one node. Time is an argument and never goes back."""

    def __init__(self, epoch: str, window: Window) -> None:
        """``epoch``: a word no earlier history of this stream had."""
        self._window = window
        self._entries: deque[Entry] = deque()
        self._size = 0
        self._floor = 0
        self._trunk: Position | None = None
        """Where this epoch has branched off another, whose positions up to there count too."""
        self.epoch = epoch
        self.head = 0
        """The offset of the newest event that has been published, or of a place behind it that
        holds none; 0 before the first."""
        self.offered = 0
        """The offset up to which every event has been offered to all who listened."""

    def __len__(self) -> int:
        """Return how many events are kept."""
        return len(self._entries)

    @property
    def size(self) -> int:
        """Bytes that are kept: event texts, and audiences that are no chat's."""
        return self._size

    @property
    def floor(self) -> int:
        """The offset up to which events have left the window."""
        return self._floor

    @property
    def position(self) -> Position:
        """Where somebody is who has seen everything."""
        return Position(self.epoch, self.head)

    def begin(self, epoch: str, head: int = 0) -> None:
        """Begin another epoch: all earlier positions are void."""
        self.epoch = epoch
        self._trunk = None
        self.head = self.offered = self._floor = head
        self._entries.clear()
        self._size = 0

    def branch(self, epoch: str) -> None:
        """Go on under another epoch of one's own: positions given so far keep their meaning.

        What is appended from now on has a place that is known nowhere else.
        """
        self._trunk = self.position
        self.epoch = epoch

    def load(self, epoch: str, entries: Iterable[Entry], *, floor: int, head: int) -> None:
        """Become the window of a stream: these entries are all there was from floor to head.

        Where it is the stream this one branched off, what came before that is kept. All other
        positions are void.
        """
        trunk = self._trunk
        if trunk is not None and trunk.epoch == epoch and floor <= trunk.offset:
            while self._entries and self._entries[-1].offset > trunk.offset:
                self._size -= self._entries.pop().weight
            self._floor = min(self._floor, trunk.offset)
            self.epoch, self._trunk, self.head = epoch, None, trunk.offset
        else:
            self.begin(epoch, floor)
        for entry in entries:
            if entry.offset > self.head:
                self.append(entry)
        self.head = self.offered = head

    def append(self, entry: Entry) -> None:
        """Keep an event. Its offset must be above the head."""
        self.head = entry.offset
        self._entries.append(entry)
        self._size += entry.weight
        self._trim(entry.at)

    def step(self, offset: int) -> None:
        """Go on to a place without an event, above the head; all before it has been offered."""
        self.head = self.offered = offset

    def covers(self, position: Position, now: float) -> bool:
        """Whether everything after a position is still here."""
        self._trim(now)
        return self.knows(position) and position.offset >= self._floor

    def knows(self, position: Position) -> bool:
        """Whether a position means anything here."""
        if position.epoch == self.epoch:
            return position.offset <= self.head
        trunk = self._trunk
        return (
            trunk is not None and position.epoch == trunk.epoch and position.offset <= trunk.offset
        )

    def place(self, offset: int) -> Position:
        """Return the position of an event: where it was before a branch, in the epoch of then."""
        if self._trunk is not None and offset <= self._trunk.offset:
            return Position(self._trunk.epoch, offset)
        return Position(self.epoch, offset)

    def after(self, offset: int) -> Iterator[Entry]:
        """Yield what came after an offset, oldest first. Nothing may be appended meanwhile."""
        return islice(self._entries, self._index_after(offset), None)

    def _index_after(self, offset: int) -> int:
        """Return the index of the first entry after an offset, by bisection."""
        low, high = 0, len(self._entries)
        while low < high:
            middle = (low + high) // 2
            if self._entries[middle].offset <= offset:
                low = middle + 1
            else:
                high = middle
        return low

    def _trim(self, now: float) -> None:
        window, entries = self._window, self._entries
        while entries and (
            len(entries) > window.events
            or self._size > window.size
            or now - entries[0].at > window.seconds
        ):
            gone = entries.popleft()
            self._size -= gone.weight
            self._floor = gone.offset

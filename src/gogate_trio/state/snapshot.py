"""What a node leaves to its successor: the window and the sessions, as plain values.

Times are ages at the moment of the snapshot, because no two processes share a clock but the
wall's. Audiences stand once each; what is told again asks for ids only, so names stay behind.
No token is in here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Generic, TypeVar

import attrs

from gogate_trio.ids import ChatId, MessageId, UserId
from gogate_trio.protocol.commands import CommandId
from gogate_trio.protocol.events import Ack, Event, Stored
from gogate_trio.protocol.refusals import Refusal
from gogate_trio.state.history import Entry, History, Position
from gogate_trio.state.messages import KnownMessages
from gogate_trio.state.sessions import Outcomes, Session, Sessions

W = TypeVar("W")


@attrs.frozen
class SavedEntry:
    """One event of the window."""

    offset: int
    text: bytes = attrs.field(repr=False)
    audience: int
    """Where it stands among the audiences."""
    chat_id: ChatId | None
    age: float
    except_user: UserId | None = None


@attrs.frozen
class SavedOutcome:
    """How a command went: refused, stored or, with neither, simply done."""

    command_id: CommandId
    age: float
    stored: tuple[MessageId, ChatId] | None = None
    refusal: Refusal | None = None


@attrs.frozen
class SavedSession:
    """A session that its client may come back to."""

    session_id: str
    user_id: UserId
    told_to: int
    complete_at: Position | None
    age: float
    outcomes: tuple[SavedOutcome, ...]


@attrs.frozen
class Imprint:
    """Whose a snapshot is, and of when."""

    writer: str
    """The process that wrote it."""
    backend: str
    """Where the backend is: under another address, these are other people's messages."""
    written_at: float
    """By the wall's clock: seconds since 1970."""


@attrs.frozen(kw_only=True)
class Snapshot:
    """Everything of a node that ends."""

    imprint: Imprint
    epoch: str
    floor: int
    head: int
    audiences: tuple[tuple[UserId, ...], ...]
    entries: tuple[SavedEntry, ...]
    sessions: tuple[SavedSession, ...]
    messages: tuple[tuple[MessageId, ChatId], ...]
    """Which chats messages are in, the oldest first."""
    keys: tuple[tuple[str, float], ...] = ()
    """Of publications, and for how many seconds each was remembered still."""

    @property
    def is_sound(self) -> bool:
        """Whether this can be the window of any node: offsets rise, audiences are there."""
        offsets = [self.floor, *(entry.offset for entry in self.entries)]
        return (
            0 <= self.floor <= offsets[-1] <= self.head
            and all(before < after for before, after in pairwise(offsets))
            and all(0 <= entry.audience < len(self.audiences) for entry in self.entries)
        )


@attrs.frozen(eq=False)
class Estate(Generic[W]):
    """The rooms of which a node leaves what is in them."""

    history: History
    sessions: Sessions[Event | Refusal, W]
    messages: KnownMessages


def take(estate: Estate[W], imprint: Imprint, *, now: float) -> Snapshot:
    """Return what there is, as of now; nobody may be connected any more."""
    history = estate.history
    audiences: dict[tuple[UserId, ...], int] = {}
    places: dict[int, int] = {}
    entries = []
    for entry in history.after(history.floor):
        # Most audiences are one object for many events: its members are looked at once.
        place = places.get(id(entry.audience))
        if place is None:
            place = audiences.setdefault(tuple(entry.audience), len(audiences))
            places[id(entry.audience)] = place
        age = now - entry.at
        entries.append(
            SavedEntry(entry.offset, entry.text, place, entry.chat_id, age, entry.except_user)
        )
    return Snapshot(
        imprint=imprint,
        epoch=history.epoch,
        floor=history.floor,
        head=history.head,
        audiences=tuple(audiences),
        entries=tuple(entries),
        messages=tuple(estate.messages.all()),
        sessions=tuple(_saved(session, now) for session in estate.sessions.away()),
    )


def restore(snapshot: Snapshot, estate: Estate[W], *, now: float, wall: float) -> None:
    """Go on with a sound snapshot, in rooms that are still empty."""
    then = now - max(0.0, wall - snapshot.imprint.written_at)
    audiences: list[Mapping[UserId, str]] = [dict.fromkeys(ids, "") for ids in snapshot.audiences]
    entries = (
        Entry(
            each.offset,
            each.text,
            audiences[each.audience],
            each.chat_id,
            then - each.age,
            each.except_user,
        )
        for each in snapshot.entries
    )
    estate.history.load(snapshot.epoch, entries, floor=snapshot.floor, head=snapshot.head)
    for saved in snapshot.sessions:
        estate.sessions.restore(_revived(saved, then))
    for message_id, chat_id in snapshot.messages:
        estate.messages.learn(message_id, chat_id)


def _saved(session: Session[Event | Refusal, W], now: float) -> SavedSession:
    return SavedSession(
        session.session_id,
        session.user_id,
        session.told_to,
        session.complete_at,
        now - session.left_time,
        tuple(_saved_outcomes(session.outcomes, now)),
    )


def _saved_outcomes(outcomes: Outcomes[Event | Refusal, W], now: float) -> Iterator[SavedOutcome]:
    for command_id, outcome, at in outcomes.settled():
        match outcome:
            case Refusal():
                yield SavedOutcome(command_id, now - at, refusal=outcome)
            case Stored():
                stored = (outcome.message_id, outcome.chat_id)
                yield SavedOutcome(command_id, now - at, stored=stored)
            case Ack():
                yield SavedOutcome(command_id, now - at)
            case _:
                # Nothing else answers a command that has an id.
                raise AssertionError(outcome)


def _revived(saved: SavedSession, then: float) -> Session[Event | Refusal, W]:
    outcomes = Outcomes[Event | Refusal, W](saved.session_id)
    for each in saved.outcomes:
        outcomes.restore(each.command_id, _outcome(each), then - each.age)
    return Session(
        saved.session_id,
        saved.user_id,
        outcomes,
        told_to=saved.told_to,
        complete_at=saved.complete_at,
        left_time=then - saved.age,
    )


def _outcome(saved: SavedOutcome) -> Event | Refusal:
    if saved.refusal is not None:
        return saved.refusal
    return Ack() if saved.stored is None else Stored(*saved.stored)

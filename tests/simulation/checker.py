"""What may not have happened. Each law reads the chronicle, and nothing else, and names breaches.

It knows nothing of how the gateway works: messages are told apart by their texts, which are
``name.number`` and unique for each intention to say something; connections by numbers, of which
the thousands count the lives of the gateway; positions as an epoch and an offset.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise

import attrs

from simulation.chronicle import Chronicle, Note

LIFE = 100_000
"""connections of one life of the gateway: their numbers begin at a multiple of this"""

MARGIN = 2.0
"""seconds before something goes wrong in which what was stored may not have been told by then"""


@attrs.frozen
class Breach:
    """One law that was broken."""

    law: str
    who: str
    told: str
    texts: frozenset[str] = frozenset()
    """The messages it is about."""

    def __str__(self) -> str:
        return f"{self.law}: {self.who}: {self.told}"


@attrs.frozen
class Member:
    """Somebody whose client has been watched."""

    name: str
    chats: frozenset[int]
    known: frozenset[int]
    """Ids of the messages its client had heard of or loaded in the end."""
    is_careful: bool
    unsure: tuple[str, ...] = ()
    """What it still waits to be told about."""


@attrs.frozen
class Case:
    """Everything there is to judge."""

    chronicle: Chronicle
    members: tuple[Member, ...]
    honours_keys: bool = True
    """Whether the backend knows ``Idempotency-Key``."""
    leaks: tuple[str, ...] = ()
    bugs: tuple[str, ...] = ()
    gaps_told: int = 0
    """How often the gateway has said that the stream has a gap."""


def breaches(case: Case) -> list[Breach]:
    """Return everything that should not be."""
    return [breach for law in LAWS for breach in law(case)]


# ── stored ───────────────────────────────────────────────────────────────────


def acked_but_lost(case: Case) -> Iterator[Breach]:
    """What was acknowledged is stored, under the id that was told, when it is acknowledged."""
    stored: dict[str, set[int]] = defaultdict(set)
    for note in case.chronicle.of("stored", "acked"):
        text, message = note.details["text"], note.details["message"]
        if note.what == "stored":
            stored[text].add(message)
        elif message not in stored[text]:
            told = f"{text} was acknowledged as {message} and is stored as {sorted(stored[text])}"
            yield Breach("acked but lost", note.who, told, frozenset({text}))


def stored_twice(case: Case) -> Iterator[Breach]:
    """What was said with an id is stored once, however often it was said.

    A backend that knows no keys cannot be kept from it when the gateway has forgotten.
    """
    lives: dict[str, set[int]] = defaultdict(set)
    for note in case.chronicle.of("said"):
        if "id" in note.details:
            lives[note.details["text"]].add(note.details["connection"] // LIFE)
    stored = Counter(note.details["text"] for note in case.chronicle.of("stored"))
    for text, lived in lives.items():
        if stored[text] > 1 and (case.honours_keys or len(lived) == 1):
            yield Breach("stored twice", text, f"{stored[text]} times", frozenset({text}))


def unanswered(case: Case) -> Iterator[Breach]:
    """What was said with an id is answered in the end."""
    for member in case.members:
        if member.unsure:
            told = f"no answer to {', '.join(member.unsure)}"
            yield Breach("unanswered", member.name, told, frozenset(member.unsure))


# ── told ─────────────────────────────────────────────────────────────────────


def duplicates(case: Case) -> Iterator[Breach]:
    """No connection is told the same twice, and no client what lies before its position."""
    told: set[tuple[int, object]] = set()
    seen: dict[tuple[str, str], int] = {}
    for note in case.chronicle.of("heard", "felt"):
        what = note.details.get("reaction", note.details.get("message"))
        texts = _texts(note)
        key = (note.details["connection"], what)
        if key in told:
            yield Breach("duplicate", note.who, f"{what} came twice over {key[0]}", texts)
        told.add(key)
        if note.details["position"] is None:
            continue
        epoch, offset = _read(note.details["position"])
        newest = seen.get((note.who, epoch), -1)
        if offset <= newest:
            yield Breach("duplicate", note.who, f"{what} at {offset}, after {newest}", texts)
        seen[note.who, epoch] = max(offset, newest)


def forked(case: Case) -> Iterator[Breach]:
    """A position is that of the same event for everybody."""
    truth: dict[str, tuple[object, str]] = {}
    for note in case.chronicle.of("heard", "felt"):
        position = note.details["position"]
        if position is None:
            continue
        what = note.details.get("reaction", note.details.get("message"))
        first, who = truth.setdefault(position, (what, note.who))
        if first != what:
            told = f"{what} at {position}, where {who} heard {first}"
            yield Breach("forked", note.who, told, _texts(note))


def reordered(case: Case) -> Iterator[Breach]:
    """All receivers of a chat hear the same order: in one life of the gateway, in one epoch.

    Where there are several nodes, on all of them as long as they are together. While they are
    not, those who know no positions hear the order of their own node.
    """
    after: dict[tuple[object, int], dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for scope, chat, texts in _orders(case):
        for earlier, later in pairwise(texts):
            if earlier != later:
                after[scope, chat][later].add(earlier)
    for (_, chat), graph in after.items():
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            cycle = error.args[1]
            yield Breach("reordered", f"chat {chat}", " < ".join(cycle), frozenset(cycle))


def _orders(case: Case) -> Iterator[tuple[object, int, list[str]]]:
    """Yield the orders that must agree: in which scope, of which chat, and the texts."""
    together = _stored_together(case.chronicle)
    are_many = any(case.chronicle.of("together"))
    orders: dict[tuple[object, int, int], list[str]] = defaultdict(list)
    for note in case.chronicle.of("heard"):
        text, position = note.details["text"], note.details["position"]
        connection, chat = note.details["connection"], note.details["chat"]
        if position is not None:
            orders[_read(position)[0], connection, chat].append(text)
        if position is None or not are_many:
            orders[connection // LIFE, connection, chat].append(text)
        if text in together:
            orders[("together", together[text]), connection, chat].append(text)
    for (scope, _, chat), texts in orders.items():
        yield scope, chat, texts


def _stored_together(chronicle: Chronicle) -> dict[str, int]:
    """Return what was stored while all nodes heard of each other, each with which such time."""
    together: dict[str, tuple[float, int]] = {}
    stretch, are_together = 0, False
    for note in chronicle.of("together", "apart", "stored"):
        if note.what == "stored" and are_together:
            together.setdefault(note.details["text"], (note.at, stretch))
        elif note.what == "together":
            stretch, are_together = stretch + 1, True
        elif note.what == "apart":
            are_together = False
            together = {
                text: (at, of) for text, (at, of) in together.items() if at < note.at - MARGIN
            }
    return {text: of for text, (_, of) in together.items()}


def overtaken(case: Case) -> Iterator[Breach]:
    """What one client says in a chat is heard in the order in which it said it.

    Not what the gateway has refused meanwhile, so that it was said again later. A client
    without ids is known by its connection. So is one that goes from node to node while these are
    apart: what it says on the one cannot wait for what the other has yet to tell.
    """
    said, free = {}, set()
    together = _stored_together(case.chronicle)
    are_many = any(case.chronicle.of("together"))
    for note in case.chronicle.of("said", "refused", "called"):
        text = note.details["text"]
        if note.what == "said":
            is_own = "id" not in note.details or (are_many and text not in together)
            source = (note.who, note.details["connection"]) if is_own else note.who
            if is_own and said.setdefault(text, source) != source:
                free.add(text)
            said.setdefault(text, source)
        elif note.what == "refused" or note.details["fate"] == "refused dial":
            free.add(text)
    for (who, _, _), texts in _heard(case).items():
        newest: dict[object, int] = {}
        for text in texts:
            if text in free or text not in said:
                continue
            number = int(text.rpartition(".")[2])
            if number < newest.get(said[text], 0):
                told = f"{text} after number {newest[said[text]]}"
                yield Breach("overtaken", who, told, frozenset({text}))
            newest[said[text]] = max(number, newest.get(said[text], 0))


def silent_gaps(case: Case) -> Iterator[Breach]:
    """In the end everybody knows everything that the backend has said it stored.

    But for those who cannot be told of a gap, where there was one.
    """
    lost = _lost(case.chronicle)
    answered = {note.details["message"]: note for note in case.chronicle.of("answered")}
    chats = {note.details["text"]: note.details["chat"] for note in case.chronicle.of("said")}
    for member in case.members:
        if case.gaps_told and not member.is_careful:
            continue
        for message, note in answered.items():
            text = note.details["text"]
            if text in lost and not member.is_careful:
                continue
            if chats[text] in member.chats and message not in member.known:
                told = f"never heard of {text} ({message})"
                yield Breach("silent gap", member.name, told, frozenset({text}))


def _lost(chronicle: Chronicle) -> set[str]:
    """Return what may be lost to those who know no positions: what was stored around a loss."""
    lost: set[str] = set()
    recent: dict[str, float] = {}
    is_lossy = False
    for note in chronicle.of("lossy", "whole", "answered"):
        is_lossy = note.what == "lossy" or (is_lossy and note.what != "whole")
        if note.what == "lossy":
            lost |= {text for text, at in recent.items() if at >= note.at - MARGIN}
        elif note.what == "answered":
            recent[note.details["text"]] = note.at
            lost |= {note.details["text"]} if is_lossy else set()
    return lost


def holes(case: Case) -> Iterator[Breach]:
    """Up to its position a client has heard everything that others have heard of its chats.

    From where it was last told to load everything, or began.
    """
    truth: dict[str, dict[int, Note]] = defaultdict(dict)
    chats: dict[int, int] = {}
    told: dict[str, list[Note]] = defaultdict(list)
    for note in case.chronicle.of("welcomed", "resync", "heard", "felt"):
        if note.what == "heard":
            chats[note.details["message"]] = note.details["chat"]
        if note.details.get("position") is None:
            continue
        told[note.who].append(note)
        if note.what in {"heard", "felt"}:
            epoch, offset = _read(note.details["position"])
            truth[epoch][offset] = note
    for member in case.members:
        if member.is_careful:
            yield from _holes_of(member, told[member.name], truth, chats)


def _holes_of(
    member: Member, told: list[Note], truth: dict[str, dict[int, Note]], chats: dict[int, int]
) -> Iterator[Breach]:
    """Go through what a client was told, keeping the stretch that it believes to know whole.

    Another epoch without a word begins where the one before was: its node goes on alone.
    """
    epoch, since, until = "", 0, 0
    heard: set[int] = set()
    for note in (*told, _END):
        begins_anew = note.what == "resync" or note.details.get("recovered") is False
        position = (epoch, until) if note is _END else _read(note.details["position"])
        if note is _END or begins_anew or position[0] != epoch:
            for offset in range(since + 1, until + 1):
                missed = truth[epoch].get(offset)
                if missed is None or offset in heard:
                    continue
                if chats.get(missed.details["message"]) in member.chats:
                    left_out = missed.details.get("text", missed.details.get("reaction"))
                    place = f"{left_out} at {epoch}-{offset} was left out"
                    yield Breach("silent gap", member.name, place, _texts(missed))
            epoch, since, heard = position[0], position[1] if begins_anew else until, set()
            until = since
        until = max(until, position[1])
        if note.what in {"heard", "felt"}:
            heard.add(position[1])


# ── left over ────────────────────────────────────────────────────────────────


def leaked(case: Case) -> Iterator[Breach]:
    """When everybody has left, nothing of them is left."""
    for leak in case.leaks:
        yield Breach("leaked", "gateway", leak)


def bugs(case: Case) -> Iterator[Breach]:
    """Nothing was raised that nobody expected."""
    for bug in case.bugs:
        yield Breach("bug", "gateway", bug)


LAWS: tuple[Callable[[Case], Iterable[Breach]], ...] = (
    acked_but_lost,
    stored_twice,
    unanswered,
    duplicates,
    forked,
    reordered,
    overtaken,
    silent_gaps,
    holes,
    leaked,
    bugs,
)


def _heard(case: Case) -> dict[tuple[str, int, int], list[str]]:
    """Return the texts each connection heard of each chat, in order."""
    heard: dict[tuple[str, int, int], list[str]] = defaultdict(list)
    for note in case.chronicle.of("heard"):
        key = (note.who, note.details["connection"], note.details["chat"])
        heard[key].append(note.details["text"])
    return heard


def _texts(note: Note) -> frozenset[str]:
    return frozenset({note.details["text"]} if "text" in note.details else ())


def _read(position: str) -> tuple[str, int]:
    epoch, _, offset = position.rpartition("-")
    return epoch, int(offset)


_END = Note(0.0, "the end", "end", {})

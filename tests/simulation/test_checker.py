"""The judge itself: each law finds its breach in the shortest story that has one, and no other."""

from __future__ import annotations

import attrs
import pytest

from simulation.checker import LAWS, LIFE, Case, Member, breaches
from simulation.chronicle import Chronicle

ANN, BOB = LIFE + 1, LIFE + 2
"""connections of the first life"""


def chronicle(*notes):
    """What has happened, one thing a second."""
    seconds = iter(range(len(notes)))
    written = Chronicle(lambda: next(seconds))
    for who, what, details in notes:
        written.note(who, what, **details)
    return written


def said(text, *, connection=ANN, with_id=True):
    """Ann says something."""
    details = {"text": text, "chat": 1, "connection": connection}
    return "ann", "said", details | ({"id": text} if with_id else {})


def stored(text, message):
    """The backend stores it and says so."""
    details = {"text": text, "message": message}
    return [("backend", "stored", details), ("backend", "answered", details)]


def acked(text, message):
    """Ann is told that it is stored."""
    return "ann", "acked", {"text": text, "message": message, "code": None}


def heard(who, text, message, offset, *, connection=None, epoch="e"):
    """Somebody hears it."""
    connection = connection or {"ann": ANN, "bob": BOB}[who]
    position = f"{epoch}-{offset}"
    details = {"connection": connection, "chat": 1, "position": position}
    return who, "heard", {"text": text, "message": message, **details}


def plainly(who, text, message, connection):
    """Somebody who knows no positions hears it."""
    details = {"connection": connection, "chat": 1, "position": None}
    return who, "heard", {"text": text, "message": message, **details}


def felt(who, message, offset):
    """Somebody hears of a reaction."""
    details = {"connection": {"ann": ANN, "bob": BOB}[who], "position": f"e-{offset}"}
    return who, "felt", {"reaction": (message, "!"), "message": message, **details}


def world(what):
    """The nodes are together or apart, or lose something."""
    return "world", what, {}


def welcomed(who, position, *, recovered):
    """Somebody begins, or comes back."""
    return who, "welcomed", {"recovered": recovered, "position": position}


def case(*notes, known=(1, 2), **more):
    """A case with two careful members of one chat, who know messages 1 and 2 in the end."""
    members = tuple(
        Member(name, frozenset({1}), frozenset(known), is_careful=True) for name in ("ann", "bob")
    )
    return Case(chronicle(*notes), more.pop("members", members), **more)


BOTH_STORED = [said("ann.1"), said("ann.2"), *stored("ann.1", 1), *stored("ann.2", 2)]
TWO_STORED = [said("x.1"), said("y.1"), *stored("x.1", 1), *stored("y.1", 2)]
BEGUN = [welcomed("ann", "e-0", recovered=False), welcomed("bob", "e-0", recovered=False)]
TOLD = [
    heard(who, text, message, message)
    for who in ("ann", "bob")
    for text, message in (("ann.1", 1), ("ann.2", 2))
]
GOOD = case(*BEGUN, *BOTH_STORED, acked("ann.1", 1), *TOLD)


def laws_broken(judged):
    """The names of the laws that were broken."""
    return {breach.law for breach in breaches(judged)}


def test_nothing_is_found_where_nothing_is():
    """A chat as it should be, with a client that comes back and one that loads everything."""
    assert breaches(GOOD) == []
    back = [
        *BEGUN,
        *BOTH_STORED,
        heard("ann", "ann.1", 1, 1),
        heard("ann", "ann.2", 2, 2),
        heard("bob", "ann.1", 1, 1),
        welcomed("bob", "e-1", recovered=True),
        heard("bob", "ann.2", 2, 2, connection=LIFE + 3),
    ]
    assert breaches(case(*back)) == []
    loaded = [*BEGUN, *BOTH_STORED, *TOLD[:2], welcomed("bob", "f-2", recovered=False)]
    assert breaches(case(*loaded)) == []


@pytest.mark.parametrize(
    ("law", "judged"),
    [
        ("acked but lost", case(*BOTH_STORED, acked("ann.1", 2))),
        ("acked but lost", case(said("ann.1"), acked("ann.1", None), *stored("ann.1", 1))),
        ("stored twice", case(*BOTH_STORED, *stored("ann.1", 3), known=(1, 2, 3))),
        ("unanswered", attrs.evolve(GOOD, members=(attrs.evolve(GOOD.members[0], unsure=("x",)),))),
        ("duplicate", case(*BEGUN, *BOTH_STORED, *TOLD, heard("bob", "ann.2", 2, 3))),
        ("duplicate", case(*BEGUN, *BOTH_STORED, *TOLD, heard("bob", "ann.1", 1, 1, connection=9))),
        ("forked", case(*BEGUN, *BOTH_STORED, TOLD[0], heard("bob", "ann.2", 2, 1))),
        (
            "reordered",
            case(*stored("x.1", 1), *stored("y.1", 2), said("x.1"), said("y.1"),
                 plainly("ann", "x.1", 1, ANN), plainly("ann", "y.1", 2, ANN),
                 plainly("bob", "y.1", 2, BOB), plainly("bob", "x.1", 1, BOB)),
        ),
        (
            "overtaken",
            case(*BOTH_STORED, heard("ann", "ann.2", 2, 1), heard("ann", "ann.1", 1, 2)),
        ),
        ("silent gap", case(*BOTH_STORED, known=(1,))),
        (
            "silent gap",
            case(*BEGUN, *BOTH_STORED, *TOLD[:2], heard("bob", "ann.2", 2, 2)),
        ),
        (
            "silent gap",
            case(*BEGUN, *BOTH_STORED, *TOLD[:3], welcomed("bob", "e-2", recovered=True)),
        ),
        ("silent gap", case(*BEGUN, *BOTH_STORED, *TOLD, felt("ann", 1, 3), felt("bob", 1, 4))),
        (
            "silent gap",
            case(*BEGUN, *BOTH_STORED, *TOLD[:3], heard("ann", "x.1", 3, 3, epoch="f"),
                 heard("ann", "x.2", 4, 4, epoch="f"), heard("bob", "x.2", 4, 4, epoch="f")),
        ),
        (
            "reordered",
            case(world("together"), *TWO_STORED, plainly("ann", "x.1", 1, LIFE),
                 plainly("ann", "y.1", 2, LIFE), plainly("bob", "y.1", 2, 2 * LIFE),
                 plainly("bob", "x.1", 1, 2 * LIFE)),
        ),
        ("leaked", attrs.evolve(GOOD, leaks=("1 task",))),
        ("bug", attrs.evolve(GOOD, bugs=("ZeroDivisionError",))),
    ],
)  # fmt: skip
def test_each_law_finds_its_breach(law, judged):
    """And no other law takes it for its own."""
    assert laws_broken(judged) == {law}


def test_every_law_has_its_breach():
    """None is left that nothing can break."""
    cases = test_each_law_finds_its_breach.pytestmark[0].args[1]

    for law in LAWS:
        assert any(list(law(judged)) for _, judged in cases), law.__name__


def test_what_may_happen_is_no_breach():
    """A refusal frees from order, a backend without keys from storing once over two lives."""
    refused = ("ann", "refused", {"text": "ann.1", "code": "BACKEND_UNAVAILABLE", "message": None})
    overtaken = [heard("ann", "ann.2", 2, 1), heard("ann", "ann.1", 1, 2)]
    assert laws_broken(case(refused, *BOTH_STORED, *overtaken)) == set()

    twice = [*BOTH_STORED, said("ann.1", connection=2 * LIFE + 1), *stored("ann.1", 3)]
    known = (1, 2, 3)
    assert laws_broken(case(*twice, known=known)) == {"stored twice"}
    assert laws_broken(case(*twice, known=known, honours_keys=False)) == set()

    other = [said("ann.1", with_id=False), said("ann.2", with_id=False, connection=LIFE + 9)]
    others = [*other, *stored("ann.1", 1), *stored("ann.2", 2), *overtaken]
    assert laws_broken(case(*others)) == set()


def test_what_may_happen_to_nodes_that_are_apart_is_no_breach():
    """Each has its own order then, and goes on from where all were.

    What is lost meanwhile, those who know no positions cannot be told. Nodes that have not lost
    each other have no such excuse.
    """
    apart = [
        plainly("ann", "x.1", 1, LIFE),
        plainly("ann", "y.1", 2, LIFE),
        plainly("bob", "y.1", 2, 2 * LIFE),
        plainly("bob", "x.1", 1, 2 * LIFE),
    ]
    begin, end = [world("together"), *TWO_STORED[:2]], TWO_STORED[2:]
    assert laws_broken(case(*begin, world("apart"), *end, *apart)) == set()
    later = [*BEGUN, world("apart")]
    assert laws_broken(case(*begin, *end, *later, *apart)) == {"reordered"}

    moved = [said("ann.1"), said("ann.2", connection=2 * LIFE)]
    moved += [*stored("ann.1", 1), *stored("ann.2", 2)]
    late = [heard("bob", "ann.2", 2, 1), heard("bob", "ann.1", 1, 2)]
    assert laws_broken(case(world("together"), world("apart"), *moved, *late)) == set()
    assert laws_broken(case(world("together"), *moved, *late)) == {"overtaken"}

    alone = [heard(who, "ann.1", 1, 1) for who in ("ann", "bob")]
    alone += [heard("ann", "ann.2", 2, 2), heard("bob", "ann.2", 2, 2, epoch="f")]
    assert laws_broken(case(*BEGUN, *BOTH_STORED, *alone)) == set()

    plain = tuple(attrs.evolve(each, is_careful=False, known={1}) for each in GOOD.members)
    lossy = [*BOTH_STORED[:2], *stored("ann.1", 1), world("lossy"), *stored("ann.2", 2)]
    assert laws_broken(case(*lossy, members=plain)) == set()
    assert laws_broken(case(*lossy, known={1})) == {"silent gap"}
    whole = [*lossy[:-2], world("whole"), *stored("ann.2", 2)]
    assert laws_broken(case(*whole, members=plain)) == {"silent gap"}

"""The judge itself: each law finds its breach in the shortest story that has one, and no other."""

from __future__ import annotations

import attrs
import pytest

from simulation.checker import LAWS, Case, Member, breaches
from simulation.chronicle import Chronicle

ANN, BOB = 1001, 1002
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
        heard("bob", "ann.2", 2, 2, connection=1003),
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
        ("duplicate", case(*BEGUN, *BOTH_STORED, *TOLD, heard("bob", "x.1", 3, 1, connection=9))),
        (
            "reordered",
            case(*stored("x.1", 1), *stored("y.1", 2), said("x.1"), said("y.1"),
                 heard("ann", "x.1", 1, 1), heard("ann", "y.1", 2, 2),
                 heard("bob", "y.1", 2, 1), heard("bob", "x.1", 1, 2)),
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

    twice = [*BOTH_STORED, said("ann.1", connection=2001), *stored("ann.1", 3)]
    known = (1, 2, 3)
    assert laws_broken(case(*twice, known=known)) == {"stored twice"}
    assert laws_broken(case(*twice, known=known, honours_keys=False)) == set()

    other = [said("ann.1", with_id=False), said("ann.2", with_id=False, connection=1009)]
    others = [*other, *stored("ann.1", 1), *stored("ann.2", 2), *overtaken]
    assert laws_broken(case(*others)) == set()

"""What is left to the next process is what there was: the same positions, the same outcomes."""

from __future__ import annotations

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.protocol.events import Ack, Stored
from gogate_trio.protocol.refusals import SEND_FAILED
from gogate_trio.state.history import Entry, History, Position, Window
from gogate_trio.state.messages import KnownMessages
from gogate_trio.state.sessions import Claim, Sessions
from gogate_trio.state.snapshot import Estate, Imprint, Snapshot, restore, take

WINDOW = Window(100.0, 8, 1000)
OUTCOMES = [Ack(), Stored(7, 1), SEND_FAILED.because("backend error: no")]

happenings = st.lists(
    st.tuples(st.integers(1, 3), st.floats(0, 40), st.frozensets(st.integers(1, 5), max_size=4)),
    max_size=20,
)


def remembered(steps):
    """A history in which these came: a step of the offset, seconds after the last, an audience."""
    history, now, audiences = History("epoch", WINDOW), 0.0, {}
    for step, later, ids in steps:
        now += later
        audience = audiences.setdefault(ids, dict.fromkeys(ids, "a name"))
        text, left_out = b"%d" % history.head, min(ids, default=None) if step > 1 else None
        history.append(Entry(history.head + step, text, audience, 1, now, left_out))
    return history, now


def inherited(history, sessions, now, *, away, messages=(), later=1000.0):
    """The rooms of a process that starts so many seconds after; its clock began elsewhere."""
    estate = Estate(history, sessions, KnownMessages())
    for message_id, chat_id in messages:
        estate.messages.learn(message_id, chat_id)
    snapshot = take(estate, Imprint("me", "backend", 5000.0), now=now)
    snapshot = msgspec.msgpack.decode(msgspec.msgpack.encode(snapshot), type=Snapshot)
    assert snapshot.is_sound
    new = Estate(History("another", WINDOW), Sessions(100.0), KnownMessages())
    restore(snapshot, new, now=later, wall=5000.0 + away)
    return new


def missed(history, offset, now):
    """What somebody missed who has seen everything up to there; None when it cannot be told."""
    if not history.covers(Position("epoch", offset), now):
        return None
    return [
        (each.offset, each.text, {user for user in range(1, 6) if each.is_for(user)}, each.chat_id)
        for each in history.after(offset)
    ]


@given(happenings, st.floats(0, 150))
def test_every_position_counts_as_if_nothing_had_happened(steps, away):
    """The successor tells the same, from everywhere, or tells to fetch where this one would."""
    old, now = remembered(steps)
    new = inherited(old, Sessions(100.0), now, away=away).history

    for offset in range(old.head + 2):
        assert missed(new, offset, 1000.0) == missed(old, offset, now + away)
    assert (new.epoch, new.head, new.offered) == (old.epoch, old.head, old.head)


def test_sessions_go_on_and_a_command_is_done_once():
    """Its first outcome is given again, for as long as it would have been."""
    sessions = Sessions(100.0)
    session = sessions.open(1, now=10.0)
    for number, outcome in enumerate(OUTCOMES):
        assert session.outcomes.claim(number, "waiter", 10.0) is Claim.MINE
        session.outcomes.settle(number, outcome, 10.0)
    listened_to = Position("epoch", 9)
    sessions.leave(session, told_to=4, listened_to=listened_to, now=20.0)

    others = inherited(*remembered([])[:1], sessions, 25.0, away=30.0).sessions
    revived = others.resume(session.session_id, 1, now=1000.0)

    assert revived is not None
    assert (revived.told_to, revived.complete_at) == (4, listened_to)
    assert revived.outcomes.scope == session.outcomes.scope
    assert [revived.outcomes.claim(n, "waiter", 1000.0) for n in range(3)] == OUTCOMES
    # 45 s old then; an outcome counts for 300.
    assert revived.outcomes.claim(2, "waiter", 1254.0) == OUTCOMES[2]
    assert revived.outcomes.claim(2, "waiter", 1256.0) is Claim.MINE


def test_a_session_of_somebody_else_stays_theirs():
    """Its name opens nothing for another user."""
    sessions = Sessions(100.0)
    session = sessions.open(1, now=0.0)
    sessions.leave(session, told_to=0, listened_to=None, now=0.0)

    others = inherited(History("epoch", WINDOW), sessions, 0.0, away=0.0).sessions

    assert others.resume(session.session_id, 2, now=1000.0) is None
    assert others.is_known(session.session_id)


def test_the_chats_of_messages_are_still_known():
    """In the same order, so that the oldest goes first there too."""
    known = [(3, 1), (1, 2), (2, 1)]
    messages = inherited(History("e", WINDOW), Sessions(1.0), 0.0, away=9.0, messages=known)

    assert list(messages.messages.all()) == known


@pytest.mark.parametrize(
    "damage",
    [{"head": 1}, {"floor": 2}, {"floor": -1}, {"audiences": ()}, {"entries": "reversed"}],
)
def test_what_no_window_can_be_is_not_sound(damage):
    """Nobody goes on from nonsense."""
    history, _ = remembered([(1, 1.0, frozenset({1})), (2, 1.0, frozenset({2}))])
    estate = Estate(history, Sessions(100.0), KnownMessages())
    snapshot = take(estate, Imprint("me", "backend", 0.0), now=2.0)
    assert snapshot.is_sound
    if damage.get("entries") == "reversed":
        damage = {"entries": snapshot.entries[::-1]}

    assert not attrs.evolve(snapshot, **damage).is_sound

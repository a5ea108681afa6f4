"""Laws of the tokens in use: what is due when, what an answer means, and that nothing piles up."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.limits import FORCED_RECHECK_SECONDS, OUTAGE_RECHECK_SECONDS
from gogate_trio.state.tokens import NEVER, Answer, Entry, Step, TokenBook, Verdict, judge

GRACE, RECHECK = 30.0, 300.0


def middle(low, high):
    """A spread that does not spread."""
    return (low + high) / 2


def book(*, grace=GRACE, recheck=RECHECK, spread=middle):
    """A book of these settings; holders are strings."""
    return TokenBook[str](grace=grace, recheck=recheck, spread=spread)


def hold(tokens, holder, digest, *, ends_at, now):
    """Hold a token that the backend has accepted this very moment."""
    return tokens.hold(holder, digest, ends_at=ends_at, accepted_at=now, now=now)


def everything_due(tokens, now):
    """Take all that is due, as (digest, step)."""
    taken = []
    while (due := tokens.due(now)) is not None:
        taken.append((due[0].digest, due[1]))
    return taken


def ask(tokens, now):
    """Take the one thing that is due, which must be a question."""
    entry, step = tokens.due(now)
    assert step is Step.ASK
    return entry


# ── what is due when ─────────────────────────────────────────────────────────


def test_a_token_is_asked_about_at_the_interval():
    """Not before, once, and again an interval after the answer."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=NEVER, now=0.0)

    assert tokens.next_at == 300.0
    assert tokens.due(299.9) is None
    entry = ask(tokens, 300.0)
    assert tokens.due(1000.0) is None
    assert tokens.settle(entry, Answer.GOOD, now=310.0) is Verdict.KEEP
    assert tokens.due(609.9) is None
    assert ask(tokens, 610.0) is entry


def test_the_interval_is_spread_by_a_tenth():
    """Those who came together do not ask together."""
    tokens = book(spread=random.Random(7).uniform)
    for number in range(1000):
        hold(tokens, f"{number}", b"%d" % number, ends_at=NEVER, now=0.0)
    times = sorted(entry.ask_at for entry in tokens._entries.values())

    assert 270.0 <= times[0] < 275.0
    assert 325.0 < times[-1] <= 330.0
    assert len(set(times)) == 1000


def test_without_an_interval_nothing_is_asked_by_itself():
    """TOKEN_RECHECK 0: only the end, or a suspicion, asks."""
    tokens = book(recheck=0.0)
    hold(tokens, "a", b"1", ends_at=NEVER, now=0.0)
    assert tokens.next_at == NEVER

    tokens.suspect(b"1", 50.0)
    entry = ask(tokens, 50.0)
    tokens.settle(entry, Answer.GOOD, now=51.0)
    assert tokens.next_at == NEVER


def test_a_minute_before_its_end_a_token_gives_notice():
    """Once; and at its end plus the grace it is asked about a last time."""
    tokens = book(recheck=0.0)
    assert hold(tokens, "a", b"1", ends_at=1000.0, now=0.0) is None

    assert everything_due(tokens, 939.9) == []
    assert everything_due(tokens, 940.0) == [(b"1", Step.NOTICE)]
    assert everything_due(tokens, 1029.9) == []
    assert everything_due(tokens, 1030.0) == [(b"1", Step.ASK)]


def test_who_comes_after_the_notice_is_told_at_once():
    """By what ``hold`` returns; but not again for the same token, or it would go on for ever."""
    tokens = book(recheck=0.0)
    hold(tokens, "early", b"1", ends_at=100.0, now=0.0)
    assert everything_due(tokens, 40.0) == [(b"1", Step.NOTICE)]

    late = hold(tokens, "late", b"1", ends_at=100.0, now=50.0)
    assert late is not None
    assert late.ends_at == 100.0
    assert hold(tokens, "late", b"1", ends_at=100.0, now=51.0) is None
    assert hold(tokens, "early", b"1", ends_at=100.0, now=51.0) is None
    assert hold(tokens, "late", b"2", ends_at=110.0, now=51.0) is not None
    assert everything_due(tokens, 99.0) == []


def test_holders_of_one_token_share_its_questions():
    """Ten tabs are one question; a fresh acceptance of one counts for all."""
    tokens = book()
    for number in range(10):
        hold(tokens, f"{number}", b"1", ends_at=NEVER, now=float(number))
    assert len(tokens) == 1
    assert tokens.due(308.9) is None

    entry = ask(tokens, 309.0)
    assert list(entry.holders) == [f"{number}" for number in range(10)]
    assert everything_due(tokens, 10_000.0) == []


def test_a_fresh_token_takes_the_place_of_the_last():
    """Nothing is due any more for the one that nobody holds."""
    tokens = book(recheck=0.0)
    hold(tokens, "a", b"1", ends_at=100.0, now=0.0)
    hold(tokens, "a", b"2", ends_at=5000.0, now=10.0)

    assert len(tokens) == 1
    assert everything_due(tokens, 4000.0) == []
    assert everything_due(tokens, 4940.0) == [(b"2", Step.NOTICE)]


def test_the_interval_counts_from_the_backends_word():
    """Who comes back on a word given earlier is asked about when that word is old."""
    tokens = book()
    tokens.hold("a", b"1", ends_at=NEVER, accepted_at=100.0, now=350.0)

    assert tokens.due(399.9) is None
    assert ask(tokens, 400.0)


def test_a_token_is_forgotten_with_its_last_holder():
    """And releasing whom nobody knows is nothing."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=100.0, now=0.0)
    hold(tokens, "b", b"1", ends_at=100.0, now=0.0)
    tokens.release("a")
    assert len(tokens) == 1
    tokens.release("b")
    tokens.release("b")

    assert len(tokens) == 0
    assert everything_due(tokens, 10_000.0) == []


def test_a_suspicion_is_looked_into_at_once_and_then_not_too_often():
    """The first at once; those of the next seconds together, at their end."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=NEVER, now=100.0)
    tokens.suspect(b"1", 101.0)
    entry = ask(tokens, 101.0)
    tokens.suspect(b"1", 101.5)
    tokens.settle(entry, Answer.GOOD, now=102.0)
    assert tokens.due(103.0) is None

    for _ in range(9):
        tokens.suspect(b"1", 103.0)
    assert tokens.due(100.9 + FORCED_RECHECK_SECONDS) is None
    tokens.settle(ask(tokens, 101.0 + FORCED_RECHECK_SECONDS), Answer.GOOD, now=107.0)
    assert tokens.due(300.0) is None


def test_a_suspicion_never_puts_a_question_off():
    """What is due sooner stays due sooner."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=NEVER, now=0.0)
    tokens.settle(ask(tokens, 300.0), Answer.GOOD, now=300.0)
    tokens.settle(ask(tokens, 600.0), Answer.GOOD, now=600.0)
    tokens.suspect(b"1", 898.0)

    assert ask(tokens, 898.0)
    tokens.suspect(b"unknown", 898.0)


# ── what an answer means ─────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("answer", "alive", "in_grace", "over"),
    [
        (Answer.GOOD, Verdict.KEEP, Verdict.KEEP, Verdict.EXPIRED),
        (Answer.BAD, Verdict.REVOKED, Verdict.KEEP, Verdict.EXPIRED),
        (Answer.BARRED, Verdict.REVOKED, Verdict.REVOKED, Verdict.EXPIRED),
        (Answer.AWAY, Verdict.KEEP, Verdict.KEEP, Verdict.KEEP),
    ],
)
def test_what_an_answer_means(answer, alive, in_grace, over):
    """The whole table: by what the backend says, and by how old the token is."""
    entry = Entry(b"1", 100.0, out_at=130.0, notice_at=NEVER)

    verdicts = [judge(entry, answer, now=now) for now in (99.9, 100.0, 129.9, 130.0)]

    assert verdicts == [alive, in_grace, in_grace, over]


@pytest.mark.parametrize("answer", [Answer.BAD, Answer.BARRED])
def test_a_token_that_is_over_is_forgotten(answer):
    """With all its holders; they may come back with another one."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=NEVER, now=0.0)
    hold(tokens, "b", b"1", ends_at=NEVER, now=0.0)

    assert tokens.settle(ask(tokens, 300.0), answer, now=301.0) is Verdict.REVOKED
    assert len(tokens) == 0
    assert tokens.next_at == NEVER or tokens.due(10_000.0) is None
    tokens.release("a")
    hold(tokens, "b", b"2", ends_at=NEVER, now=302.0)
    assert len(tokens) == 1


def test_an_outage_extends_until_the_next_interval():
    """The next question comes as if the answer had been good."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=NEVER, now=0.0)
    for number in range(1, 10):
        entry = ask(tokens, 300.0 * number)
        assert tokens.settle(entry, Answer.AWAY, now=300.0 * number) is Verdict.KEEP
        assert tokens.due(300.0 * number + 299.0) is None


def test_an_outage_at_the_end_extends_by_little():
    """Asked again soon, whether or not there is an interval; the first answer ends it."""
    tokens = book(recheck=0.0)
    hold(tokens, "a", b"1", ends_at=100.0, now=50.0)
    now = 130.0
    for _ in range(3):
        assert tokens.settle(ask(tokens, now), Answer.AWAY, now=now) is Verdict.KEEP
        assert tokens.due(now + OUTAGE_RECHECK_SECONDS - 0.1) is None
        now += OUTAGE_RECHECK_SECONDS
    assert tokens.settle(ask(tokens, now), Answer.BAD, now=now) is Verdict.EXPIRED


def test_an_answer_about_a_token_that_nobody_holds_any_more_is_nothing():
    """Its holder left, or brought a fresh one, while the backend was asked."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=NEVER, now=0.0)
    entry = ask(tokens, 300.0)
    hold(tokens, "a", b"2", ends_at=NEVER, now=300.5)

    tokens.settle(entry, Answer.BAD, now=301.0)
    assert len(tokens) == 1
    assert ask(tokens, 600.5).digest == b"2"


def test_who_comes_while_the_backend_is_asked_shares_the_answer():
    """No second question, and one plan behind the answer."""
    tokens = book()
    hold(tokens, "a", b"1", ends_at=NEVER, now=0.0)
    entry = ask(tokens, 300.0)
    hold(tokens, "b", b"1", ends_at=NEVER, now=301.0)
    assert tokens.due(10_000.0) is None

    tokens.settle(entry, Answer.GOOD, now=302.0)
    assert tokens.due(601.9) is None
    assert ask(tokens, 602.0) is entry


# ── nothing piles up ─────────────────────────────────────────────────────────


def test_what_is_out_of_date_does_not_pile_up():
    """A million short visits, or fresh tokens, leave no more behind than is in use."""
    tokens = book(recheck=0.0)
    hold(tokens, "stays", b"0", ends_at=1e9, now=0.0)
    for number in range(10_000):
        hold(tokens, "visitor", b"%d" % (number % 50 + 1), ends_at=1e9, now=float(number))
        if number % 3 == 0:
            tokens.release("visitor")

    assert len(tokens._queue) <= 64 + 2 * len(tokens)
    assert len(tokens._held) == len(tokens) <= 2


OPERATIONS = st.lists(
    st.tuples(
        st.sampled_from(["hold", "release", "suspect", "work"]),
        st.integers(0, 4),
        st.integers(0, 3),
        st.floats(0, 200),
        st.sampled_from(Answer),
    ),
    max_size=60,
)


@given(OPERATIONS, st.sampled_from([0.0, 300.0]), st.floats(0, 60))
def test_whatever_happens_nobody_is_forgotten(operations, recheck, grace):
    """After any history: holders and tokens agree, nothing is due before its time or never.

    A token that ends, or that is to be asked about, always has its place in the queue.
    """
    tokens = book(recheck=recheck, grace=grace)
    now, asking = 0.0, []
    for what, holder, digest, seconds, answer in operations:
        match what:
            case "hold":
                ends_at = NEVER if digest == 0 else 500.0 * digest
                hold(tokens, f"{holder}", b"%d" % digest, ends_at=ends_at, now=now)
            case "release":
                tokens.release(f"{holder}")
            case "suspect":
                tokens.suspect(b"%d" % digest, now)
            case "work":
                now += seconds
                while (due := tokens.due(now)) is not None:
                    if due[1] is Step.ASK:
                        asking.append(due[0])
                if asking:
                    tokens.settle(asking.pop(), answer, now=now)
        held = {name: entry for entry in tokens._entries.values() for name in entry.holders}
        assert held == tokens._held
        assert all(entry.holders for entry in tokens._entries.values())
        wanted = min((entry.next_at for entry in tokens._entries.values()), default=math.inf)
        assert tokens.next_at <= wanted

"""Laws of the books of ``gogate bench``: a fault is counted once, by its name; nothing else is."""

from __future__ import annotations

import attrs
import pytest

from gogate_trio.bench.ledger import MAX_GAPS, Ledger, Verdict

SOUND = Verdict(lost=0, twice=0, disordered=0, altered=0, unanswered=0, silent=0)
ANN, BEN, CEM = range(3)


class Town:
    """Three listeners in one chat, and messages that all were stored."""

    def __init__(self, messages, chats=(1,)):
        self.ledger = Ledger("ab12", chats, 64)
        for listener in (ANN, BEN, CEM):
            self.ledger.arrive(listener)
        for number in range(messages):
            self.ledger.acknowledge(self.ledger.send(ANN, due=float(number)))

    def hear(self, listener, *numbers, chat=None):
        """Let somebody hear these, one after the other."""
        for number in numbers:
            where = chat or self.ledger.chat_of(number)
            self.ledger.hear(listener, where, self.ledger.text_of(number))

    def verdict(self, **changes):
        """What a sound run would say but for these."""
        return attrs.evolve(SOUND, **changes)


def test_all_heard_in_one_order_is_sound():
    """Each delivery counts once, and nothing is asked for any more."""
    town = Town(3)
    for listener in (ANN, BEN, CEM):
        town.hear(listener, 0, 1, 2)

    assert town.ledger.verdict() == SOUND
    assert town.ledger.complete()
    assert town.ledger.deliveries == 9


def test_a_delivery_tells_when_its_message_was_due():
    """Times count from then; somebody else's message has none."""
    town = Town(2)

    assert town.ledger.hear(BEN, 1, town.ledger.text_of(1)) == 1.0
    assert town.ledger.hear(BEN, 1, "Good morning") is None
    assert town.ledger.verdict().altered == 0


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        pytest.param((0, 1), {"lost": 1}, id="the last one is missing"),
        pytest.param((0, 2), {"lost": 1}, id="one in the middle is missing"),
        pytest.param((0, 1, 1, 2), {"twice": 1}, id="twice at once"),
        pytest.param((0, 1, 2, 0), {"twice": 1}, id="again later"),
        pytest.param((0, 2, 1), {"disordered": 1}, id="two changed places"),
        pytest.param((0, 2, 1, 1), {"disordered": 1, "twice": 1}, id="late, and twice"),
        pytest.param((), {"silent": 1}, id="nothing: perhaps no member"),
    ],
)
def test_what_one_of_three_hears_wrongly_is_counted(heard, wrong):
    """The others have heard it all, so it is known what should have come."""
    town = Town(3)
    town.hear(ANN, 0, 1, 2)
    town.hear(BEN, 0, 1, 2)
    town.hear(CEM, *heard)

    assert town.ledger.verdict() == town.verdict(**wrong)


def test_more_gaps_than_are_remembered_are_still_counted():
    """The memory of a listener who misses nearly everything is bounded; the count is not."""
    town = Town(2 * MAX_GAPS)
    town.hear(ANN, *range(2 * MAX_GAPS))
    town.hear(BEN, 0, 2 * MAX_GAPS - 1)

    assert town.ledger.verdict().lost == 2 * MAX_GAPS - 2


def test_stored_and_heard_by_nobody_is_lost_to_every_member():
    """An ``ack`` is a promise to the whole chat."""
    town = Town(2)
    for listener in (ANN, BEN):
        town.hear(listener, 0)

    assert town.ledger.verdict() == town.verdict(lost=2, silent=1)


def test_a_sender_s_messages_in_another_order_are_seen_although_all_hear_the_same():
    """One order for all is not enough: it has to be the sender's."""
    town = Town(2)
    for listener in (ANN, BEN, CEM):
        town.hear(listener, 1, 0)

    assert town.ledger.verdict() == town.verdict(disordered=1)


@pytest.mark.parametrize("change", [lambda text: text[:-1], lambda text: text.replace(" 0", " 7")])
def test_our_message_in_other_words_is_altered(change):
    """A cut text and a number that was never sent are no deliveries."""
    town = Town(1)

    town.ledger.hear(BEN, 1, change(town.ledger.text_of(0)))

    assert town.ledger.verdict().altered == 1
    assert town.ledger.deliveries == 0


def test_a_message_in_another_chat_is_altered():
    """The chats are spoken to in turn, so each number belongs to one."""
    town = Town(2, chats=(1, 2))

    town.hear(BEN, 0, chat=2)
    town.hear(BEN, 0, chat=3)

    assert town.ledger.verdict().altered == 2


def test_who_has_gone_and_what_was_refused_is_not_asked_for():
    """A hang-up and a refusal have counters of their own; they are no losses on top."""
    town = Town(1)
    town.ledger.refuse(town.ledger.send(ANN, due=1.0))
    for listener in (ANN, BEN):
        town.hear(listener, 0)
    town.ledger.leave(CEM)

    assert town.ledger.verdict() == SOUND
    assert (town.ledger.refused, town.ledger.complete()) == (1, True)


def test_without_an_answer_nothing_is_complete_unless_somebody_heard_it():
    """A gateway that knows no ``ack`` is judged by what is heard."""
    town = Town(0)
    number = town.ledger.send(ANN, due=0.0)
    before = town.ledger.verdict()
    for listener in (ANN, BEN, CEM):
        town.hear(listener, number)

    assert before.unanswered == 1
    assert town.ledger.verdict() == SOUND


@pytest.mark.parametrize("number", [-1, 1, 10**30])
def test_an_answer_to_a_number_that_was_never_sent_is_nothing(number):
    """What a server under test says is not trusted."""
    town = Town(1)

    assert town.ledger.acknowledge(number) is None
    town.ledger.refuse(number)
    assert town.ledger.refused == 0

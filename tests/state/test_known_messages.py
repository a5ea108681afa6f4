"""Which chat a message is in: laws of what the traffic has taught."""

from __future__ import annotations

from collections import OrderedDict

from hypothesis import given, settings
from hypothesis import strategies as st

from gogate_trio.state.messages import KnownMessages


def test_the_latest_word_about_a_message_counts():
    """A message that the backend puts elsewhere is elsewhere."""
    messages = KnownMessages()
    messages.learn(7, 1)
    messages.learn(7, 2)

    assert messages.chat_of(7) == 2
    assert messages.chat_of(8) is None
    assert len(messages) == 1


def test_read_marks_are_grouped_by_chat():
    """In the order given, repeats kept, and those nobody knows together."""
    messages = KnownMessages()
    for number, chat in ((1, 10), (2, 20), (3, 10)):
        messages.learn(number, chat)
    groups = messages.by_chat([3, 9, 2, 1, 3, 8])

    assert groups == {10: (3, 1, 3), None: (9, 8), 20: (2,)}
    assert list(groups) == [10, None, 20]
    assert messages.by_chat([]) == {}


def test_asking_does_not_keep_a_message():
    """Only what is said again counts as recent: asking must not let anybody hold it."""
    messages = KnownMessages(2)
    messages.learn(1, 10)
    messages.learn(2, 10)
    messages.chat_of(1)
    messages.by_chat([1])
    messages.learn(3, 10)

    assert messages.chat_of(1) is None


@settings(deadline=None)
@given(st.integers(1, 5), st.lists(st.tuples(st.integers(1, 8), st.integers(1, 3)), max_size=40))
def test_the_most_recent_are_known_and_no_more(capacity, lessons):
    """Bounded; the one that was learnt longest ago goes first."""
    messages, expected = KnownMessages(capacity), OrderedDict()
    for number, chat in lessons:
        messages.learn(number, chat)
        expected[number] = chat
        expected.move_to_end(number)
        assert len(messages) <= capacity
    recent = dict(list(expected.items())[-capacity:])

    assert {n: messages.chat_of(n) for n in range(9)} == {n: recent.get(n) for n in range(9)}

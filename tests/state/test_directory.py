"""Who is connected: laws of the directory."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from gogate_trio.ids import UserId
from gogate_trio.state.directory import Directory

JO, AL, KIM = UserId(1), UserId(2), UserId(3)
MAILBOXES = [f"mailbox {number}" for number in range(50)]


def test_a_user_is_here_while_one_connection_is():
    """Three tabs are one user with three mailboxes; the last to leave takes the user along."""
    directory = Directory[str]()
    for mailbox in ("phone", "desk", "tablet"):
        directory.join(JO, mailbox)

    assert len(directory) == 1
    assert directory.of(JO) == ("phone", "desk", "tablet")
    directory.leave(JO, "desk")
    assert directory.of(JO) == ("phone", "tablet")
    directory.leave(JO, "phone")
    directory.leave(JO, "tablet")
    assert directory.of(JO) == ()
    assert len(directory) == 0


def test_mailboxes_are_told_apart_by_identity():
    """Two that are equal are still two connections."""
    directory = Directory[list[str]]()
    first, second = [], []
    directory.join(JO, first)
    directory.join(JO, second)
    directory.leave(JO, first)

    (left,) = directory.of(JO)
    assert left is second


def test_only_those_who_are_here_are_reached():
    """Members who are away and strangers who are here get nothing."""
    directory = Directory[str]()
    directory.join(JO, "jo")
    directory.join(AL, "al 1")
    directory.join(AL, "al 2")

    assert set(directory.reach({AL, KIM})) == {"al 1", "al 2"}
    assert directory.reach({KIM}) == ()
    assert directory.reach(set()) == ()


def test_what_was_reached_stays_as_it_was():
    """Whoever is in the middle of a fan-out keeps a list that nobody changes."""
    directory = Directory[str]()
    directory.join(JO, "jo")
    reached, own = directory.reach({JO}), directory.of(JO)
    directory.join(JO, "jo again")
    directory.leave(JO, "jo")

    assert reached == own == ("jo",)


@settings(deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(1, 4), st.integers(1, 5))))
def test_the_directory_is_a_multimap_with_a_version(steps):
    """After any comings and goings it holds exactly who is here, and every one was noticed."""
    directory, here = Directory[str](), {}
    for comes, user, number in steps:
        mailbox, version = MAILBOXES[user * 10 + number], directory.version
        if comes is (mailbox in here.get(user, [])):
            continue
        if comes:
            here.setdefault(user, []).append(mailbox)
            directory.join(UserId(user), mailbox)
        else:
            here[user].remove(mailbox)
            directory.leave(UserId(user), mailbox)
        assert directory.version != version

    everyone = [mailbox for mailboxes in here.values() for mailbox in mailboxes]
    assert sorted(directory.reach({1, 2, 3, 4, 99})) == sorted(everyone)
    assert all(directory.of(UserId(user)) == tuple(here.get(user, ())) for user in range(6))
    assert len(directory) == sum(map(bool, here.values()))

"""Laws of presence: who counts as online, and who looks at whom."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.ids import ChatId, UserId
from gogate_trio.state.presence import Attendance, Watching

GRACE = 15.0
ANN, BOB = UserId(1), UserId(2)
USERS = st.integers(1, 4).map(UserId)
CHATS = st.integers(1, 4).map(ChatId)
LISTS = st.sets(USERS).map(lambda users: dict.fromkeys(users, ""))


def test_who_comes_is_online_at_once():
    """Coming is news once, and only once."""
    attendance = Attendance(GRACE)

    assert attendance.arrive(ANN)
    assert attendance.is_online(ANN)
    assert not attendance.arrive(ANN)


def test_who_is_back_within_the_grace_was_never_away():
    """Neither leaving nor coming back is news."""
    attendance = Attendance(GRACE)
    attendance.arrive(ANN)

    assert not attendance.depart(ANN, 100.0, 100.0)
    assert attendance.expire(114.9) == []
    assert not attendance.arrive(ANN)
    assert attendance.expire(200.0) == []


def test_who_stays_away_is_offline_when_the_grace_is_over():
    """It is news once, then."""
    attendance = Attendance(GRACE)
    attendance.arrive(ANN)
    attendance.depart(ANN, 100.0, 101.0)

    assert attendance.expire(115.0) == [ANN]
    assert not attendance.is_online(ANN)
    assert attendance.expire(116.0) == []


def test_who_left_just_now_is_online_to_somebody_who_looks_only_now():
    """All nodes say the same, also one that hears of them first when they have left."""
    attendance = Attendance(GRACE)

    assert attendance.depart(ANN, 100.0, 110.0)
    assert attendance.is_online(ANN)
    assert attendance.expire(115.0) == [ANN]
    assert not attendance.depart(BOB, 100.0, 115.0)


def test_who_vanishes_without_a_time_has_the_whole_grace():
    """A node that is killed, or a Redis that forgets all, makes nobody blink."""
    attendance = Attendance(GRACE)
    attendance.arrive(ANN)

    assert not attendance.miss(ANN, 100.0)
    assert not attendance.miss(ANN, 110.0)
    assert attendance.expire(114.0) == []
    assert attendance.expire(115.0) == [ANN]
    assert not attendance.miss(BOB, 100.0)
    assert not attendance.is_online(BOB)


def test_leaving_again_is_a_grace_of_its_own():
    """The last leaving counts, whatever an older word says afterwards."""
    attendance = Attendance(GRACE)
    attendance.arrive(ANN)
    attendance.depart(ANN, 100.0, 100.0)

    attendance.depart(ANN, 110.0, 110.0)
    attendance.depart(ANN, 100.0, 111.0)

    assert attendance.expire(124.0) == []
    assert attendance.expire(125.0) == [ANN]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["arrive", "depart", "miss", "expire", "forget"]),
        USERS,
        st.floats(0, 20),
        st.floats(0, 30),
    )
)


@given(STEPS)
def test_what_is_told_adds_up_to_who_is_online(steps):
    """Whoever follows the news alone knows who is online, at any moment."""
    attendance, followed, now = Attendance(GRACE), set(), 0.0
    for step, user, pause, ago in steps:
        now += pause
        match step:
            case "arrive":
                followed |= {user} if attendance.arrive(user) else set()
            case "depart":
                followed ^= {user} if attendance.depart(user, now - ago, now) else set()
            case "miss":
                followed ^= {user} if attendance.miss(user, now) else set()
            case "expire":
                followed -= set(attendance.expire(now))
            case "forget":
                attendance.forget(user)
                followed.discard(user)

        assert {each for each in range(1, 5) if attendance.is_online(each)} == followed
        assert len(attendance) == len(followed)


# ── who looks at whom ────────────────────────────────────────────────────────

LOOKS = st.lists(
    st.tuples(st.sampled_from(["add", "set", "leave", "all"]), st.sampled_from("abc"), CHATS, LISTS)
)


@given(LOOKS)
def test_nobody_is_kept_whom_nobody_looks_at(looks):
    """Both sides always say the same, and what is let go of is said exactly once."""
    watching, model, members = Watching(), {}, {}
    for step, watcher, chat_id, users in looks:
        match step:
            case "add":
                watching.add(watcher, chat_id, users)
                model.setdefault(chat_id, {})[watcher] = None
                members[chat_id] = users
            case "set":
                chat = watching.chat(chat_id)
                if chat is not None:
                    watching.set_members(chat, users)
                    members[chat_id] = users
            case "leave":
                watching.leave(watcher, chat_id)
                model.get(chat_id, {}).pop(watcher, None)
            case "all":
                watching.leave_all(watcher)
                for watchers in model.values():
                    watchers.pop(watcher, None)
        model = {key: watchers for key, watchers in model.items() if watchers}

        assert {chat.chat_id: list(chat.watchers) for chat in watching.chats()} == {
            key: list(watchers) for key, watchers in model.items()
        }
        assert set(watching.users) == {user for key in model for user in members[key]}
        for user in watching.users:
            assert watching.with_user(user) == {key for key in model if user in members[key]}


@given(LISTS, LISTS)
def test_who_is_let_go_of_is_named(first, second):
    """A new list, or the last watcher leaving, says whom nobody looks at any more."""
    watching = Watching()
    watching.add("a", ChatId(1), first)
    watching.add("a", ChatId(2), {ANN: ""})
    chat = watching.chat(ChatId(1))

    assert watching.add("b", ChatId(1), first) == set()
    assert watching.leave("b", ChatId(1)) == set()
    assert watching.set_members(chat, second) == first.keys() - second.keys() - {ANN}
    assert watching.leave("a", ChatId(1)) == second.keys() - {ANN}
    assert watching.leave_all("a") == {ANN}
    assert watching.leave("a", ChatId(1)) == set()

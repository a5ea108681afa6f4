"""Who comes back is told exactly what it missed, or to load everything; nothing in between."""

from __future__ import annotations

import re

import pytest
import trio

from fakes.clients import CLOSE, open_client
from fakes.leaks import settles
from fakes.node import open_node, within
from fakes.resuming import Place, ask, come, come_back, reply_to
from gogate_trio.config import AuthSettings, MembershipSettings, ResumeSettings

LONG = "x" * 8000
FRESH_LISTS = MembershipSettings(ttl=0.0, stale=0.0)


async def say_all(writer, texts, chat_id=2):
    """Send messages and wait until they are published."""
    for text in texts:
        await ask(writer, text[:20], "send_message", chat_id=chat_id, text=text)
        await reply_to(writer, text[:20])


async def hear(client, count):
    """Return the next durable events."""
    events = []
    while len(events) < count:
        event = await client.next_event()
        events += [event] if "position" in event else []
    return events


def texts_of(events):
    """What the messages among them say."""
    return [each["data"]["text"] for each in events if each["event"] == "new_message"]


async def gone(node, connections):
    """Wait until no more connections are left than these."""
    assert await settles(lambda: node.metrics.connections == connections)


# ── coming back ──────────────────────────────────────────────────────────────


async def test_a_session_begins_where_the_stream_is(fake):
    """What was said before is not told; there is nothing to fetch anew but by the client's wish."""
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as writer,
        open_client(node.port) as jane,
    ):
        with within():
            await say_all(writer, ["before"])
            await jane.say("auth", token=fake.token(2), resume=True)
            welcome = await jane.next_event()
            await say_all(writer, ["after"])
            event = await jane.next_event()

    assert welcome["event"] == "auth_success"
    data = welcome["data"]
    assert list(data) == ["user_id", "name", "phone", "session", "position", "recovered"]
    assert data["recovered"] is False
    assert len(data["session"]) >= 22
    assert texts_of([event]) == ["after"]


@pytest.mark.parametrize("ending", ["reset", "end of stream"])
async def test_exactly_what_was_missed_is_told_in_order_before_anything_newer(fake, ending):
    """Messages, reactions and read marks, each once; typing is not told later."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
                await say_all(john, ["heard"])
                place = place.after(*await hear(jane, 1))
                if ending == "reset":
                    jane.reset()
            await gone(node, 1)
            await say_all(john, ["one", "two"])
            await ask(john, "t", "typing", chat_id=2, is_typing=True)
            await ask(john, "r", "add_reaction", message_id=2, emoji="👍")
            await ask(john, "m", "mark_read", message_ids=[3])
            await reply_to(john, "m")
            async with open_client(node.port) as jane:
                welcome = await come_back(jane, fake.token(2), place)
                await say_all(john, ["newer"])
                got = [await jane.next_event() for _ in range(5)]

    assert (welcome["recovered"], welcome["position"]) == (True, place.position)
    assert welcome["session"] == place.session
    names = ["new_message", "new_message", "new_reaction", "message_read", "new_message"]
    assert [each["event"] for each in got] == names
    assert texts_of(got) == ["one", "two", "newer"]


async def test_positions_are_opaque_and_only_ever_grow(fake):
    """Live, replayed and live again: each later than the last, in one and the same epoch."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
                await say_all(john, ["1", "2"])
                live = await hear(jane, 2)
            await gone(node, 1)
            await say_all(john, ["3", "4"])
            async with open_client(node.port) as jane:
                await come_back(jane, fake.token(2), place.after(live[-1]))
                await say_all(john, ["5"])
                live += await hear(jane, 3)

    positions = [place.position, *(each["position"] for each in live)]
    read = [re.fullmatch(r"([0-9a-z]{1,32})-([0-9]+)", position) for position in positions]
    assert all(read)
    assert len({each[1] for each in read}) == 1
    offsets = [int(each[2]) for each in read]
    assert offsets == sorted(set(offsets))
    assert list(live[0]) == ["event", "data", "position"]


async def test_a_client_may_come_back_again_and_again_from_wherever_it_got_to(fake):
    """In the middle of a replay too: nothing is skipped and nothing told twice."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await gone(node, 1)
            said = [f"{number} {LONG}" for number in range(60)]
            await say_all(john, said)
            heard = []
            while len(heard) < len(said):
                async with open_client(node.port, receive_buffer=4096) as jane:
                    assert (await come_back(jane, fake.token(2), place))["recovered"]
                    events = await hear(jane, min(7, len(said) - len(heard)))
                    place = place.after(events[-1])
                    heard += texts_of(events)
                    jane.reset()

    assert heard == said


async def test_a_client_that_came_back_before_its_old_connection_was_missed_loses_nothing(fake):
    """Two connections of one session are each told everything."""
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port) as old,
        open_client(node.port) as new,
    ):
        with within():
            place = await come(old, fake.token(2))
            await say_all(john, ["one"])
            assert (await come_back(new, fake.token(2), place))["recovered"]
            await say_all(john, ["two"])

            assert texts_of(await hear(new, 2)) == ["one", "two"]
            assert texts_of(await hear(old, 2)) == ["one", "two"]


async def test_what_is_said_while_a_connection_says_goodbye_is_told_to_the_next(fake):
    """It listens no more, and its session knows that: the head it left at is not the latest."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
                await say_all(john, ["heard"])
                place = place.after(*await hear(jane, 1))
                await jane.send(b"\xff" * 20)
                assert (await jane.next_frame()).opcode == CLOSE
                await say_all(john, ["during the goodbye"])
                assert node.metrics.connections == 2
            await gone(node, 1)
            async with open_client(node.port) as jane:
                await come_back(jane, fake.token(2), place)

                assert texts_of(await hear(jane, 1)) == ["during the goodbye"]


async def test_a_quiet_client_is_recovered_however_much_others_have_said(fake):
    """Its own position is old because there was nothing for it; it has missed nothing."""
    async with (
        open_node(fake, resume=ResumeSettings(events=3)) as node,
        open_client(node.port, fake.token(1)) as john,
    ):
        with within():
            async with open_client(node.port) as eve:
                place = await come(eve, fake.token(5))
                await say_all(john, [f"{number}" for number in range(10)])
            await gone(node, 1)
            for _ in range(2):
                async with open_client(node.port) as eve:
                    assert (await come_back(eve, fake.token(5), place))["recovered"]
                await gone(node, 1)
            await say_all(john, [f"more {number}" for number in range(10)])
            async with open_client(node.port) as eve:
                assert not (await come_back(eve, fake.token(5), place))["recovered"]


# ── when it cannot be ────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "place",
    [
        Place("", "0123456789abcdef-1"),
        Place("", "0123456789abcdef-0"),
        Place("", "no position"),
        Place("", ""),
        Place("", "-"),
        Place("", "EPOCH-999999"),
        Place("", "EPOCH-99999999999999999999999999"),
        Place("", "EPOCH--1"),
        Place("x" * 5000, "EPOCH-1"[:-2] + "-²"),
    ],
    ids=lambda place: place.position,
)
async def test_a_position_that_means_nothing_here_is_answered_with_a_resync(fake, place):
    """Another epoch's, one ahead of the stream, or nonsense: one ``resync``, and no replay."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            async with open_client(node.port) as jane:
                own = await come(jane, fake.token(2))
            await say_all(john, ["missed"])
            named = Place(
                place.session or own.session,
                place.position.replace("EPOCH", own.position.partition("-")[0]),
            )
            async with open_client(node.port) as jane:
                welcome = await come_back(jane, fake.token(2), named)
                resync = await jane.next_event()
                await say_all(john, ["newer"])
                event = await jane.next_event()

    assert welcome["recovered"] is False
    assert resync == {"event": "resync", "data": {"position": welcome["position"]}}
    assert texts_of([event]) == ["newer"]


async def test_a_gap_that_is_not_fully_covered_is_never_replayed_in_part(fake):
    """Four events missed and three kept: load everything; three missed: all three are told."""
    async with (
        open_node(fake, resume=ResumeSettings(events=3)) as node,
        open_client(node.port, fake.token(1)) as john,
    ):
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
                await say_all(john, ["1"])
                near = place.after(*await hear(jane, 1))
            await gone(node, 1)
            await say_all(john, ["2", "3", "4"])
            async with open_client(node.port) as jane:
                assert (await come_back(jane, fake.token(2), near))["recovered"]
                assert texts_of(await hear(jane, 3)) == ["2", "3", "4"]
            async with open_client(node.port) as jane:
                assert not (await come_back(jane, fake.token(2), place))["recovered"]
                assert (await jane.next_event())["event"] == "resync"
                await say_all(john, ["5"])
                assert texts_of(await hear(jane, 1)) == ["5"]


async def test_a_client_that_lost_its_resync_is_told_again(fake):
    """The gateway counts nobody as told who came from a place that was not covered."""
    async with (
        open_node(fake, resume=ResumeSettings(events=2)) as node,
        open_client(node.port, fake.token(1)) as john,
    ):
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await gone(node, 1)
            await say_all(john, ["1", "2", "3"])
            for _ in range(3):
                async with open_client(node.port) as jane:
                    assert not (await come_back(jane, fake.token(2), place))["recovered"]
                    jane.reset()
                await gone(node, 1)


async def test_another_user_s_session_cannot_be_gone_on_with(fake):
    """It begins one of its own, is told nothing of the other's, and the other's is as it was."""
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port) as jane,
        open_client(node.port) as thief,
    ):
        with within():
            place = await come(jane, fake.token(2))
            await say_all(john, ["between the two of us"])
            welcome = await come_back(thief, fake.token(3), place)
            resync = await thief.next_event()
            await ask(thief, "x", "send_message", chat_id=3, text="mine")
            await reply_to(thief, "x")
            jane.reset()
            async with open_client(node.port) as again:
                assert (await come_back(again, fake.token(2), place))["session"] == place.session
                assert texts_of(await hear(again, 1)) == ["between the two of us"]

    assert welcome["recovered"] is False
    assert welcome["session"] != place.session
    assert resync["event"] == "resync"


async def test_nobody_is_told_what_was_said_to_others(fake):
    """A position alone, without a session, opens one's own past only."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await say_all(john, ["for two"])
            await say_all(john, ["for all"], chat_id=1)
            async with open_client(node.port) as ann:
                await ann.say("auth", token=fake.token(3), resume={"position": place.position})

                assert (await ann.event("auth_success"))["recovered"]
                assert texts_of([await ann.next_event()]) == ["for all"]


async def test_what_one_may_no_longer_see_is_not_told_again(fake):
    """Who has left a chat meanwhile hears of the others only."""
    async with (
        open_node(fake, membership=FRESH_LISTS) as node,
        open_client(node.port, fake.token(1)) as john,
    ):
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await gone(node, 1)
            await say_all(john, ["secret by now"])
            await say_all(john, ["for all"], chat_id=1)
            fake.chats[2] = [1]
            async with open_client(node.port) as jane:
                assert (await come_back(jane, fake.token(2), place))["recovered"]

                assert texts_of([await jane.next_event()]) == ["for all"]


@pytest.mark.parametrize("status", [401, 422, 503])
async def test_a_backend_that_does_not_say_who_is_in_a_chat_hides_nothing(fake, status):
    """Then the membership of when it was said counts: that our key is refused is no other."""
    async with (
        open_node(fake, membership=FRESH_LISTS) as node,
        open_client(node.port, fake.token(1)) as john,
    ):
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await gone(node, 1)
            await say_all(john, ["missed"])
            fake.fail("members", status=status)
            async with open_client(node.port) as jane:
                assert (await come_back(jane, fake.token(2), place))["recovered"]

                assert texts_of([await jane.next_event()]) == ["missed"]


async def test_who_listens_already_is_told_nothing_again(fake):
    """A session that begins late begins at the head; from then on there are positions."""
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        with within():
            async with open_client(node.port) as other:
                place = await come(other, fake.token(2))
            await say_all(john, ["plain"])
            assert "position" not in await jane.next_event()
            assert not (await come_back(jane, fake.token(2), place))["recovered"]
            assert (await jane.next_event())["event"] == "resync"
            await say_all(john, ["placed"])

            assert texts_of(await hear(jane, 1)) == ["placed"]


# ── much to tell ─────────────────────────────────────────────────────────────


async def test_a_replay_that_no_mailbox_holds_is_told_as_fast_as_it_is_read(fake):
    """While new messages come in; and nobody else waits for it."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within(60):
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await gone(node, 1)
            said = [f"{number} {LONG}" for number in range(400)]
            await say_all(john, said)
            newer = [f"newer {number}" for number in range(60)]
            async with (
                open_client(node.port, receive_buffer=16384) as jane,
                trio.open_nursery() as nursery,
            ):
                assert (await come_back(jane, fake.token(2), place))["recovered"]
                nursery.start_soon(say_all, john, newer)
                got = texts_of(await hear(jane, len(said) + len(newer)))

    assert got == said + newer
    assert node.metrics.closed["slow consumer"] == 0


async def test_who_does_not_read_its_replay_is_hung_up_and_can_come_back(fake):
    """4410 within WRITE_WAIT; what it did take in counts."""
    async with (
        open_node(fake, write_wait=0.4) as node,
        open_client(node.port, fake.token(1)) as john,
    ):
        with within(60):
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await gone(node, 1)
            said = [f"{number} {LONG}" for number in range(400)]
            await say_all(john, said)
            async with open_client(node.port, receive_buffer=4096) as jane:
                await come_back(jane, fake.token(2), place)
                first = await hear(jane, 5)
                assert await settles(lambda: node.metrics.closed["slow consumer"] == 1)
            await gone(node, 1)
            async with open_client(node.port) as jane:
                assert (await come_back(jane, fake.token(2), place.after(first[-1])))["recovered"]

                assert texts_of(first + await hear(jane, 395)) == said


# ── what it costs the backend ────────────────────────────────────────────────


@pytest.mark.parametrize(("recheck", "asked"), [(300.0, 1), (0.0, 2)])
async def test_coming_back_costs_one_question_at_most(fake, recheck, asked):
    """None while the backend's word on the same token is fresh."""
    async with open_node(fake, auth=AuthSettings(recheck=recheck)) as node:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            async with open_client(node.port) as jane:
                assert (await come_back(jane, fake.token(2), place))["recovered"]

    assert len(fake.calls_to("validate")) == asked


async def test_known_sessions_come_back_during_an_outage_and_strangers_come_back_later(fake):
    """Nobody who was in depends on the backend; who was not is told when to try again."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            await say_all(john, ["missed"])
            fake.fail("validate", status=503)
            fake.fail("members", status=503)
            async with open_client(node.port) as jane:
                assert (await come_back(jane, fake.token(2), place))["recovered"]
                assert texts_of(await hear(jane, 1)) == ["missed"]
            async with open_client(node.port) as stranger:
                await ask(stranger, "in", "auth", token=fake.token(3))
                refused = await reply_to(stranger, "in")
                frames = [await stranger.next_frame()]

    assert refused["data"]["code"] == "BACKEND_UNAVAILABLE"
    code, reason = int.from_bytes(frames[0].payload[:2]), frames[0].payload[2:].decode()
    assert code == 1013
    delay = re.fullmatch(r"retry=(\d+)", reason)
    assert delay
    assert 2000 <= int(delay[1]) <= 10_000


@pytest.mark.parametrize("what", ["another session", "another token"])
async def test_only_the_session_with_its_own_token_comes_back_unasked(fake, what):
    """A known token alone is no session, a known session alone no proof."""
    async with open_node(fake) as node:
        with within():
            async with open_client(node.port) as jane:
                place = await come(jane, fake.token(2))
            token = fake.token(2)
            if what == "another session":
                place = Place("A" * 22, place.position)
            else:
                token = "token-of-nobody"
            async with open_client(node.port) as jane:
                resume = {"session": place.session, "position": place.position}
                await jane.say("auth", token=token, resume=resume)
                await jane.next_event()

    assert len(fake.calls_to("validate")) == 2

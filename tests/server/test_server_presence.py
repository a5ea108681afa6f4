"""Who is online, through real sockets: what those hear who ask, and that nobody else does."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from fakes.api import call
from fakes.clients import open_client
from fakes.leaks import settles
from fakes.node import open_node
from fakes.node import within as within_seconds
from fakes.watched import open_watched
from gogate_trio import limits
from gogate_trio.config import MembershipSettings, PresenceSettings

ON = PresenceSettings(on=True)
PATIENT = {"ping_period": 3000.0, "pong_wait": 3600.0}
"""Nobody is asked whether it is still there when a test moves the clock."""


def within():
    """Open a deadline with room for leaps of the clock."""
    return within_seconds(600)


@pytest.fixture
def clock() -> MockClock:
    """Real time, and leaps in it."""
    return MockClock(rate=1.0)


@asynccontextmanager
async def watching(node, user, *chats):
    """A client that has asked for chats; it has not read the answers."""
    async with open_client(node.port) as client:
        await client.say("auth", token=f"token-{user}", presence=list(chats))
        await client.event("auth_success")
        yield client


async def online(client, chat_id):
    """Who is online, by the next event about a chat."""
    while True:
        data = await client.event("presence")
        if data["chat_id"] == chat_id:
            return data["online"]


async def becomes(client, chat_id, users):
    """Read until these are online."""
    with within():
        while await online(client, chat_id) != users:
            pass


async def settled(node, connections):
    """Wait until no more connections are left than these."""
    assert await settles(lambda: node.metrics.connections == connections)


# ── telling ──────────────────────────────────────────────────────────────────


async def test_who_asks_is_told_who_is_online_and_of_each_who_comes(fake):
    """First the chat as it is, with the asker in it; then the whole chat with every change."""
    async with open_node(fake, presence=ON) as node, open_client(node.port, "token-2"):
        with within():
            async with watching(node, 1, 1, 2) as client:
                assert await online(client, 1) == [1, 2]
                assert await online(client, 2) == [1, 2]
                async with open_client(node.port, "token-3"):
                    await becomes(client, 1, [1, 2, 3])


async def test_who_leaves_is_offline_when_the_grace_is_over_and_not_before(fake, clock):
    """PRESENCE_GRACE_SECONDS: a second device keeps one online; the last one counts."""
    async with open_node(fake, presence=ON, **PATIENT) as node, watching(node, 1, 2) as client:
        with within():
            async with open_client(node.port, "token-2"):
                async with open_client(node.port, "token-2"):
                    await becomes(client, 2, [1, 2])
                await settled(node, 2)
            await settled(node, 1)
            clock.jump(limits.PRESENCE_GRACE_SECONDS - 2)
            await trio.sleep(0.01)
            async with watching(node, 3, 1) as late:
                assert await online(late, 1) == [1, 2, 3]
            clock.jump(2)

            await becomes(client, 2, [1])


async def test_who_is_back_within_the_grace_was_never_away(fake, clock):
    """Not a word about it, however often it happens."""
    async with open_node(fake, presence=ON, **PATIENT) as node, watching(node, 1, 2) as client:
        with within():
            async with open_client(node.port, "token-2"):
                await becomes(client, 2, [1, 2])
            for _ in range(3):
                await settled(node, 1)
                clock.jump(limits.PRESENCE_GRACE_SECONDS - 5)
                await trio.sleep(0.01)
                async with open_client(node.port, "token-2"):
                    pass
            await settled(node, 1)
            async with open_client(node.port, "token-2") as jane:
                clock.jump(limits.PRESENCE_GRACE_SECONDS + 5)
                await trio.sleep(0.1)
                await jane.say("send_message", chat_id=2, text="back")

                assert (await client.next_event())["event"] == "new_message"


async def test_changes_within_a_second_are_one_event(fake, clock):
    """PRESENCE_TICK_SECONDS: a crowd that comes at once is told of once."""
    async with open_node(fake, presence=ON, **PATIENT) as node, watching(node, 1, 1) as client:
        with within():
            assert await online(client, 1) == [1]
            async with open_client(node.port, "token-2"), open_client(node.port, "token-3"):
                clock.jump(limits.PRESENCE_TICK_SECONDS)

                assert await online(client, 1) in ([1, 2, 3], [1, 2])


async def test_who_did_not_ask_hears_nothing_of_it(fake, clock):
    """A client of the guide meets no event that it does not know."""
    async with (
        open_node(fake, presence=ON, **PATIENT) as node,
        open_client(node.port, "token-1") as client,
        watching(node, 2, 2) as jane,
    ):
        with within():
            await becomes(jane, 2, [1, 2])
            clock.jump(limits.PRESENCE_TICK_SECONDS)
            await trio.sleep(0.01)
            await jane.say("send_message", chat_id=2, text="hello")

            assert (await client.next_event())["event"] == "new_message"


async def test_a_client_that_had_no_room_is_told_when_it_has(fake, clock):
    """The latest state is never lost on a slow client, and the others do not wait for it."""
    async with (
        open_node(fake, presence=ON, **PATIENT) as node,
        open_client(node.port, "token-1") as writer,
        open_client(node.port, receive_buffer=4096) as slow,
        watching(node, 3, 1) as other,
    ):
        with within():
            await slow.say("auth", token="token-2", presence=[1])
            assert await online(slow, 1) in ([1, 2, 3], [1, 3])
            for _ in range(30):
                await writer.say("send_message", chat_id=2, text="x" * 30_000)
                await writer.event("new_message")
            async with watching(node, 3, 1):
                pass
            writer.reset()
            await settled(node, 2)
            clock.jump(limits.PRESENCE_GRACE_SECONDS)
            await becomes(other, 1, [2, 3])

            await becomes(slow, 1, [2, 3])


# ── asking ───────────────────────────────────────────────────────────────────


async def test_a_chat_one_may_not_look_at_is_refused_by_its_name(fake):
    """The others are told all the same."""
    async with open_node(fake, presence=ON) as node, watching(node, 1, 3, 99, 2) as client:
        with within():
            refused = [await client.event("error") for _ in range(2)]

            assert [each["code"] for each in refused] == ["NOT_A_MEMBER", "NOT_A_MEMBER"]
            assert [each["chat_id"] for each in refused] == [3, 99]
            assert await online(client, 2) == [1]


async def test_a_big_chat_is_refused(fake):
    """PRESENCE_MEMBERS: three are in chat 1, two in chat 2."""
    small = PresenceSettings(on=True, members=2)
    async with open_node(fake, presence=small) as node, watching(node, 1, 1, 2) as client:
        with within():
            refused = await client.event("error")

            assert (refused["code"], refused["chat_id"]) == ("CHAT_TOO_BIG", 1)
            assert await online(client, 2) == [1]


async def test_without_presence_asking_is_refused_and_all_else_goes_on(fake):
    """PRESENCE=false: the client is in, and knows."""
    async with open_node(fake) as node, watching(node, 1, 2) as client:
        with within():
            assert await client.event("error") == {
                "message": "Presence is off",
                "code": "PRESENCE_OFF",
            }
            await client.say("send_message", chat_id=2, text="hello")
            assert (await client.event("new_message"))["text"] == "hello"


@pytest.mark.parametrize(
    ("status", "code"),
    [(503, "BACKEND_UNAVAILABLE"), (401, "PRESENCE_FAILED"), (403, "NOT_A_MEMBER")],
)
async def test_a_backend_that_does_not_say_who_is_in_a_chat_is_told_of(fake, status, code):
    """Asking again is safe, and helps. Only a 403 or 404 is about the chat."""
    async with open_node(fake, presence=ON) as node, open_client(node.port) as client:
        with within():
            fake.fail("members", status=status)
            await client.say("auth", token="token-1", presence=[2])
            refused = await client.event("error")
            fake.heal("members")
            await client.say("auth", token="token-1", presence=[2])

            assert (refused["code"], refused["chat_id"]) == (code, 2)
            assert await online(client, 2) == [1]


async def test_so_many_chats_may_be_asked_for(fake):
    """PRESENCE_CHATS: one more is no auth at all."""
    most = limits.PRESENCE_CHATS
    async with open_node(fake, presence=ON) as node, open_client(node.port) as client:
        with within():
            await client.say("auth", token="token-1", presence=list(range(1, most + 2)))
            assert (await client.event("error"))["code"] == "INVALID_AUTH"
            await client.say("auth", token="token-1", presence=[2, *range(100, 99 + most)])
            assert await online(client, 2) == [1]
            for _ in range(most - 1):
                assert (await client.event("error"))["code"] == "NOT_A_MEMBER"


async def test_so_many_chats_of_a_node_are_looked_at(fake, monkeypatch):
    """PRESENCE_WATCHED: a chat that is looked at already costs no place, and places come back."""
    monkeypatch.setattr(limits, "PRESENCE_WATCHED", 1)
    async with open_node(fake, presence=ON) as node:
        with within():
            async with watching(node, 1, 1, 2) as client:
                assert await online(client, 1) == [1]
                refused = await client.event("error")
                assert (refused["code"], refused["chat_id"]) == ("BUSY", 2)
                async with watching(node, 2, 1) as other:
                    assert await online(other, 1) == [1, 2]
            await settled(node, 0)
            async with watching(node, 1, 2) as client:
                assert await online(client, 2) == [1, 2]


async def test_the_last_wish_counts(fake):
    """A fresh auth that names chats takes the place of the one before; without any it does not."""
    async with open_node(fake, presence=ON) as node, watching(node, 1, 1) as client:
        with within():
            assert await online(client, 1) == [1]
            await client.say("auth", token="token-1", presence=[2])
            assert await online(client, 2) == [1]
            await client.authenticate("token-1")
            async with open_client(node.port, "token-3"), open_client(node.port, "token-2"):
                event = await client.next_event()

            assert event == {"event": "presence", "data": {"chat_id": 2, "online": [1, 2]}}


# ── who is in a chat ─────────────────────────────────────────────────────────


async def test_who_left_a_chat_looks_no_more_and_is_seen_no_more(fake, clock):
    """PRESENCE_LIST_SECONDS at most, with nothing else happening in the chat."""
    lists = MembershipSettings(ttl=1.0, stale=1.0)
    async with (
        open_node(fake, presence=ON, membership=lists, **PATIENT) as node,
        watching(node, 1, 1) as client,
        watching(node, 3, 1) as leaver,
    ):
        with within():
            await becomes(client, 1, [1, 3])
            fake.chats[1] = [1, 2]
            clock.jump(limits.PRESENCE_LIST_SECONDS)

            refused = await leaver.event("error")
            assert (refused["code"], refused["chat_id"]) == ("NOT_A_MEMBER", 1)
            await becomes(client, 1, [1])


async def test_who_was_removed_looks_no_more_as_soon_as_the_backend_says_so(fake, clock):
    """``members/invalidate``: with the next look, however fresh the list was."""
    async with (
        open_watched(fake, presence=ON) as node,
        watching(node, 1, 1) as client,
        watching(node, 3, 1) as removed,
    ):
        with within():
            await becomes(client, 1, [1, 3])
            fake.chats[1] = [1, 2]
            await call(node.internal_port, "POST", "chats/1/members/invalidate")
            clock.jump(limits.PRESENCE_LOOK_SECONDS)

            refused = await removed.event("error")
            assert (refused["code"], refused["chat_id"]) == ("NOT_A_MEMBER", 1)
            await becomes(client, 1, [1])


async def test_nobody_is_turned_away_because_our_key_is_refused(fake, clock):
    """What was known holds until the backend says who is in the chat."""
    lists = MembershipSettings(ttl=1.0, stale=1.0)
    async with (
        open_node(fake, presence=ON, membership=lists, **PATIENT) as node,
        watching(node, 1, 2) as client,
    ):
        with within():
            assert await online(client, 2) == [1]
            fake.fail("members", status=401)
            asked = len(fake.calls_to("members"))
            clock.jump(limits.PRESENCE_LIST_SECONDS)
            await fake.wait_for_calls("members", asked + 1)
            async with open_client(node.port, "token-2"):
                event = await client.next_event()

            assert event == {"event": "presence", "data": {"chat_id": 2, "online": [1, 2]}}


async def test_a_chat_that_grows_too_big_is_told_no_more(fake, clock):
    """Everybody who looked is told why; a new member is seen at once in one that may."""
    lists = MembershipSettings(ttl=1.0, stale=1.0)
    three = PresenceSettings(on=True, members=3)
    async with (
        open_node(fake, presence=three, membership=lists, **PATIENT) as node,
        open_client(node.port, "token-3"),
        watching(node, 1, 1, 2) as client,
    ):
        with within():
            assert await online(client, 2) == [1]
            fake.chats[1], fake.chats[2] = [1, 2, 3, 5], [1, 2, 3]
            clock.jump(limits.PRESENCE_LIST_SECONDS)

            refused = await client.event("error")
            assert (refused["code"], refused["chat_id"]) == ("CHAT_TOO_BIG", 1)
            await becomes(client, 2, [1, 3])

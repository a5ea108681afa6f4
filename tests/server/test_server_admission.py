"""Who may come in, on real sockets: what those are told who may not, and that room comes back."""

from __future__ import annotations

from contextlib import AsyncExitStack

import pytest
import trio
from trio.testing import MockClock

from fakes.clients import CLOSE, open_client
from fakes.leaks import settles
from fakes.node import open_node, undisturbed_chat, within
from fakes.resuming import come, come_back
from fakes.strangers import SLOW_STRANGERS, STRANGERS
from fakes.visitors import connect, is_healthy, status_of, visit
from gogate_trio.config import AdmissionSettings, MembershipSettings
from gogate_trio.config.allowances import NetworkKind
from gogate_trio.server import capacity, listener
from gogate_trio.state.ratelimit import Rate

PROXY = "127.0.0.9"
TRUSTED = (NetworkKind().parse(PROXY),)
SLOWLY = {"ping_period": 3000.0, "pong_wait": 3600.0}
"""Nobody is asked whether it is still there when a test moves the clock."""


@pytest.fixture
def clock() -> MockClock:
    """Real time, and leaps in it."""
    return MockClock(rate=1.0)


def caps(**settings):
    """Admission with these settings, and one user standing for a crowd unless said otherwise."""
    return AdmissionSettings(**{"per_user": 0, **settings})


# ── all of them ──────────────────────────────────────────────────────────────


async def test_a_full_house_says_when_to_come_back_and_is_healthy(fake):
    """MAX_CONNECTIONS: 503 with Retry-After; pages are answered, and whoever leaves makes room."""
    async with open_node(fake, admission=caps(total=2, unauthenticated=2)) as node:
        async with open_client(node.port) as leaving, open_client(node.port, fake.token(1)):
            with within():
                async with visit(node.port) as late:
                    answer = (late.status, late.headers["retry-after"], await late.rest())
                healthy = await is_healthy(node.port)
                leaving.reset()
                has_room = await settles(lambda: node.metrics.connections == 1)
                again = await status_of(node.port)

        assert answer == (503, "5", b"Try again later.\n")
        assert (healthy, has_room, again) == (True, True, 101)
        assert node.metrics.turned_away["total"] == 2
        assert node.metrics.refused == {503: 1}


async def test_a_full_house_refuses_what_is_no_request_as_ever(fake):
    """Being full is no reason to understand more, or to wait longer."""
    async with open_node(fake, admission=caps(total=1)) as node, open_client(node.port):
        with within():
            async with connect(node.port) as garbage:
                await garbage.send(b"\x16\x03\x01\r\n\r\n")

                assert (await garbage.rest()).startswith(b"HTTP/1.1 400 ")


async def test_those_beyond_the_refusals_at_once_are_closed_without_a_word(fake, monkeypatch):
    """REFUSALS_AT_ONCE: telling people no has a bound of its own, in sockets and in time."""
    monkeypatch.setattr(listener, "REFUSALS_AT_ONCE", 2)
    monkeypatch.setattr(listener, "LINGER_SECONDS", 0.5)
    async with open_node(fake, admission=caps(total=1)) as node, open_client(node.port):
        with within():
            async with connect(node.port) as one, connect(node.port) as two:
                assert await settles(lambda: node.metrics.turned_away["total"] == 2)
                async with connect(node.port) as three:
                    assert await three.rest() == b""
                said = [await one.rest(), await two.rest()]
            assert await status_of(node.port) == 503

    assert [answer[:13] for answer in said] == [b"HTTP/1.1 408 "] * 2


async def test_strangers_never_crowd_out_those_with_a_user(fake):
    """MAX_UNAUTHENTICATED: strangers fill their share, and the chat and its members go on."""
    async with (
        open_node(fake, admission=caps(total=10, unauthenticated=3)) as node,
        undisturbed_chat(node) as chat,
        AsyncExitStack() as crowd,
    ):
        with within():
            for _ in range(3):
                await crowd.enter_async_context(open_client(node.port))

            assert await status_of(node.port) == 503
            await chat.goes_on()

        assert node.metrics.turned_away == {"unauthenticated": 1}


async def test_those_with_a_user_may_fill_the_whole_house(fake):
    """The share bounds strangers only: each who authenticates frees a place in it."""
    async with (
        open_node(fake, admission=caps(total=6, unauthenticated=1)) as node,
        AsyncExitStack() as crowd,
    ):
        with within():
            for _ in range(6):
                await crowd.enter_async_context(open_client(node.port, fake.token(1)))

            assert await status_of(node.port) == 503

        assert node.metrics.turned_away == {"total": 1}


# ── one address ──────────────────────────────────────────────────────────────


async def test_one_address_has_so_many_connections(fake):
    """MAX_CONNECTIONS_PER_IP, said explicitly, counts this machine too; others are not its."""
    async with (
        open_node(fake, admission=caps(per_address=2)) as node,
        open_client(node.port),
        open_client(node.port),
    ):
        with within():
            assert await status_of(node.port) == 503
            assert await status_of(node.port, source="127.0.0.2") == 101

        assert node.metrics.turned_away == {"address": 1}


async def test_this_machine_is_not_counted_unless_somebody_says_so(fake, monkeypatch):
    """By default a proxy beside the gateway is not taken for one busy client."""
    monkeypatch.setattr(capacity, "CONNECTIONS_PER_ADDRESS", 1)
    async with open_node(fake, admission=caps()) as node, open_client(node.port):
        with within():
            assert await status_of(node.port) == 101


async def test_the_client_behind_a_trusted_proxy_is_counted(fake):
    """TRUSTED_PROXIES: each client behind it for itself, and the proxy never."""
    admission = caps(per_address=1, trusted_proxies=TRUSTED)
    async with (
        open_node(fake, admission=admission) as node,
        visit(node.port, source=PROXY, forwarded="203.0.113.7") as first,
    ):
        with within():
            again = await status_of(node.port, source=PROXY, forwarded="10.1.1.1, 203.0.113.7")
            other = await status_of(node.port, source=PROXY, forwarded="203.0.113.7, 203.0.113.8")

        assert [first.status, again, other] == [101, 503, 101]
        assert node.metrics.turned_away == {"address": 1}


async def test_a_claim_of_anybody_else_is_not_believed(fake):
    """X-Forwarded-For from a stranger moves him nowhere."""
    async with (
        open_node(fake, admission=caps(per_address=1, trusted_proxies=TRUSTED)) as node,
        visit(node.port, forwarded="203.0.113.7") as first,
    ):
        with within():
            again = await status_of(node.port, forwarded="203.0.113.8")
            framed = await status_of(node.port, source=PROXY, forwarded="203.0.113.7")

        assert [first.status, again, framed] == [101, 503, 101]


async def test_one_address_connects_no_faster_than_its_pace(fake, clock):
    """RATE_HANDSHAKES: a burst, then 503; after the interval it may come again."""
    admission = caps(per_address=0, handshakes=Rate(1 / 60, 2))
    async with open_node(fake, admission=admission, **SLOWLY) as node:
        with within(200):
            early = [await status_of(node.port) for _ in range(3)]
            other = await status_of(node.port, source="127.0.0.2")
            clock.jump(50)
            soon = await status_of(node.port)
            clock.jump(10)
            then = await status_of(node.port)

        assert early == [101, 101, 503]
        assert [other, soon, then] == [101, 503, 101]
        assert node.metrics.turned_away == {"pace": 2}


# ── one user ─────────────────────────────────────────────────────────────────


async def test_of_one_user_the_newest_stay(fake):
    """MAX_CONNECTIONS_PER_USER: the oldest learns why before it is closed with 4509."""
    async with (
        open_node(fake, admission=caps(per_user=2)) as node,
        open_client(node.port, fake.token(1)) as oldest,
        open_client(node.port, fake.token(1)) as older,
        open_client(node.port, fake.token(1)) as newest,
        open_client(node.port, fake.token(2)) as other,
    ):
        with within():
            assert (await oldest.event("error"))["code"] == "TOO_MANY_CONNECTIONS"
            assert await oldest.close_code() == 4509
            await other.say("send_message", chat_id=2, text="hello")
            for person in (older, newest, other):
                assert (await person.event("new_message"))["text"] == "hello"


async def test_of_one_user_the_oldest_stay_where_that_is_said(fake):
    """USER_CONNECTIONS_KEEP=oldest: the newest is refused with the same words."""
    async with (
        open_node(fake, admission=caps(per_user=1, user_policy="oldest")) as node,
        open_client(node.port, fake.token(1)) as oldest,
        open_client(node.port) as newest,
    ):
        with within():
            await newest.say("auth", token=fake.token(1))
            assert (await newest.next_event())["data"]["code"] == "TOO_MANY_CONNECTIONS"
            assert await newest.close_code() == 4509
            await oldest.say("typing", chat_id=1, is_typing=True)
            await oldest.say("send_message", chat_id=2, text="still here")
            assert (await oldest.event("new_message"))["text"] == "still here"


async def test_the_cap_of_a_user_holds_when_many_come_at_once(fake):
    """Twenty that authenticate together: as many stay as may, whatever the order of answers."""
    async with open_node(fake, admission=caps(per_user=3)) as node, AsyncExitStack() as crowd:
        with within():
            clients = [await crowd.enter_async_context(open_client(node.port)) for _ in range(20)]
            gate = fake.hold("validate")
            for client in clients:
                await client.say("auth", token=fake.token(1))
            await fake.wait_for_calls("validate", 20)
            gate.set()

            assert await settles(lambda: node.metrics.connections == 3)
        assert node.metrics.closed["too many connections"] == 17


async def test_who_is_still_being_told_what_it_missed_counts(fake):
    """A connection counts from its proof on, not only once it has caught up with the chat."""
    async with (
        open_node(
            fake,
            admission=caps(per_user=1, user_policy="oldest"),
            membership=MembershipSettings(ttl=0.0, stale=0.0),
        ) as node,
        open_client(node.port, fake.token(2)) as writer,
    ):
        with within():
            async with open_client(node.port) as client:
                place = await come(client, fake.token(1))
            assert await settles(lambda: node.metrics.connections == 1)
            await writer.say("send_message", chat_id=2, text="missed")
            await writer.event("new_message")
            gate = fake.hold("members")
            async with open_client(node.port) as back, open_client(node.port) as newest:
                assert (await come_back(back, fake.token(1), place))["recovered"]
                await newest.say("auth", token=fake.token(1))

                assert (await newest.event("error"))["code"] == "TOO_MANY_CONNECTIONS"
                gate.set()
                assert (await back.event("new_message"))["text"] == "missed"


async def test_a_fresh_token_does_not_count_as_another_connection(fake):
    """Who authenticates again on the same connection stays one."""
    async with (
        open_node(fake, admission=caps(per_user=1, user_policy="oldest")) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            assert (await client.authenticate(fake.token(1)))["user_id"] == 1


# ── leaving ──────────────────────────────────────────────────────────────────


async def quiet(port):
    """Come in and leave with a close frame."""
    async with open_client(port, "token-1") as client:
        await client.send(bytes((0x80 | CLOSE, 0x80, 1, 2, 3, 4)))
        await client.rest()


async def refused(port):
    """Come to a page, to nothing, and with a wrong origin."""
    await is_healthy(port)
    await status_of(port, origin="https://evil.example")


@pytest.mark.parametrize("stranger", [quiet, refused, *STRANGERS, *SLOW_STRANGERS])
async def test_a_place_comes_back_after_every_kind_of_end(fake, stranger):
    """Whatever they did: when they are gone, as many may come in as ever, and not one more."""
    few = caps(total=6, unauthenticated=6, per_address=6)
    async with open_node(fake, admission=few, write_wait=0.5) as node:
        with within(60):
            for _ in range(3):
                await stranger(node.port)
            assert await settles(lambda: node.metrics.connections == 0)
            # A socket may outlive its connection for a moment, and nothing here wakes us then.
            while await entering(node.port, 6) != [101] * 6:  # noqa: ASYNC110
                await trio.sleep(0.02)
            assert await settles(lambda: node.metrics.connections == 0)

        assert node.metrics.bugs == 0


async def test_every_place_is_taken_once(fake):
    """The measure of the law above: one more than there are places is refused."""
    async with open_node(fake, admission=caps(total=6, unauthenticated=6)) as node:
        with within():
            assert await entering(node.port, 7) == [101] * 6 + [503]


async def entering(port, count):
    """The answers to so many who come one after the other and stay."""
    async with AsyncExitStack() as crowd:
        visitors = [await crowd.enter_async_context(visit(port)) for _ in range(count)]
        return [each.status for each in visitors]

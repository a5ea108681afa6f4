"""How often a client may ask, through a socket: told when to come back, hung up when it won't hear.

The clock leaps: a rate of one a minute leaves no doubt about what a busy machine did.
"""

from __future__ import annotations

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from fakes.clients import PING, PONG, TEXT, frame, open_client, saying
from fakes.leaks import settles
from fakes.node import NO_RATES, open_node, within
from gogate_trio.config import RateSettings
from gogate_trio.limits import EXCESS_TYPING, STRIKES
from gogate_trio.state.ratelimit import Rate

SLOWLY = {"ping_period": 3000.0, "pong_wait": 3600.0}
"""Nobody is asked whether it is still there when a test moves the clock."""
TWICE = Rate(1 / 60, 2)
TOO_FAST = "Too many of these, slow down"

PACED = {
    "messages": (saying("send_message", chat_id=2, text="hi"), "new_message", "send_message"),
    "reactions": (saying("add_reaction", message_id=1, emoji="👍"), "new_reaction", "add_reaction"),
    "reads": (saying("mark_read", message_ids=[1]), "message_read", "mark_read"),
    "auth": (saying("auth", token="token-1"), "auth_success", "validate"),
}
"""Setting → what is said, the event that shows it was done, the endpoint that was asked."""


@pytest.fixture
def clock() -> MockClock:
    """Real time, and leaps in it."""
    return MockClock(rate=1.0)


def only(**rates):
    """No rates but these."""
    return attrs.evolve(NO_RATES, **rates)


async def told(client):
    """The next event, as a pair of its name and its data."""
    event = await client.next_event()
    return event["event"], event["data"]


async def store_a_message(node, fake):
    """Message 1, of user 2 in chat 2."""
    async with open_client(node.port, fake.token(2)) as client:
        await client.say("send_message", chat_id=2, text="one")
        await client.event("new_message")


# ── each rate ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("setting", PACED)
async def test_over_its_rate_a_command_is_refused_until_the_time_it_was_told(fake, clock, setting):
    """RATE_*: RATE_LIMITED with ``retry_after_ms``; that long is enough, and less is not."""
    asked, done, endpoint = PACED[setting]
    async with open_node(fake, rates=only(**{setting: TWICE}), **SLOWLY) as node:
        with within(300):
            await store_a_message(node, fake)
            async with open_client(node.port, "" if setting == "auth" else fake.token(1)) as client:
                before = len(fake.calls_to(endpoint))
                for _ in range(2):
                    await client.send(asked)
                    assert (await told(client))[0] == done
                await client.send(asked)
                name, error = await told(client)
                clock.jump(error["retry_after_ms"] / 1000 - 10)
                await client.send(asked)
                _, too_soon = await told(client)
                calls = len(fake.calls_to(endpoint)) - before
                clock.jump(too_soon["retry_after_ms"] / 1000)
                await client.send(asked)
                again, _ = await told(client)

        assert name == "error"
        assert (error["code"], error["message"]) == ("RATE_LIMITED", TOO_FAST)
        assert 50_000 < error["retry_after_ms"] <= 60_000
        assert 5_000 < too_soon["retry_after_ms"] <= 10_000
        assert (calls, again) == (2, done)


@pytest.mark.parametrize("setting", ["messages", "reactions", "reads"])
async def test_the_rate_is_the_user_s_over_all_connections(fake, setting):
    """A second tab brings no second helping; another user has his own."""
    asked, done, _ = PACED[setting]
    async with open_node(fake, rates=only(**{setting: Rate(1 / 60, 1)})) as node:
        with within():
            if setting != "messages":
                await store_a_message(node, fake)
            async with (
                open_client(node.port, fake.token(1)) as tab,
                open_client(node.port, fake.token(1)) as other_tab,
                open_client(node.port, fake.token(3 if setting != "messages" else 2)) as other_user,
            ):
                await tab.send(asked)
                assert await tab.event(done)
                await other_tab.send(asked)
                assert (await other_tab.event("error"))["code"] == "RATE_LIMITED"
                await other_user.send(asked)
                assert await other_user.event(done)


async def test_the_rate_of_auth_is_the_connection_s(fake):
    """Nobody can use up the attempts of a user by failing in his name."""
    async with (
        open_node(fake, rates=only(auth=Rate(1 / 60, 1))) as node,
        open_client(node.port) as guessing,
    ):
        with within():
            await guessing.send(saying("auth", token="guess") * 2)
            codes = [(await guessing.event("error"))["code"] for _ in range(2)]
            async with open_client(node.port, fake.token(1)):
                pass

        assert sorted(codes) == ["AUTH_FAILED", "RATE_LIMITED"]


async def test_rates_that_are_off_refuse_nothing(fake):
    """``off`` in all of them: five hundred pings and a hundred messages in a row."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        with within():
            for _ in range(100):
                await client.send(PACED["messages"][0] + frame(PING, b"p") * 5)
                assert (await client.next_frame()).opcode in {TEXT, PONG}

        assert node.metrics.errors == {}


async def test_the_defaults_let_a_lively_client_work(fake):
    """What a person or a front end does in a second is far below every default."""
    async with (
        open_node(fake, rates=RateSettings()) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            for n in range(10):
                await client.say("typing", chat_id=2, is_typing=bool(n % 2))
                await client.say("send_message", chat_id=2, text="hi")
                message_id = (await client.event("new_message"))["id"]
                await client.say("add_reaction", message_id=message_id, emoji="👍")
                await client.say("mark_read", message_ids=[message_id])
                await client.event("message_read")
                await client.send(frame(PING))

        assert node.metrics.errors == {}


# ── typing ───────────────────────────────────────────────────────────────────


async def test_typing_over_its_rate_is_merged_and_the_latest_goes_out(fake, clock):
    """RATE_TYPING: nothing is refused; what comes too fast is told once, as it is by then."""
    async with (
        open_node(fake, rates=only(typing=Rate(1 / 60, 1)), **SLOWLY) as node,
        open_client(node.port, fake.token(1)) as typist,
        open_client(node.port, fake.token(2)) as reader,
    ):
        with within(200):
            await typist.say("typing", chat_id=2, is_typing=True)
            first = await told(reader)
            for is_typing in (False, True, False, True, False):
                await typist.say("typing", chat_id=2, is_typing=is_typing)
            await typist.say("send_message", chat_id=2, text="now")
            between = await told(reader)
            clock.jump(60)
            merged = await told(reader)
            await typist.say("send_message", chat_id=2, text="later")
            after = await told(reader)

        assert [first[1]["is_typing"], merged[0], merged[1]["is_typing"]] == [
            True,
            "user_typing",
            False,
        ]
        assert (between[1]["text"], after[1]["text"]) == ("now", "later")
        assert node.metrics.errors == {}


async def test_typing_without_end_is_a_flood(fake):
    """EXCESS_TYPING: a held key repeats thirty times a second; thousands are a broken client."""
    async with (
        open_node(fake, rates=only(typing=Rate(1 / 60, 1))) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            await client.send(saying("typing", chat_id=2, is_typing=True) * EXCESS_TYPING)
            await client.send(frame(PING, b"here"))
            assert (await client.next_frame()).payload == b"here"
            await client.send(saying("typing", chat_id=2, is_typing=True) * EXCESS_TYPING)

            assert (await client.event("error"))["code"] == "FLOOD"
            assert await client.close_code() == 4429


async def test_a_held_key_is_no_flood(fake, clock):
    """EXCESS_TYPING_PER_SECOND: a client that says "typing" thirty times a second stays."""
    async with (
        open_node(fake, rates=only(typing=Rate(1 / 3600, 1)), **SLOWLY) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within(200):
            for _ in range(60):
                await client.send(saying("typing", chat_id=2, is_typing=True) * 30)
                await client.send(frame(PING, b"here"))
                assert (await client.next_frame()).payload == b"here"
                clock.jump(1)

        assert node.metrics.errors == {}


async def test_typing_everywhere_without_end_is_a_flood_too(fake):
    """Whose look-ups wait for a slow backend is told BUSY; thousands of them are too many."""
    said = b"".join(saying("typing", chat_id=100 + n, is_typing=True) for n in range(2000))
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        with within():
            gate = fake.hold("members")
            await client.send(said)
            codes = []
            while codes[-1:] != ["FLOOD"]:
                codes.append((await client.event("error"))["code"])
            gate.set()
            assert await client.close_code() == 4429

        assert set(codes) == {"BUSY", "FLOOD"}
        assert len(codes) > EXCESS_TYPING


# ── pings ────────────────────────────────────────────────────────────────────


async def test_pings_over_their_rate_are_not_answered(fake, clock):
    """RATE_CONTROL: the client stays, its commands work, and later its pings do too."""
    async with (
        open_node(fake, rates=only(control=TWICE), **SLOWLY) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within(200):
            for payload in (b"1", b"2"):
                await client.send(frame(PING, payload))
                assert (await client.next_frame()).payload == payload
            await client.send(frame(PING, b"3"))
            await client.say("auth", token=fake.token(1))
            assert (await client.next_frame()).opcode == TEXT
            clock.jump(60)
            await client.send(frame(PING, b"4"))
            assert (await client.next_frame()).payload == b"4"


async def test_pongs_count_as_pings_do(fake):
    """An unasked pong costs as much to read."""
    async with (
        open_node(fake, rates=only(control=TWICE)) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            await client.send(frame(PONG) * 2)
            await client.say("auth", token=fake.token(1))
            await client.event("auth_success")
            await client.send(frame(PING))
            await client.say("auth", token=fake.token(1))

            assert (await client.next_frame()).opcode == TEXT


async def test_pings_without_end_are_a_flood(fake):
    """4429, with its error event first."""
    async with (
        open_node(fake, rates=only(control=TWICE)) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            for _ in range(STRIKES + 60):
                await client.send(frame(PING, b"x" * 125) * 20)

            assert (await client.event("error"))["code"] == "FLOOD"
            assert await client.close_code() == 4429
        assert await settles(lambda: node.metrics.closed["flood"] == 1)


# ── flooding ─────────────────────────────────────────────────────────────────

FLOODS = {
    "too fast": (saying("send_message", chat_id=2, text="buy"), "RATE_LIMITED"),
    "junk": (frame(TEXT, b"{}"), "INVALID_FORMAT"),
    "no JSON": (frame(TEXT, b"\x00"), "INVALID_FORMAT"),
    "unknown": (saying("hack"), "UNKNOWN_EVENT"),
    "wrong": (saying("typing", chat_id="1", is_typing=True), "INVALID_TYPING"),
    "not a member": (saying("typing", chat_id=3, is_typing=True), "NOT_A_MEMBER"),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_who_keeps_asking_for_refusals_is_hung_up(fake, flood):
    """STRIKES: every refusal is said, then FLOOD, then 4429; reconnecting is welcome."""
    said, code = FLOODS[flood]
    rates = only(messages=Rate(1 / 3600, 1))
    async with open_node(fake, rates=rates) as node:
        with within():
            async with (
                open_client(node.port, fake.token(1)) as client,
                open_client(node.port, fake.token(2)) as neighbour,
            ):
                if flood == "not a member":
                    await client.send(said)
                    await client.event("error")
                await client.send(said * (STRIKES * 3))
                codes = []
                while codes[-1:] != ["FLOOD"]:
                    codes.append((await client.event("error"))["code"])
                assert await client.close_code() == 4429
                await neighbour.say("auth", token=fake.token(2))
                assert await neighbour.event("auth_success")
            async with open_client(node.port, fake.token(1)):
                pass

        assert set(codes[:-1]) == {code}
        assert STRIKES - 1 <= len(codes) <= STRIKES * 2


async def test_who_is_wrong_now_and_then_stays(fake, clock):
    """STRIKES_PER_SECOND: what was long ago is forgiven, for ever."""
    async with (
        open_node(fake, **SLOWLY) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within(1000):
            for _ in range(10):
                await client.send(frame(TEXT, b"{}") * (STRIKES - 1))
                for _ in range(STRIKES - 1):
                    assert (await client.event("error"))["code"] == "INVALID_FORMAT"
                clock.jump(30)
            assert await client.authenticate(fake.token(1))


# ── not the client's fault ───────────────────────────────────────────────────


@pytest.mark.parametrize("failure", [{"status": 500}, {"status": 429}, {"cut": True}])
async def test_a_backend_that_fails_is_nobody_s_flood(fake, failure):
    """Hundreds of refusals that the backend caused do not end a connection."""
    count = STRIKES * 2
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as client:
        with within(60):
            fake.fail("send_message", **failure)
            for _ in range(count):
                await client.say("send_message", chat_id=2, text="hi")
                await client.event("error")
            fake.heal("send_message")
            answer = None
            while answer != "new_message":
                # A backend that was away is asked again after a pause.
                await trio.sleep(0.05)
                await client.say("send_message", chat_id=2, text="back")
                answer, _ = await told(client)

        assert node.metrics.errors["FLOOD"] == 0


async def test_a_backend_that_hangs_is_nobody_s_flood(fake):
    """A burst within RATE_MESSAGES: what finds the lane full is BUSY, and the client stays."""
    async with (
        open_node(fake, rates=RateSettings()) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            gate = fake.hold("send_message")
            await client.send(saying("send_message", chat_id=2, text="hi") * 200)
            codes = [(await client.event("error"))["code"] for _ in range(200 - 65)]
            gate.set()
            for _ in range(65):
                await client.event("new_message")

        assert set(codes) == {"BUSY"}
        assert node.metrics.closed["flood"] == 0


async def test_a_refusal_says_no_more_than_it_must(fake):
    """Constant words, the code, the time: nothing of what was sent comes back."""
    async with (
        open_node(fake, rates=only(messages=Rate(1 / 60, 1))) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        with within():
            await client.send(saying("send_message", chat_id=2, text="secret") * 2)
            while (got := await client.next_event())["event"] != "error":
                pass

        assert set(got["data"]) == {"message", "code", "retry_after_ms"}
        assert b"secret" not in msgspec.json.encode(got)

"""What a client sees of the limits that no other room's tests show it through a socket."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager

import attrs
import msgspec
import pytest
import trio
from trio.testing import MockClock

from fakes.clients import CLOSE, TEXT, frame, open_client
from fakes.leaks import settles
from fakes.node import NO_CAPS, NO_RATES, within
from fakes.settings import backend_settings
from gogate_trio import app, assembly, publisher, resume
from gogate_trio.config import (
    ListenSettings,
    MembershipSettings,
    ResumeSettings,
    Settings,
    WebSocketSettings,
)
from gogate_trio.limits import (
    ANSWER_BYTES,
    COMMAND_ID_CHARACTERS,
    ERROR_TEXT_CHARACTERS,
    OUTCOME_SECONDS,
)
from gogate_trio.state import messages, recent, sessions

SLOWLY = WebSocketSettings(ping_period=3000.0, pong_wait=3600.0)
"""Nobody is asked whether it is still there when a test moves the clock."""


@pytest.fixture
def clock() -> MockClock:
    """Real time, and leaps in it."""
    return MockClock(rate=1.0)


@asynccontextmanager
async def node_with(fake, *, patience=30.0, max_calls=64, **groups):
    """A gateway with these groups of settings; its port."""
    settings = Settings(
        listen=ListenSettings(host="127.0.0.1", port=0),
        backend=backend_settings(fake.url, timeout=patience, max_calls=max_calls),
        **{"websocket": SLOWLY, "admission": NO_CAPS, "rates": NO_RATES, **groups},
    )
    stop = trio.Event()
    async with trio.open_nursery() as nodes:
        serving = await nodes.start(app.run_node, settings, stop)
        yield serving.port
        stop.set()


async def leave(client):
    """Go with a close frame, and be gone when this returns."""
    await client.send(frame(CLOSE, b"\x03\xe8"))
    while (await client.next_frame()).opcode != CLOSE:
        pass
    await client.rest()


async def say(client, text, command_id=None):
    """Send a message, and the id of what was stored."""
    envelope = {"event": "send_message", "data": {"chat_id": 2, "text": text}}
    if command_id is not None:
        envelope["id"] = command_id
    await client.send(frame(TEXT, msgspec.json.encode(envelope)))


# ── commands with an id ──────────────────────────────────────────────────────


async def acked(client, text, command_id):
    """Send a message under an id; the id of what was stored."""
    await say(client, text, command_id)
    return (await client.event("ack"))["message_id"]


async def test_an_id_has_so_many_characters(fake):
    """COMMAND_ID_CHARACTERS: the longest is acknowledged, a longer one is no command's."""
    async with node_with(fake) as port, open_client(port, fake.token(1)) as client:
        with within():
            assert await acked(client, "hi", "x" * COMMAND_ID_CHARACTERS) == 1
            await say(client, "hi", "x" * (COMMAND_ID_CHARACTERS + 1))
            assert (await client.event("error"))["code"] == "INVALID_FORMAT"

    assert len(fake.messages) == 1


async def test_the_outcome_of_so_many_commands_is_given_again(fake, monkeypatch):
    """OUTCOMES: a repetition within them is not done again; one from before them is."""
    monkeypatch.setattr(sessions, "OUTCOMES", 2)
    async with node_with(fake) as port, open_client(port, fake.token(1)) as client:
        with within():
            first = [await acked(client, "hi", name) for name in "abc"]
            again = [await acked(client, "hi", name) for name in "ca"]

    assert first == [1, 2, 3]
    assert again == [3, 4]


async def test_an_outcome_is_given_again_for_so_long(fake, clock):
    """OUTCOME_SECONDS: then the same id is another command."""
    async with node_with(fake) as port, open_client(port, fake.token(1)) as client:
        with within(2 * OUTCOME_SECONDS):
            numbers = [await acked(client, "hi", "a")]
            for seconds in (OUTCOME_SECONDS - 30, 60):
                clock.jump(seconds)
                numbers.append(await acked(client, "hi", "a"))

    assert numbers == [1, 1, 2]


# ── coming back ──────────────────────────────────────────────────────────────


@attrs.frozen
class Away:
    """Where a client was when it left."""

    session: str
    position: str


async def begin(port, fake, user=1):
    """Begin a session and leave it at once."""
    async with open_client(port) as client:
        await client.say("auth", token=fake.token(user), resume=True)
        told = await client.event("auth_success")
        await leave(client)
    return Away(told["session"], told["position"])


async def recovers(port, fake, away, user=1):
    """Whether a client that comes back is told that it has missed nothing."""
    async with open_client(port) as client:
        seat = {"session": away.session, "position": away.position}
        await client.say("auth", token=fake.token(user), resume=seat)
        told = await client.event("auth_success")
        if not told["recovered"]:
            assert (await client.event("resync"))["position"]
        await leave(client)
    return told["recovered"]


async def speak(port, fake, count):
    """Let so many events happen that a client who is away would have heard."""
    async with open_client(port, fake.token(2)) as client:
        for number in range(count):
            await say(client, f"message {number}")
            await client.event("new_message")


async def test_a_client_may_be_away_for_so_long(fake, clock):
    """RESUME_WINDOW: later it is told to load everything anew."""
    async with node_with(fake, resume=ResumeSettings(window=400.0)) as port:
        with within(2000):
            away = await begin(port, fake)
            await speak(port, fake, 1)
            clock.jump(300)
            soon = await recovers(port, fake, away)
            clock.jump(600)
            late = await recovers(port, fake, away)

    assert (soon, late) == (True, False)


async def test_so_many_events_are_kept_for_who_is_away(fake):
    """RESUME_EVENTS: one more, and the first of them can no longer be told."""
    async with node_with(fake, resume=ResumeSettings(events=3)) as port:
        with within():
            away = await begin(port, fake)
            await speak(port, fake, 3)
            within_it = await recovers(port, fake, away)
            await speak(port, fake, 1)
            beyond = await recovers(port, fake, away)

    assert (within_it, beyond) == (True, False)


async def test_what_was_missed_is_told_in_pieces_without_a_gap(fake, monkeypatch):
    """REPLAY_ENTRIES: others run between them, and the client hears everything in order."""
    monkeypatch.setattr(resume, "REPLAY_ENTRIES", 2)
    async with node_with(fake) as port:
        with within():
            away = await begin(port, fake)
            await speak(port, fake, 7)
            async with open_client(port) as client:
                told = {"session": away.session, "position": away.position}
                await client.say("auth", token=fake.token(1), resume=told)
                assert (await client.event("auth_success"))["recovered"]
                texts = [(await client.event("new_message"))["text"] for _ in range(7)]

    assert texts == [f"message {number}" for number in range(7)]


async def test_a_message_too_many_that_nobody_can_be_told_is_a_gap(fake, monkeypatch):
    """LATE_PUBLICATIONS: who counts on missing nothing is told to load its chats anew."""
    monkeypatch.setattr(publisher, "AUDIENCE_RETRY_SECONDS", ())
    monkeypatch.setattr(publisher, "LATE_PUBLICATIONS", 0)
    async with node_with(fake) as port, open_client(port) as listener:
        with within():
            await listener.say("auth", token=fake.token(1), resume=True)
            fake.fail("members", status=503)
            async with open_client(port, fake.token(2)) as client:
                await say(client, "to whom?")

            assert await listener.event("resync")


async def test_so_many_bytes_are_kept_for_who_is_away(fake, monkeypatch):
    """HISTORY_BYTES: whatever the number of events."""
    monkeypatch.setattr(assembly, "HISTORY_BYTES", 1000)
    async with node_with(fake) as port:
        with within():
            away = await begin(port, fake)
            await speak(port, fake, 1)
            within_it = await recovers(port, fake, away)
            await speak(port, fake, 5)
            beyond = await recovers(port, fake, away)

    assert (within_it, beyond) == (True, False)


async def test_so_many_sessions_are_remembered(fake, monkeypatch):
    """SESSIONS: with the one that was left first its commands' outcomes are forgotten."""
    monkeypatch.setattr(sessions, "SESSIONS", 3)
    async with node_with(fake) as port:
        with within():
            away = await begin(port, fake)
            numbers = [await repeated(port, fake, away), await repeated(port, fake, away)]
            for user in (2, 3, 5):
                await begin(port, fake, user)
            numbers.append(await repeated(port, fake, away))

    assert numbers == [1, 1, 2]


async def repeated(port, fake, away):
    """Come back to a session and give the same command as ever; what it was answered."""
    async with open_client(port) as client:
        seat = {"session": away.session, "position": away.position}
        await client.say("auth", token=fake.token(1), resume=seat)
        await client.event("auth_success")
        number = await acked(client, "hi", "a")
        await leave(client)
    return number


async def test_the_backends_word_about_so_many_tokens_is_kept(fake, monkeypatch):
    """RECENT_TOKENS: who is not among them is asked about when it resumes, as at first."""
    monkeypatch.setattr(recent, "RECENT_TOKENS", 1)
    async with node_with(fake) as port:
        with within():
            first, second = await begin(port, fake, 1), await begin(port, fake, 2)
            fake.calls.clear()
            gate = fake.hold("validate")

            assert await recovers(port, fake, second, 2)
            async with open_client(port) as client:
                seat = {"session": first.session, "position": first.position}
                await client.say("auth", token=fake.token(1), resume=seat)
                await fake.wait_for_calls("validate", 1)
                gate.set()
                assert await client.event("auth_success")


# ── the backend ──────────────────────────────────────────────────────────────


async def test_so_much_of_the_backends_own_words_is_shown(fake):
    """ERROR_TEXT_CHARACTERS: the rest of a long one is cut off."""
    fake.fail("send_message", status=422, error="no! " * 1000)
    async with node_with(fake) as port, open_client(port, fake.token(1)) as client:
        with within():
            await say(client, "hi")
            message = (await client.event("error"))["message"]

    assert message.startswith("Failed to send message: backend error: no! no! ")
    assert len(message) <= len("Failed to send message: backend error: ") + ERROR_TEXT_CHARACTERS


async def test_an_answer_has_so_many_bytes(fake):
    """ANSWER_BYTES: what the backend says beyond it is not read, and nobody knows what it was."""
    fake.fail("send_message", status=201, body=b'{"id":1,"text":"' + b"x" * ANSWER_BYTES + b'"}')
    async with node_with(fake) as port, open_client(port, fake.token(1)) as client:
        with within():
            await say(client, "hi")

            assert (await client.event("error"))["code"] == "OUTCOME_UNKNOWN"


async def test_a_call_takes_no_longer_than_its_timeout(fake):
    """BACKEND_TIMEOUT: then the sender learns that nobody knows whether it was stored."""
    async with (
        node_with(fake, patience=0.3) as port,
        open_client(port, fake.token(1)) as client,
    ):
        with within():
            fake.hold("send_message")
            await say(client, "hi")

            assert (await client.event("error"))["code"] == "OUTCOME_UNKNOWN"


async def test_so_many_calls_are_under_way_at_once(fake):
    """BACKEND_MAX_CALLS: the others wait for their turn, and all are answered."""
    async with node_with(fake, max_calls=2) as port, AsyncExitStack() as crowd:
        with within():
            clients = [
                await crowd.enter_async_context(open_client(port, fake.token(1))) for _ in range(6)
            ]
            gate = fake.hold("send_message")
            for client in clients:
                await say(client, "hi")
            await fake.wait_for_calls("send_message", 2)
            gate.set()
            for _ in clients:
                await clients[0].event("new_message")

    assert fake.most_concurrent == 2


async def test_members_are_known_for_so_long(fake, clock):
    """MEMBERSHIP_TTL: somebody new hears what is said after it at the latest."""
    membership = MembershipSettings(ttl=100.0, stale=100.0)
    async with (
        node_with(fake, membership=membership) as port,
        open_client(port, fake.token(3)) as newcomer,
    ):
        with within(500):
            await speak(port, fake, 1)
            fake.chats[2].append(3)
            await speak(port, fake, 1)
            clock.jump(110)
            await speak(port, fake, 1)

            assert (await newcomer.next_event())["data"]["text"] == "message 0"
            assert await settles(lambda: len(fake.calls_to("members")) == 2)


async def test_an_old_list_of_members_serves_while_the_backend_is_away(fake, clock):
    """MEMBERSHIP_STALE: a stored message reaches the chat all the same, for so long."""
    membership = MembershipSettings(ttl=10.0, stale=100.0)
    async with (
        node_with(fake, membership=membership) as port,
        open_client(port, fake.token(1)) as reader,
    ):
        with within(500):
            await speak(port, fake, 1)
            fake.fail("members", status=503)
            clock.jump(50)
            await speak(port, fake, 1)
            for _ in range(2):
                assert await reader.event("new_message")


async def test_the_chats_of_so_many_messages_are_known(fake, monkeypatch):
    """KNOWN_MESSAGES: a reaction to an older one is confirmed to its author alone."""
    small = messages.KnownMessages.__init__
    monkeypatch.setattr(messages.KnownMessages, "__init__", lambda self: small(self, 2))
    async with node_with(fake) as port, open_client(port, fake.token(1)) as other:
        with within():
            await speak(port, fake, 3)
            async with open_client(port, fake.token(2)) as client:
                for number in (1, 3):
                    await client.say("add_reaction", message_id=number, emoji="👍")
                    assert (await client.event("new_reaction"))["message_id"] == number

            assert (await other.event("new_reaction"))["message_id"] == 3

"""A command with an id is answered once, and done once, however often it is sent."""

from __future__ import annotations

import msgspec
import pytest

from fakes.clients import PING, PONG, TEXT, frame, open_client, saying
from fakes.node import open_node, within
from fakes.resuming import ask, asking, come, come_back, reply_to
from gogate_trio.backend.rest import RestBackend
from gogate_trio.config import AdmissionSettings
from gogate_trio.errors import BackendUnavailable

MOST = 2**63 - 1


async def rest_of(client):
    """Everything that has been said to a client until now: the answer to a ping is the mark."""
    await client.send(frame(PING, b"mark"))
    events = []
    while (got := await client.next_frame()).opcode != PONG:
        events.append(msgspec.json.decode(got.payload))
    return events


def keys(fake, endpoint="send_message"):
    """The idempotency keys the backend was given."""
    return [call.headers.get("idempotency-key") for call in fake.calls_to(endpoint)]


# ── one reply ────────────────────────────────────────────────────────────────


async def test_every_command_with_an_id_has_exactly_one_reply(fake):
    """A stored message's says under which number; the others are empty; the id is as it came."""
    async with open_node(fake) as node, open_client(node.port) as john:
        with within():
            await ask(john, "in", "auth", token=fake.token(1))
            await ask(john, 1, "send_message", chat_id=2, text="hi")
            await ask(john, "é", "add_reaction", message_id=1, emoji="👍")
            await ask(john, -7, "mark_read", message_ids=[1])
            await ask(john, "t", "typing", chat_id=2, is_typing=True)
            await reply_to(john, "in")
            got = [await reply_to(john, each) for each in (1, "é", -7, "t")]

            assert [each["data"] for each in got] == [{"message_id": 1, "chat_id": 2}, {}, {}, {}]
            assert {each["event"] for each in got} == {"ack"}
            assert not [each for each in await rest_of(john) if "id" in each]


@pytest.mark.parametrize(
    ("event", "data", "code"),
    [
        ("send_message", {"chat_id": 3, "text": "hi"}, "SEND_FAILED"),
        ("send_message", {"chat_id": 0, "text": "hi"}, "INVALID_CHAT_ID"),
        ("send_message", {"chat_id": "1"}, "INVALID_MESSAGE"),
        ("add_reaction", {"message_id": 99, "emoji": "👍"}, "REACTION_FAILED"),
        ("mark_read", {"message_ids": [99]}, "READ_FAILED"),
        ("typing", {"chat_id": 0, "is_typing": True}, "INVALID_CHAT_ID"),
        ("auth", {"token": "token-2"}, "ALREADY_AUTHENTICATED"),
        ("auth", {}, "TOKEN_REQUIRED"),
        ("shout", {}, "UNKNOWN_EVENT"),
    ],
)
async def test_a_refusal_names_the_command_it_is_about(fake, event, data, code):
    """Once, and nothing else has that id."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            await ask(john, "x1", event, **data)
            refused = await reply_to(john, "x1")

            assert (refused["event"], refused["data"]["code"]) == ("error", code)
            assert not [each for each in await rest_of(john) if "id" in each]


async def test_a_command_before_auth_is_refused_by_its_id(fake):
    """So a client that pipelines knows which of its commands came too early."""
    async with open_node(fake) as node, open_client(node.port) as john:
        with within():
            await ask(john, 5, "send_message", chat_id=2, text="hi")

            assert (await reply_to(john, 5))["data"]["code"] == "AUTH_REQUIRED"


async def test_who_finds_no_room_is_not_told_that_it_is_in(fake):
    """The reply to its ``auth`` is the refusal; one error without an id is the goodbye's."""
    async with (
        open_node(fake, admission=AdmissionSettings(per_user=1, user_policy="oldest")) as node,
        open_client(node.port, fake.token(1)),
        open_client(node.port) as second,
        open_client(node.port) as third,
    ):
        with within():
            await ask(second, "in", "auth", token=fake.token(1))
            told = [await second.next_event(), await second.next_event()]
            assert [each["data"]["code"] for each in told] == ["TOO_MANY_CONNECTIONS"] * 2
            assert [each.get("id") for each in told] == ["in", None]
            assert await second.close_code() == 4509

            await third.say("auth", token=fake.token(1))
            assert (await third.next_event())["data"]["code"] == "TOO_MANY_CONNECTIONS"
            assert await third.close_code() == 4509


@pytest.mark.parametrize("command_id", ["", "x", "é" * 64, "👍" * 64, 0, -MOST, MOST])
async def test_an_id_may_be_a_short_text_or_a_number(fake, command_id):
    """Up to its very bounds, and it comes back as it went."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            await ask(john, command_id, "send_message", chat_id=2, text="hi")

            assert (await reply_to(john, command_id))["event"] == "ack"


@pytest.mark.parametrize(
    "written",
    [b'"%b"' % (b"x" * 65), b"9223372036854775808", b"1.5", b"true", b"[1]", b"{}", b'"\\ud800"'],
)
async def test_an_id_that_is_none_is_refused_and_nothing_is_done(fake, written):
    """Without that id: it would have to be said again."""
    said = b'{"event":"send_message","id":%b,"data":{"chat_id":2,"text":"hi"}}' % written
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            await john.send(frame(TEXT, said))
            refused = await john.next_event()

            assert refused["data"]["code"] == "INVALID_FORMAT"
            assert "id" not in refused
            assert await rest_of(john) == []
    assert fake.calls_to("send_message") == []


async def test_replies_keep_the_order_of_the_commands(fake):
    """Those that are done and those that are refused by the backend alike."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            said = b"".join(
                asking(number, "send_message", chat_id=2 + number % 2, text=f"{number}")
                for number in range(20)
            )
            await john.send(said)
            got = []
            while len(got) < 20:
                event = await john.next_event()
                got += [(event["id"], event["event"])] if "id" in event else []

    assert got == [(number, "error" if number % 2 else "ack") for number in range(20)]


# ── once ─────────────────────────────────────────────────────────────────────


async def test_a_repeated_command_is_answered_as_the_first_time_and_not_done_again(fake):
    """On the same connection; ``1`` and ``"1"`` are two names."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            for command_id in (1, 1, "1", 1, "1"):
                await ask(john, command_id, "send_message", chat_id=2, text=f"{command_id!r}")
            got = [await reply_to(john, 1), await reply_to(john, 1), await reply_to(john, "1")]

            assert [each["data"]["message_id"] for each in got] == [1, 1, 2]
            assert len([each for each in await rest_of(john) if "id" in each]) == 2
    assert [each["text"] for each in fake.messages.values()] == ["1", "'1'"]


async def test_a_refusal_by_the_backend_is_an_outcome_too(fake):
    """What was refused stays refused under that id; another id may try again."""
    fake.fail("send_message", status=422, error="Too rude")
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            await ask(john, "x", "send_message", chat_id=2, text="hi")
            first = await reply_to(john, "x")
            fake.heal("send_message")
            await ask(john, "x", "send_message", chat_id=2, text="hi")

            assert await reply_to(john, "x") == first
            await ask(john, "y", "send_message", chat_id=2, text="hi")
            assert (await reply_to(john, "y"))["event"] == "ack"
    assert len(fake.calls_to("send_message")) == 2


async def test_a_repetition_over_a_new_connection_of_the_session_is_known(fake):
    """That is what ids are for: the first answer was lost with the connection."""
    async with open_node(fake) as node:
        with within():
            async with open_client(node.port) as john:
                place = await come(john, fake.token(1))
                await ask(john, "x", "send_message", chat_id=2, text="hi")
                first = await reply_to(john, "x")
                john.reset()
            async with open_client(node.port) as john:
                await come_back(john, fake.token(1), place)
                await ask(john, "x", "send_message", chat_id=2, text="hi")

                assert await reply_to(john, "x") == first
    assert len(fake.messages) == 1


async def test_a_repetition_joins_what_is_still_under_way_and_nothing_overtakes_it(fake):
    """Both connections are answered, once, when the backend is; what follows waits with it."""
    async with open_node(fake) as node:
        with within():
            async with open_client(node.port) as john, open_client(node.port) as again:
                place = await come(john, fake.token(1))
                gate = fake.hold("send_message")
                await ask(john, "x", "send_message", chat_id=2, text="one")
                await fake.wait_for_calls("send_message", 1)
                await come_back(again, fake.token(1), place)
                await ask(again, "x", "send_message", chat_id=2, text="one")
                await ask(again, "y", "send_message", chat_id=2, text="two")
                assert await rest_of(again) == []
                assert len(fake.calls_to("send_message")) == 1
                gate.set()

                assert (await reply_to(john, "x"))["data"]["message_id"] == 1
                assert (await reply_to(again, "x"))["data"]["message_id"] == 1
                assert (await reply_to(again, "y"))["data"]["message_id"] == 2
    assert [each["text"] for each in fake.messages.values()] == ["one", "two"]


async def test_nobody_knows_what_happened_and_it_is_not_tried_again(fake):
    """``OUTCOME_UNKNOWN`` stays the answer to this id: only a person can decide."""
    fake.fail("send_message", cut=True)
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            await ask(john, "x", "send_message", chat_id=2, text="hi")
            first = await reply_to(john, "x")
            fake.heal("send_message")
            await ask(john, "x", "send_message", chat_id=2, text="hi")

            assert first["data"]["code"] == "OUTCOME_UNKNOWN"
            assert await reply_to(john, "x") == first
    assert len(fake.calls_to("send_message")) == 1


async def test_what_has_not_happened_may_be_tried_again_under_its_id(fake, monkeypatch):
    """``BACKEND_UNAVAILABLE`` is told at once; the second try is a first one."""
    send = RestBackend.send_message

    async def refuse(_backend, _token, _command, *, key=None):
        del key
        raise BackendUnavailable

    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        with within():
            monkeypatch.setattr(RestBackend, "send_message", refuse)
            await ask(john, "x", "send_message", chat_id=2, text="hi")
            assert (await reply_to(john, "x"))["data"]["code"] == "BACKEND_UNAVAILABLE"
            monkeypatch.setattr(RestBackend, "send_message", send)
            await ask(john, "x", "send_message", chat_id=2, text="hi")

            assert (await reply_to(john, "x"))["event"] == "ack"


# ── what the backend is told ─────────────────────────────────────────────────


async def test_the_backend_is_given_a_key_for_each_command_with_an_id(fake):
    """A different one for every id, user and connection without a session; none without id."""
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(1)) as john_too,
        open_client(node.port, fake.token(2)) as jane,
    ):
        with within():
            for client in (john, john_too, jane):
                await ask(client, 1, "send_message", chat_id=2, text="hi")
                await reply_to(client, 1)
            await ask(john, "1", "send_message", chat_id=2, text="hi")
            await ask(john, "r", "add_reaction", message_id=1, emoji="👍")
            await ask(john, "m", "mark_read", message_ids=[1])
            await reply_to(john, "m")
            await john.say("send_message", chat_id=2, text="guide")
            await fake.wait_for_calls("send_message", 5)

    *named, unnamed = keys(fake)
    assert unnamed is None
    everything = [*named, *keys(fake, "add_reaction"), *keys(fake, "mark_read")]
    assert len(set(everything)) == 6
    assert all(key and key.isalnum() and len(key) <= 64 for key in everything)


async def test_a_command_keeps_its_key_when_the_gateway_was_restarted(fake):
    """The backend sees a repetition, although this gateway cannot."""
    async with open_node(fake) as node, open_client(node.port) as john:
        with within():
            place = await come(john, fake.token(1))
            await ask(john, "x", "send_message", chat_id=2, text="hi")
            await reply_to(john, "x")
    for _ in range(2):
        async with open_node(fake) as node, open_client(node.port) as john:
            with within():
                assert (await come_back(john, fake.token(1), place))["session"] == place.session
                await ask(john, "x", "send_message", chat_id=2, text="hi")
                await reply_to(john, "x")

    assert len(set(keys(fake))) == 1
    assert len(keys(fake)) == 3


# ── the guide's clients ──────────────────────────────────────────────────────


async def test_a_client_of_the_guide_is_told_what_it_always_was(fake):
    """To the byte: no ids, no positions, no acks, whoever else is in the chat."""
    async with (
        open_node(fake) as node,
        open_client(node.port) as guide,
        open_client(node.port) as careful,
    ):
        with within():
            await guide.say("auth", token=fake.token(1))
            welcome = await guide.next_frame()
            await come(careful, fake.token(2))
            await ask(careful, "x", "send_message", chat_id=2, text="hi")
            message = await guide.next_frame()
            await guide.send(saying("add_reaction", message_id=1, emoji="+"))
            await guide.send(saying("mark_read", message_ids=[1]))
            await ask(careful, "t", "typing", chat_id=2, is_typing=True)
            await reply_to(careful, "t")
            others = {(await guide.next_frame()).payload for _ in range(3)}

    user = b'"user_id":1,"name":"John Doe"'
    assert welcome.payload == b'{"event":"auth_success","data":{%b,"phone":"+79990000001"}}' % user
    stored = msgspec.json.encode(fake.messages[1])
    assert message.payload == b'{"event":"new_message","data":%b}' % stored
    assert others == {
        b'{"event":"new_reaction","data":{"message_id":1,%b,"emoji":"+"}}' % user,
        b'{"event":"message_read","data":{"message_ids":[1],%b}}' % user,
        (
            b'{"event":"user_typing","data":{"chat_id":2,"user_id":2,"name":"Jane Roe",'
            b'"is_typing":true}}'
        ),
    }

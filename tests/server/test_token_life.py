"""The life of a token, from outside: over real sockets, against a backend that changes its mind."""

from __future__ import annotations

import time

import attrs
import jwt
import pytest
import trio

from fakes.clients import CLOSE, TEXT, open_client
from fakes.node import open_node, undisturbed_chat, within
from fakes.tokens import ORIGIN, SECRET, auth, goodbye, mint, open_with_cookie
from gogate_trio.state import tokens as tokens_module

CALLS = {
    "send_message": {"chat_id": 1, "text": "hello"},
    "add_reaction": {"message_id": 1, "emoji": "+"},
    "mark_read": {"message_ids": [1]},
}


# ── the end ──────────────────────────────────────────────────────────────────


async def test_a_token_that_has_ended_ends_its_connection_after_the_grace(fake):
    """At ``exp`` plus TOKEN_GRACE: an error TOKEN_EXPIRED, then 4503; nobody else notices."""
    async with open_node(fake, auth=auth(grace=0.3)) as node, undisturbed_chat(node):
        began = time.time()
        async with open_client(node.port, mint(fake, 3, lives=0.2)) as client:
            with within():
                end = await goodbye(client)
        lived = time.time() - began

    assert end == (["TOKEN_EXPIRED"], 4503)
    assert lived >= 0.5
    assert node.metrics.closed["token expired"] == 1


async def test_an_end_that_is_not_known_is_no_end(fake):
    """A token that is no JWT, or one without ``exp``, lives until the backend says otherwise."""
    nameless = jwt.encode({"user_id": 3}, SECRET, algorithm="HS256")
    fake.tokens[nameless] = 3
    async with (
        open_node(fake, auth=auth()) as node,
        open_client(node.port, "token-3") as one,
        open_client(node.port, nameless) as two,
    ):
        async with open_client(node.port, mint(fake, 3, lives=0.2)) as third:
            with within():
                assert await goodbye(third) == (["TOKEN_EXPIRED"], 4503)
        for client in (one, two):
            await client.say("send_message", chat_id=3, text="still here")
            with within():
                assert (await client.event("new_message"))["text"] == "still here"


async def test_a_token_that_ends_during_an_outage_is_extended(fake, monkeypatch):
    """Nobody can get a fresh token from a backend that is away; once it is back, it is over."""
    monkeypatch.setattr(tokens_module, "OUTAGE_RECHECK_SECONDS", 0.1)
    async with (
        open_node(fake, auth=auth()) as node,
        open_client(node.port, mint(fake, 3, lives=0.3)) as client,
    ):
        fake.fail("validate", status=503)
        with within():
            await fake.wait_for_calls("validate", 3)
        await client.say("send_message", chat_id=3, text="still here")
        with within():
            assert (await client.event("new_message"))["text"] == "still here"
            fake.heal("validate")
            assert await goodbye(client) == (["TOKEN_EXPIRED"], 4503)


async def test_only_a_client_that_asked_hears_that_its_token_ends_soon(fake):
    """``auth_expiring`` comes at once when less than a minute is left, and only if wanted."""
    async with open_node(fake, auth=auth()) as node:
        asked, silent = [], []
        for notices, heard in (({"notices": True}, asked), ({}, silent)):
            async with open_client(node.port) as client:
                await client.say("auth", token=mint(fake, 3, lives=0.5), **notices)
                with within():
                    while (got := await client.next_frame()).opcode == TEXT:
                        heard.append(got.payload)
                assert got.opcode == CLOSE

    names = [text.split(b'"')[3] for text in asked]
    assert names == [b"auth_success", b"auth_expiring", b"error"]
    assert 0 < int(asked[1].rpartition(b":")[2].rstrip(b"}")) <= 500
    assert [text.split(b'"')[3] for text in silent] == [b"auth_success", b"error"]


@pytest.mark.parametrize("notices", ["yes", 1, None])
async def test_notices_are_wanted_or_not(fake, notices):
    """Anything but true or false is invalid auth data, and the backend is not asked."""
    async with open_node(fake, auth=auth()) as node, open_client(node.port) as client:
        await client.say("auth", token="token-3", notices=notices)

        with within():
            assert (await client.event("error"))["code"] == "INVALID_AUTH"
    assert fake.calls_to("validate") == []


# ── a fresh token ────────────────────────────────────────────────────────────


async def test_a_fresh_token_keeps_the_connection(fake):
    """After a second ``auth`` calls carry the fresh token, and the end of the first is nothing."""
    async with open_node(fake, auth=auth()) as node:
        stale, fresh = mint(fake, 3, lives=0.4), mint(fake, 3)
        async with open_client(node.port, stale) as client, open_client(node.port, stale) as other:
            with within():
                assert (await client.authenticate(fresh))["user_id"] == 3
                assert await goodbye(other) == (["TOKEN_EXPIRED"], 4503)
            await client.say("send_message", chat_id=3, text="still here")
            with within():
                assert (await client.event("new_message"))["text"] == "still here"

    (call,) = fake.calls_to("send_message")
    assert call.headers["authorization"] == f"Bearer {fresh}"


async def test_another_user_cannot_take_a_connection_over(fake):
    """Its good token is refused: ALREADY_AUTHENTICATED, and everything stays as it was."""
    async with (
        open_node(fake, auth=auth()) as node,
        open_client(node.port, "token-3") as client,
    ):
        await client.say("auth", token="token-1")
        await client.say("send_message", chat_id=3, text="still me")
        with within():
            assert (await client.event("error"))["code"] == "ALREADY_AUTHENTICATED"
            assert (await client.event("new_message"))["user"]["id"] == 3

    (call,) = fake.calls_to("send_message")
    assert call.headers["authorization"] == "Bearer token-3"


@pytest.mark.parametrize("why", ["unknown", "inactive", "outage"])
async def test_a_failed_second_auth_changes_nothing(fake, why):
    """The token in force stays in force, until its own end."""
    code = "BACKEND_UNAVAILABLE" if why == "outage" else "AUTH_FAILED"
    fresh = {"unknown": "made-up", "inactive": "token-4", "outage": "token-3"}[why]
    async with open_node(fake, auth=auth()) as node:
        token = mint(fake, 3, lives=1.0)
        async with open_client(node.port, token) as client:
            if why == "outage":
                fake.fail("validate", status=503)
            await client.say("auth", token=fresh)
            with within():
                assert (await client.event("error"))["code"] == code
            fake.heal("validate")
            await client.say("send_message", chat_id=3, text="still here")
            with within():
                assert (await client.event("new_message"))["text"] == "still here"
                assert await goodbye(client) == (["TOKEN_EXPIRED"], 4503)

    (call,) = fake.calls_to("send_message")
    assert call.headers["authorization"] == f"Bearer {token}"


# ── asked again ──────────────────────────────────────────────────────────────


@pytest.mark.parametrize("why", ["revoked", "inactive", "another's"])
async def test_a_token_that_is_no_longer_good_ends_its_connections(fake, why):
    """The recheck finds out: an error TOKEN_REVOKED, then 4503; nobody else notices."""
    async with open_node(fake, auth=auth(recheck=0.2)) as node, undisturbed_chat(node):
        token = mint(fake, 3)
        async with open_client(node.port, token) as client, open_client(node.port, token) as other:
            if why == "revoked":
                del fake.tokens[token]
            elif why == "inactive":
                fake.users[3] = attrs.evolve(fake.users[3], active=False)
            else:
                fake.tokens[token] = 5
            with within():
                assert await goodbye(client) == (["TOKEN_REVOKED"], 4503)
                assert await goodbye(other) == (["TOKEN_REVOKED"], 4503)
    assert node.metrics.closed["token revoked"] == 2


@pytest.mark.parametrize("failure", ["500", "404", "garbage", "cut", "wrong key"])
async def test_an_outage_ends_nobody(fake, failure):
    """Whatever is no word about the token extends it; the next recheck decides."""
    async with open_node(fake, auth=auth(recheck=0.1)) as node:
        token = mint(fake, 3)
        async with open_client(node.port, token) as client:
            key = fake.key
            match failure:
                case "500" | "404":
                    fake.fail("validate", status=int(failure))
                case "garbage":
                    fake.fail("validate", status=200, body=b"<html>")
                case "cut":
                    fake.fail("validate", cut=True)
                case "wrong key":
                    fake.key = "rotated on one side only"
            with within():
                await fake.wait_for_calls("validate", 6)
            await client.say("send_message", chat_id=3, text="still here")
            fake.key = key
            fake.heal("validate")
            with within():
                assert (await client.event("new_message"))["text"] == "still here"
                del fake.tokens[token]
                assert await goodbye(client) == (["TOKEN_REVOKED"], 4503)
    assert node.metrics.rechecks["away"] >= 2


@pytest.mark.parametrize("event", CALLS)
async def test_a_401_to_a_users_call_has_its_token_checked_at_once(fake, event):
    """Not at the next interval: there is none here."""
    async with open_node(fake, auth=auth()) as node:
        token = mint(fake, 3)
        async with open_client(node.port, token) as client:
            del fake.tokens[token]
            await client.say(event, **CALLS[event])
            with within():
                codes, code = await goodbye(client)

    assert code == 4503
    assert codes[-1] == "TOKEN_REVOKED"


async def test_a_401_that_was_not_meant_for_the_token_ends_nobody(fake):
    """The backend is asked once about it, not once a refused call."""
    async with (
        open_node(fake, auth=auth()) as node,
        open_client(node.port, "token-3") as client,
    ):
        fake.fail("send_message", status=401)
        for _ in range(5):
            await client.say("send_message", chat_id=3, text="hello")
            with within():
                assert (await client.event("error"))["code"] == "SEND_FAILED"
        fake.heal("send_message")
        await client.say("send_message", chat_id=3, text="still here")
        with within():
            assert (await client.event("new_message"))["text"] == "still here"
            await fake.wait_for_calls("validate", 2)

    assert len(fake.calls_to("validate")) == 2


async def test_connections_with_the_same_token_are_asked_about_once(fake):
    """Ten tabs are one question, however often it is asked again."""
    async with open_node(fake, auth=auth(recheck=0.4)) as node, trio.open_nursery() as tabs:
        token, arrived = mint(fake, 3), trio.Semaphore(0)

        async def stay():
            async with open_client(node.port, token):
                arrived.release()
                await trio.sleep_forever()

        for _ in range(10):
            tabs.start_soon(stay)
        with within():
            for _ in range(10):
                await arrived.acquire()
            began, before = time.time(), len(fake.calls_to("validate"))
            await fake.wait_for_calls("validate", before + 3)
        took = time.time() - began
        tabs.cancel_scope.cancel()

    assert before <= 11
    assert took > 0.7


# ── secrets ──────────────────────────────────────────────────────────────────


async def test_no_token_is_ever_printed(fake, logged, capfd):
    """Through a whole life, good and bad, no token is in the log, the metrics or an answer."""
    said = []
    async with open_node(fake, auth=auth(recheck=0.1, cookie="c")) as node:
        tokens = [mint(fake, 3), mint(fake, 3), mint(fake, 1), "made-up-canary"]
        async with open_with_cookie(node.port, ORIGIN + b"Cookie: c=made-up-canary\r\n") as client:
            for token in tokens:
                await client.say("auth", token=token, notices=True)
            with within():
                await fake.wait_for_calls("validate", 8)
                del fake.tokens[tokens[1]]
                while (got := await client.next_frame()).opcode == TEXT:
                    said.append(got.payload.decode())
        printed = repr(logged) + repr(node.metrics) + "".join(said) + "".join(capfd.readouterr())

    assert "TOKEN_REVOKED" in printed
    assert "token_over" in printed
    assert not [token for token in tokens if token in printed or token[-20:] in printed]

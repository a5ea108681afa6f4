"""Coming in, from outside: too early, too many at once, and by a cookie."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
import pytest
import trio

from fakes.clients import UPGRADE, open_client, open_raw, saying
from fakes.leaks import settles
from fakes.node import open_node, within
from fakes.tokens import ORIGIN, auth, goodbye, open_with_cookie

# ── auth ─────────────────────────────────────────────────────────────────────


async def test_the_tenth_command_before_auth_is_the_last(fake):
    """Each is answered AUTH_REQUIRED; then 4501."""
    async with open_node(fake, auth=auth()) as node, open_client(node.port) as client:
        for _ in range(12):
            await client.say("typing", chat_id=1, is_typing=True)
        with within():
            assert await goodbye(client) == (["AUTH_REQUIRED"] * 10, 4501)


async def test_after_nine_commands_it_is_not_too_late(fake):
    """Who then authenticates may go on."""
    async with open_node(fake, auth=auth()) as node, open_client(node.port) as client:
        for _ in range(9):
            await client.say("typing", chat_id=1, is_typing=True)
        with within():
            assert (await client.authenticate("token-3"))["user_id"] == 3


async def test_commands_behind_an_auth_that_fails_count_too(fake):
    """They waited for its outcome; it was no."""
    async with open_node(fake, auth=auth()) as node, open_client(node.port) as client:
        await client.send(
            saying("auth", token="made-up") + saying("mark_read", message_ids=[1]) * 12
        )
        with within():
            codes, code = await goodbye(client)

    assert (codes, code) == (["AUTH_FAILED"] + ["AUTH_REQUIRED"] * 10, 4501)
    assert fake.calls_to("mark_read") == []


async def test_no_more_than_the_limit_is_asked_about_at_once(fake):
    """AUTH_CONCURRENCY holds for thirty clients that come at once; all of them get in."""
    async with open_node(fake, auth=auth(concurrency=3)) as node:
        gate = fake.hold("validate")
        with within():
            async with trio.open_nursery() as crowd:
                for _ in range(30):
                    crowd.start_soon(_visit, node.port)
                await fake.wait_for_calls("validate", 3)
                assert len(fake.calls_to("validate")) == 3
                gate.set()

    assert fake.most_concurrent == 3
    assert len(fake.calls_to("validate")) == 30


async def _visit(port):
    async with open_client(port, "token-3"):
        pass


async def test_the_backend_is_not_asked_about_who_has_left(fake):
    """A client that gave up while it waited for its turn costs the backend nothing."""
    async with open_node(fake, auth=auth(concurrency=1)) as node:
        gate = fake.hold("validate")
        async with open_client(node.port) as first:
            await first.say("auth", token="token-1")
            with within():
                await fake.wait_for_calls("validate", 1)
            async with open_client(node.port) as second:
                await second.say("auth", token="token-2")
                await second.say("typing")
                with within():
                    assert (await second.event("error"))["code"] == "INVALID_CHAT_ID"
            assert await settles(lambda: node.metrics.connections == 1)
            gate.set()
            with within():
                await first.event("auth_success")
        async with open_client(node.port, "token-3"):
            pass

    asked = [call.json["token"] for call in fake.calls_to("validate")]
    assert asked == ["token-1", "token-3"]


# ── the cookie ───────────────────────────────────────────────────────────────


async def test_a_cookie_authenticates_at_once(fake):
    """With AUTH_COOKIE and an Origin that passed, ``auth_success`` comes without ``auth``."""
    async with open_node(fake, auth=auth(cookie="access_token")) as node:
        headers = ORIGIN + b"Cookie: theme=dark; access_token=token-3; x=\r\n"
        async with open_with_cookie(node.port, headers) as client:
            with within():
                assert (await client.event("auth_success"))["user_id"] == 3
                await client.say("send_message", chat_id=3, text="hello")
                assert (await client.event("new_message"))["user"]["id"] == 3


async def test_what_is_said_behind_the_handshake_waits_for_the_cookie(fake):
    """A command sent together with the upgrade is the cookie's user's, not nobody's."""
    async with (
        open_node(fake, auth=auth(cookie="access_token")) as node,
        open_raw(node.port) as client,
    ):
        await client.send(
            UPGRADE
            + ORIGIN
            + b"Cookie: access_token=token-3\r\n\r\n"
            + saying("send_message", chat_id=3, text="early")
        )
        await client.read_until(b"\r\n\r\n")
        with within():
            assert (await client.next_event())["event"] == "auth_success"
            assert (await client.event("new_message"))["text"] == "early"


@pytest.mark.parametrize(
    ("name", "headers"),
    [
        ("", ORIGIN + b"Cookie: access_token=token-3\r\n"),
        ("access_token", b"Cookie: access_token=token-3\r\n"),
        ("access_token", ORIGIN),
        ("access_token", ORIGIN + b"Cookie: Access_Token=token-3; xaccess_token=token-3\r\n"),
    ],
    ids=["off", "no origin", "no cookie", "another cookie"],
)
async def test_without_cookie_setting_or_origin_nothing_happens(fake, name, headers):
    """The client is a stranger until it says ``auth``; nothing is said to it before."""
    async with (
        open_node(fake, auth=auth(cookie=name)) as node,
        open_with_cookie(node.port, headers) as client,
    ):
        await client.say("typing", chat_id=1, is_typing=True)
        with within():
            first = await client.next_event()
            assert first["data"]["code"] == "AUTH_REQUIRED"
            assert (await client.authenticate("token-3"))["user_id"] == 3
    assert len(fake.calls_to("validate")) == 1


@pytest.mark.parametrize(
    "cookie",
    [
        b"access_token=made-up",
        b"access_token=",
        b"access_token=a b",
        b"access_token=t\xf6ken-3",
        b"access_token=token-3; access_token=token-1",
        b"access_token=token-4",
        b"access_token=" + b"x" * 8193,
    ],
    ids=["unknown", "empty", "blank", "not ASCII", "two", "inactive", "long"],
)
async def test_after_a_bad_cookie_a_client_may_still_say_auth(fake, cookie):
    """AUTH_FAILED, and the connection is open to a better proof."""
    async with (
        open_node(fake, auth=auth(cookie="access_token")) as node,
        open_with_cookie(node.port, ORIGIN + b"Cookie: " + cookie + b"\r\n") as client,
    ):
        with within():
            assert (await client.next_event())["data"]["code"] == "AUTH_FAILED"
            assert (await client.authenticate("token-3"))["user_id"] == 3


async def test_a_page_with_a_cookie_goes_on_where_it_was(fake):
    """What it cannot say in an ``auth`` of its own, it says in the address."""
    headers = ORIGIN + b"Cookie: access_token=token-1\r\n"

    def asking(resume):
        return b"?auth=" + quote(msgspec.json.encode({"resume": resume})).encode()

    async with (
        open_node(fake, auth=auth(cookie="access_token")) as node,
        open_client(node.port, "token-2") as other,
    ):
        async with open_with_cookie(node.port, headers, asking(resume=True)) as client:
            with within():
                welcome = await client.event("auth_success")
        await other.say("send_message", chat_id=1, text="missed")
        with within():
            await other.event("new_message")
        place = {key: welcome[key] for key in ("session", "position")}
        async with open_with_cookie(node.port, headers, asking(place)) as client:
            with within():
                assert (await client.event("auth_success"))["recovered"]
                assert (await client.event("new_message"))["text"] == "missed"


@pytest.mark.parametrize(
    "query",
    [b"?auth=", b"?auth=null", b"?auth={&auth={}", b"?auth=%ff", b'?auth={"token":"token-3"}'],
)
async def test_an_address_that_asks_for_nothing_we_know_lets_nobody_in(fake, query):
    """INVALID_AUTH, also for a token: addresses are logged. A proper ``auth`` is still welcome."""
    headers = ORIGIN + b"Cookie: access_token=token-3\r\n"
    async with (
        open_node(fake, auth=auth(cookie="access_token")) as node,
        open_with_cookie(node.port, headers, query) as client,
    ):
        with within():
            assert (await client.next_event())["data"]["code"] == "INVALID_AUTH"
            assert (await client.authenticate("token-3"))["user_id"] == 3
    assert len(fake.calls_to("validate")) == 1


async def test_a_cookie_of_a_page_that_may_not_connect_is_never_looked_at(fake):
    """A hostile page gets 403, though the browser sent its visitor's cookie along."""
    async with (
        open_node(fake, auth=auth(cookie="access_token")) as node,
        open_raw(node.port) as client,
    ):
        await client.send(
            UPGRADE + b"Origin: https://evil.example\r\nCookie: access_token=token-3\r\n\r\n"
        )
        with within():
            assert (await client.rest()).startswith(b"HTTP/1.1 403 ")
    assert fake.calls == []

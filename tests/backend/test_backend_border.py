"""What crosses the border to the backend and what must not: credentials, secrets, imports."""

from __future__ import annotations

import ssl
import sys

import pytest
import structlog
import trio
import trustme

from fakes.backend import open_fake_backend
from fakes.hostile import http, open_hostile_backend, says
from fakes.settings import KEY, backend_settings
from gogate_trio import __version__
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import BackendRejected, BackendUnavailable, OutcomeUnknown
from gogate_trio.ids import ChatId, MessageId
from gogate_trio.protocol.commands import AddReaction, MarkRead, SendMessage

pytestmark = pytest.mark.usefixtures("transport")

HELLO = SendMessage(ChatId(1), "hello")
VALID = b'{"valid":true,"user":{"id":1,"name":"Jo"}}'


async def test_no_cookie_travels_from_one_user_to_another():
    """What a backend sets for one user is never sent with another's call."""
    answer = http(201, b"{}", b"Set-Cookie: access_token=secret; Path=/")
    async with (
        open_hostile_backend(says(answer, keep=True)) as hostile,
        open_backend(backend_settings(hostile.url)) as backend,
    ):
        for user in (1, 2):
            await backend.send_message(f"token-{user}", HELLO)

    assert b"token-2" in hostile.requests[1]
    assert b"cookie" not in hostile.requests[1].lower()


async def test_the_environment_names_no_proxy(monkeypatch):
    """A proxy variable does not get to see our key."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
    ):
        assert (await backend.validate("token-1")).user_id == 1


async def test_every_call_says_who_asks_and_carries_only_its_own_credential():
    """Internal calls carry the key and no token; public ones the token and no key."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
    ):
        await backend.validate("token-1")
        await backend.members(ChatId(1))
        await backend.send_message("token-1", HELLO)
        await backend.add_reaction("token-1", AddReaction(MessageId(1), "👍"))
        await backend.mark_read("token-1", MarkRead((MessageId(1),)))

    for call in fake.calls:
        internal = call.endpoint in {"validate", "members"}
        assert ("x-internal-api-key" in call.headers) == internal
        assert ("authorization" in call.headers) != internal
        assert call.headers["user-agent"] == f"gogate/{__version__}"
        assert call.headers["accept-encoding"] == "identity"
        assert call.headers["host"] == fake.url.removeprefix("http://")
        assert call.method == "GET" or call.headers["content-type"] == "application/json"


async def test_a_path_in_the_address_goes_before_every_call():
    """A backend behind a prefix is reached through it."""
    async with (
        open_hostile_backend(says(http(201, b"{}"))) as hostile,
        open_backend(backend_settings(f"{hostile.url}/buzz/chat")) as backend,
    ):
        await backend.send_message("token-1", HELLO)

    assert hostile.requests[0].startswith(b"POST /buzz/chat/api/v1/messages HTTP/1.1\r\n")


@pytest.mark.parametrize(
    "token",
    ["", "a b", "a\r\nX: y", "a\x00", "тoken", "a\u2028", "\ud800", "x" * 8193],
)
async def test_a_token_that_fits_no_header_is_refused_without_a_call(token):
    """Nothing that could forge a header, or never was a JWT, leaves the house."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
    ):
        for ask in (
            backend.validate(token),
            backend.send_message(token, HELLO),
            backend.add_reaction(token, AddReaction(MessageId(1), "+")),
            backend.mark_read(token, MarkRead((MessageId(1),))),
        ):
            with pytest.raises(BackendRejected) as raised:
                await ask
            assert raised.value.status == 401

    assert fake.calls == []


async def test_text_that_is_no_unicode_is_refused_without_a_call():
    """A lone surrogate, which UTF-8 cannot hold, ends as a clear refusal."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
    ):
        with pytest.raises(BackendRejected) as raised:
            await backend.send_message("token-1", SendMessage(ChatId(1), "\ud800"))

    assert raised.value.status == 400
    assert fake.calls == []


async def test_an_id_that_is_no_number_builds_no_address():
    """The type checker forbids it; should it happen all the same, no request leaves."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url)) as backend,
    ):
        with pytest.raises(ValueError, match="format"):
            await backend.members("../../secret")

    assert fake.calls == []


async def test_nothing_secret_is_logged_or_raised():
    """Neither log nor exceptions hold an address, the key, a token or a text."""
    async with open_hostile_backend(says(b"garbage")) as hostile:
        with structlog.testing.capture_logs() as events:
            async with open_backend(backend_settings(hostile.url)) as backend:
                with pytest.raises(OutcomeUnknown) as raised:
                    await backend.send_message("token-1", HELLO)

    assert raised.value.__cause__ is None
    shown = f"{events} {raised.value!r} {backend!r} {vars(backend)}"
    assert "backend_exchange_failed" in shown
    for secret in (hostile.url.rpartition(":")[2], KEY, "token-1", "hello"):
        assert secret not in shown


async def test_certificates_are_checked_against_the_systems_store(monkeypatch, tmp_path):
    """A backend whose issuer the system trusts is spoken to; any other gets nothing."""
    authority, stranger = trustme.CA(), trustme.CA()
    store = tmp_path / "store.pem"
    authority.cert_pem.write_to_path(store)
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    for issuer in (authority, stranger):
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        issuer.issue_cert("127.0.0.1").configure_cert(tls)
        async with (
            open_hostile_backend(says(http(200, VALID)), tls=tls) as hostile,
            open_backend(backend_settings(hostile.url)) as backend,
        ):
            if issuer is authority:
                assert (await backend.validate("token-1")).user_id == 1
            else:
                with pytest.raises(BackendUnavailable):
                    await backend.validate("token-1")

            assert len(hostile.requests) == (issuer is authority)


FIRST_CALLS = """
import os, resource, sys
import trio
from fakes import settings
from fakes.settings import backend_settings
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import BackendError
from gogate_trio.ids import ChatId
from gogate_trio.protocol.commands import SendMessage

async def main():
    settings.TRANSPORT = sys.argv[2]
    url = sys.argv[1].replace("127.0.0.1", "localhost")
    async with open_backend(backend_settings(url)) as backend:
        before = set(sys.modules)
        await backend.validate("token-1")
        await backend.send_message("token-1", SendMessage(ChatId(1), "hello"))
        for token in ("bad", "\\r\\n"):
            try:
                await backend.send_message(token, SendMessage(ChatId(1), "hello"))
            except BackendError:
                pass
        async with open_backend(backend_settings("http://localhost:1")) as nobody:
            try:
                await nobody.members(ChatId(1))
            except BackendError:
                pass
        print("RESULT", *sorted(set(sys.modules) - before))

async def full():
    async with open_backend(backend_settings(sys.argv[1])) as backend:
        highest = max(map(int, os.listdir("/proc/self/fd")))
        resource.setrlimit(resource.RLIMIT_NOFILE, (highest, highest))
        try:
            await backend.members(ChatId(1))
        except BackendError as error:
            print("RESULT", type(error).__name__)

trio.run(main)
trio.run(full)
"""


async def test_a_first_call_imports_nothing_and_may_meet_the_fd_limit(transport):
    """At the limit of open files an import fails; so nothing is imported once calls are made."""
    async with open_fake_backend() as fake:
        child = await trio.run_process(
            [sys.executable, "-c", FIRST_CALLS, fake.url, transport],
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_stdout=True,
        )

    lines = child.stdout.decode().splitlines()
    assert [line for line in lines if "RESULT" in line] == ["RESULT", "RESULT BackendUnavailable"]

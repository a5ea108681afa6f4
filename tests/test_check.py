"""Laws of ``gogate check``: every way a backend can be wrong has its own answer."""

from __future__ import annotations

import socket

import attrs
import pytest
import trio

from fakes.backend import open_fake_backend
from fakes.settings import backend_settings
from fixtures.valkey import open_valkey
from gogate_trio.check import PLACEHOLDER_KEY, State, probe, review
from gogate_trio.config import (
    ClusterSettings,
    DrainSettings,
    OriginSettings,
    Settings,
    StateSettings,
    WebSocketSettings,
    env_example,
)
from gogate_trio.config.redis import RedisUrl
from gogate_trio.protocol.origins import OriginRule

PATIENCE = 30.0
LISTED = OriginRule("https", "chat.example", "", subdomains=False)


async def found(fake, **changes):
    """What the check finds at a fake backend, as name → finding."""
    settings = Settings(backend=attrs.evolve(backend_settings(fake.url), **changes))
    with trio.fail_after(PATIENCE):
        return {one.name: one for one in await probe(settings)}


@pytest.mark.parametrize("dialect", ["guide", "symfony"])
async def test_a_good_backend_is_well_in_either_dialect(dialect):
    """All three questions are answered, with calls that change nothing."""
    async with open_fake_backend(dialect=dialect) as fake:
        findings = await found(fake, dialect=dialect)
        endpoints = [call.endpoint for call in fake.calls]

    assert [one.state for one in findings.values()] == [State.OK] * 3
    assert endpoints == ["validate", "members"]


async def test_a_backend_without_chat_1_takes_our_key_all_the_same():
    """``404`` for a chat is an answer to a good key."""
    async with open_fake_backend() as fake:
        fake.chats.clear()
        findings = await found(fake)

    assert findings["internal API key"].state is State.OK


@pytest.mark.parametrize("status", [401, 403])
async def test_a_refused_key_is_told(status):
    """The backend answers and refuses the key: that is about INTERNAL_API_KEY."""
    async with open_fake_backend() as fake:
        fake.fail("members", status=status)
        findings = await found(fake)

    assert findings["backend API"].state is State.OK
    assert findings["internal API key"].state is State.FAILED
    assert "INTERNAL_API_KEY" in findings["internal API key"].advice


async def test_a_wrong_path_is_told():
    """Something else answers at the address: the path in BACKEND_API_URL is suspected."""
    async with open_fake_backend() as fake:
        findings = await found(fake, url=f"{fake.url}/elsewhere")

    assert findings["backend address"].state is State.OK
    assert findings["backend API"].state is State.FAILED
    assert "BACKEND_API_URL" in findings["backend API"].advice
    assert findings["internal API key"].state is State.SKIPPED


@pytest.mark.parametrize("endpoint", ["validate", "members"])
@pytest.mark.parametrize("status", [302, 418, 429, 500, 503])
async def test_an_odd_status_is_a_failure(endpoint, status):
    """Whatever is neither an acceptance nor the contract's refusal is a failure."""
    async with open_fake_backend() as fake:
        fake.fail(endpoint, status=status)
        findings = await found(fake)

    row = {"validate": "backend API", "members": "internal API key"}[endpoint]
    assert findings[row].state is State.FAILED
    assert findings[row].advice


async def test_a_backend_that_lets_anybody_in_is_a_failure():
    """A made-up token that is accepted is worse than no answer."""
    body = b'{"valid": true, "user": {"id": 1, "name": "A", "phone": "", "active": true}}'
    async with open_fake_backend() as fake:
        fake.fail("validate", status=200, body=body)
        findings = await found(fake)

    assert findings["backend API"].state is State.FAILED
    assert "made-up" in findings["backend API"].detail


async def test_something_that_speaks_no_http_is_a_failure():
    """An address that answers nonsense is told apart from one where nobody listens."""

    async def babble(stream):
        await stream.send_all(b"220 mail.example.org ESMTP\r\n")
        await stream.aclose()

    async with trio.open_nursery() as serving:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await serving.start(trio.serve_listeners, babble, listeners)
        port = listeners[0].socket.getsockname()[1]
        settings = Settings(backend=backend_settings(f"http://127.0.0.1:{port}"))
        with trio.fail_after(PATIENCE):
            findings = await probe(settings)
        serving.cancel_scope.cancel()

    assert [one.state for one in findings] == [State.OK, State.FAILED, State.SKIPPED]


async def test_a_name_without_an_address_is_told(monkeypatch):
    """A misspelt host is told apart from a backend that is down."""
    settings = Settings(backend=backend_settings("http://backend.invalid:8000"))
    monkeypatch.setattr(trio, "open_tcp_stream", _no_such_name)

    address, *others = await probe(settings)

    assert address.state is State.FAILED
    assert "name" in address.detail
    assert [one.state for one in others] == [State.SKIPPED] * 2


async def test_an_address_that_does_not_answer_is_told_in_time(monkeypatch, autojump_clock):
    """A firewall that swallows everything costs one timeout, not the kernel's two minutes."""
    settings = Settings(backend=backend_settings("http://192.0.2.1:8000", timeout=5.0))
    monkeypatch.setattr(trio, "open_tcp_stream", _silence)

    started = autojump_clock.current_time()

    address, *_others = await probe(settings)

    assert autojump_clock.current_time() - started == pytest.approx(5.0)
    assert "no answer in time" in address.detail


def test_review_warns_of_the_guides_placeholder(tmp_path):
    """The example key of the guide works, and is pointed out; so is a short one."""
    path = tmp_path / ".env"
    path.write_text(env_example())
    copied = Settings.load({}, path)
    short = Settings.load({"INTERNAL_API_KEY": "short"}, None)
    good = Settings.load({"INTERNAL_API_KEY": "correct-horse-battery-staple"}, None)

    assert copied.backend.internal_api_key.reveal() == PLACEHOLDER_KEY
    assert [one.name for one in review(copied)] == ["settings", "INTERNAL_API_KEY"]
    assert [one.name for one in review(short)] == ["settings", "INTERNAL_API_KEY"]
    assert [one.name for one in review(good)] == ["settings"]


def test_review_warns_of_deadlines_that_a_backend_call_does_not_fit_in():
    """A drain or an authentication that is shorter than one backend call is pointed out."""
    settings = Settings(
        backend=backend_settings("http://x", key="k" * 32, timeout=5.0),
        drain=DrainSettings(timeout=4.9),
        websocket=WebSocketSettings(auth_timeout=4.9),
    )

    warned = [one.name for one in review(settings) if one.state is State.WARNING]

    assert warned == ["DRAIN_TIMEOUT", "AUTH_TIMEOUT"]


def test_review_warns_of_a_state_directory_that_is_of_no_use(tmp_path):
    """One that is not there is pointed out before the restart that needs it."""
    for folder, warned in ((tmp_path, False), (tmp_path / "nowhere", True)):
        settings = Settings(
            backend=backend_settings("http://x", key="k" * 32),
            state=StateSettings(folder=str(folder)),
        )
        names = [one.name for one in review(settings) if one.state is State.WARNING]

        assert ("STATE_DIR" in names) is warned


def test_review_warns_of_an_open_door():
    """A star among the origins is pointed out, wherever it stands; a list is not."""
    for entries, warned in ((("*",), True), ((LISTED, "*"), True), ((LISTED,), False)):
        settings = Settings(
            backend=backend_settings("http://x", key="k" * 32),
            origins=OriginSettings(allowed=entries),
        )
        names = [one.name for one in review(settings) if one.state is State.WARNING]

        assert ("ALLOWED_ORIGINS" in names) is warned


async def _no_such_name(*_arguments):
    await trio.lowlevel.checkpoint()
    raise socket.gaierror(-2, "Name or service not known")


async def _silence(*_arguments):
    await trio.sleep_forever()


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        (("--maxmemory-policy", "noeviction"), State.OK),
        (("--maxmemory-policy", "allkeys-lru"), State.WARNING),
        (("--requirepass", "a-password-for-redis"), State.FAILED),
    ],
)
async def test_redis_is_asked_where_there_is_one(tmp_path, arguments, state):
    """It lets us in and keeps what it is given; what is wrong is told without its password."""
    auth = arguments[1] if state is State.FAILED else ""
    async with open_valkey(tmp_path, *arguments, auth=auth) as valkey, open_fake_backend() as fake:
        address = RedisUrl().parse(valkey.url)
        settings = Settings(
            backend=backend_settings(fake.url), cluster=ClusterSettings(redis=address)
        )
        findings = {one.name: one for one in await probe(settings)}

    assert findings["redis"].state is state
    assert str(valkey.port) in findings["redis"].detail

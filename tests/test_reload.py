"""SIGHUP: what can change changes as if the node had been started so; the rest is named."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import structlog
import trio

from fakes.backend import open_fake_backend
from fakes.clients import UPGRADE, open_client, open_raw
from fakes.node import NO_RATES, open_node, within
from fakes.secrets import KEY
from gogate_trio import reload
from gogate_trio.assembly import assemble
from gogate_trio.backend.rest import open_backend
from gogate_trio.config import (
    AdmissionSettings,
    ConfigError,
    ListenSettings,
    OriginSettings,
    Problem,
    ResumeSettings,
    Secret,
    Settings,
    WebSocketSettings,
)
from gogate_trio.config.load import Apart, Order, Together
from gogate_trio.config.settings import ORDERS, PAIRS
from gogate_trio.internal.api.keys import ApiKeys
from gogate_trio.metrics import Metrics
from gogate_trio.protocol.origins import OriginRule
from gogate_trio.reload import RELOADED, Reloader
from gogate_trio.server.listener import Server
from gogate_trio.state.ratelimit import Rate

OPERATIONS = Path(__file__).parent.parent / "docs" / "operations.md"
CHANGES = {
    "INTERNAL_API_KEY": "another-key",
    "BACKEND_TIMEOUT": "3s",
    "BACKEND_QUEUE": "7",
    "MAX_MESSAGE_SIZE": "2048",
    "READ_BUFFER_SIZE": "2048",
    "WRITE_BUFFER_SIZE": "2048",
    "PING_PERIOD": "7s",
    "PONG_WAIT": "90s",
    "WRITE_WAIT": "7s",
    "AUTH_TIMEOUT": "7s",
    "AUTH_COOKIE": "token",
    "AUTH_CONCURRENCY": "3",
    "TOKEN_GRACE": "3s",
    "TOKEN_RECHECK": "3s",
    "MAX_CONNECTIONS": "9",
    "MAX_UNAUTHENTICATED": "3",
    "MAX_CONNECTIONS_PER_IP": "3",
    "MAX_CONNECTIONS_PER_USER": "3",
    "USER_CONNECTIONS_KEEP": "oldest",
    "RATE_HANDSHAKES": "3/s",
    "TRUSTED_PROXIES": "10.0.0.1",
    "ALLOWED_ORIGINS": "https://chat.example.org",
    "ALLOW_MISSING_ORIGIN": "false",
    "RATE_MESSAGES": "3/s",
    "RATE_TYPING": "3/s",
    "RATE_REACTIONS": "3/s",
    "RATE_READS": "3/s",
    "RATE_AUTH": "3/s",
    "RATE_CONTROL": "3/s",
    "MEMBERSHIP_TTL": "3s",
    "MEMBERSHIP_STALE": "90s",
    "INTERNAL_API_TOKENS": "one-key,two-key",
    "DRAIN_TIMEOUT": "33s",
    "DRAIN_SPREAD": "3s",
    "LOG_LEVEL": "error",
}
"""Another value for each setting that can change."""

ENVIRON = {"INTERNAL_API_KEY": KEY}


@pytest.fixture
def logged(monkeypatch):
    """What the reloader says, and the levels of the log meanwhile."""
    capture = structlog.testing.LogCapture()
    monkeypatch.setattr(reload, "_log", structlog.wrap_logger(None, processors=[capture]))
    monkeypatch.setattr(reload.log, "set_level", capture.entries.append)
    return capture.entries


@asynccontextmanager
async def standing(settings):
    """Put a node together, without a socket; yield what can be reloaded."""
    async with (
        open_backend(settings.backend) as backend,
        trio.open_nursery() as supervisor,
    ):
        node = assemble(settings, backend, supervisor, Metrics())
        server = Server(node.house, {}, None)
        yield Reloader(node, server, backend, ApiKeys(settings.internal_api_keys))
        supervisor.cancel_scope.cancel()


def figures(parts):
    """Everything that the rooms of a node go by, wherever they keep it."""
    house, keeper, membership = parts.node.house, parts.node.keeper, parts.node.dials.membership
    return {
        "websocket": house.settings.websocket,
        "drain": house.settings.drain,
        "log": house.settings.log.level,
        "cookie": keeper._settings.cookie,
        "book": (keeper._tenure._book._grace, keeper._tenure._book._recheck),
        "inquiry": (keeper._inquiry.slots.total_tokens, keeper._inquiry._words._seconds),
        "caps": house.admission._caps,
        "pace": house.admission._pace._rate,
        "roster": (house.roster._settings.per_user, house.roster._settings.user_policy),
        "rates": {name: each._rate for name, each in house.throttle._limiters.items()},
        "membership": (membership._ttl, membership._stale),
        "backend": (parts.backend._timeout, parts.backend._site, parts.backend._gate._queue),
        "keys": [key.reveal() for key in parts.keys._keys],
        "server": (parts.server._proxies, parts.server._origins),
    }


async def test_a_reloaded_node_is_as_one_that_was_started_so(logged):
    """Whatever changes, and wherever it is kept; and back again."""
    old, new = Settings.load(ENVIRON, None), Settings.load(ENVIRON | CHANGES, None)
    async with standing(old) as running, standing(new) as started:
        before = figures(running)
        await running.reload(lambda: new)
        assert figures(running) == figures(started)
        await running.reload(lambda: old)
        assert figures(running) == before

    assert [{*each["changed"]} for each in logged if isinstance(each, dict)] == [{*CHANGES}] * 2
    assert [each for each in logged if not isinstance(each, dict)] == ["error", "info"]


async def test_each_setting_changes_something_by_itself(logged):
    """None of them is said to be reloaded and is not."""
    old = Settings.load(ENVIRON, None)
    async with standing(old) as running:
        before = figures(running)
        for name, text in CHANGES.items():
            new = Settings.load(ENVIRON | {name: text}, None)
            logged.clear()
            await running.reload(lambda new=new: new)
            assert figures(running) != before, name
            assert logged[-1]["changed"] == [name]
            await running.reload(lambda: old)
            assert figures(running) == before, name


def test_every_setting_that_can_change_has_its_proof():
    """And the table of them in the documents is this one, word for word."""
    table = OPERATIONS.read_text().partition("<!-- reloaded -->")[2].partition("<!--")[0]
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+) \|$", table, re.MULTILINE)

    assert {*CHANGES, "INTERNAL_API_KEY_FILE"} == RELOADED.keys()
    assert dict(rows) == RELOADED


def test_settings_that_must_fit_together_change_together_or_not_at_all():
    """A mixture of old and new holds no contradiction that neither of them had."""
    for rule in (*ORDERS, *PAIRS):
        match rule:
            case Order():
                names = {rule.smaller, rule.larger}
            case Together():
                names = set(rule.names)
            case Apart():
                names = {rule.name, rule.other}
        assert names <= RELOADED.keys() or names.isdisjoint(RELOADED)


async def test_a_mistake_anywhere_changes_nothing(logged):
    """All or nothing, and the log has every mistake."""
    problems = [Problem("PORT", "is wrong"), Problem("LOG_LEVEL", "is wrong")]

    def read():
        raise ConfigError(problems)

    async with standing(Settings.load(ENVIRON, None)) as running:
        before = figures(running)
        await running.reload(read)

        assert figures(running) == before
    (said,) = logged
    assert (said["event"], said["log_level"]) == ("settings_kept", "error")
    assert said["problems"] == ["PORT: is wrong", "LOG_LEVEL: is wrong"]


async def test_what_needs_a_restart_is_named_each_time_and_not_applied(logged):
    """By its name, without a value; the rest takes effect all the same."""
    old = Settings.load(ENVIRON, None)
    new = Settings.load(ENVIRON | {"PORT": "1234", "RESUME_EVENTS": "5", "WRITE_WAIT": "3"}, None)
    async with standing(old) as running:
        await running.reload(lambda: new)
        await running.reload(lambda: new)
        settings = running.node.house.settings

    assert (settings.listen, settings.resume) == (ListenSettings(), ResumeSettings())
    assert settings.websocket == WebSocketSettings(write_wait=3.0)
    assert [(each["event"], each.get("changed"), each.get("settings")) for each in logged] == [
        ("settings_reloaded", ["WRITE_WAIT"], None),
        ("restart_needed", None, ["PORT", "RESUME_EVENTS"]),
        ("settings_reloaded", [], None),
        ("restart_needed", None, ["PORT", "RESUME_EVENTS"]),
    ]


async def test_nothing_secret_is_said(logged):
    """Names only: neither the old key nor the new one."""
    old, new = Settings.load(ENVIRON, None), Settings.load({"INTERNAL_API_KEY": "new-key"}, None)
    async with standing(old) as running:
        await running.reload(lambda: new)

    assert KEY not in str(logged)
    assert "new-key" not in str(logged)


# ── through sockets ──────────────────────────────────────────────────────────


@pytest.fixture
async def fake():
    """A backend."""
    async with open_fake_backend() as backend:
        yield backend


async def test_who_is_connected_stays_and_goes_by_the_new_rates(fake):
    """Nobody is cut; the next message too many is refused."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)) as john:
        await node.reload(rates=attrs.evolve(NO_RATES, messages=Rate(0.001, 1)))
        with within():
            for _ in range(2):
                await john.say("send_message", chat_id=2, text="hello")
            heard = [await john.next_event() for _ in range(2)]
        told = {event["event"]: event["data"] for event in heard}
        assert told["new_message"]["text"] == "hello"
        assert told["error"]["code"] == "RATE_LIMITED"


async def test_who_comes_meets_the_new_origins_and_caps(fake):
    """403 for a page that is no longer listed, 503 where the house is smaller now."""
    page = OriginRule("https", "chat.example.org", "", subdomains=False)
    async with open_node(fake) as node, open_client(node.port, fake.token(1)):
        await node.reload(origins=OriginSettings(allowed=(page,), missing=False))
        async with open_raw(node.port) as stranger:
            await stranger.send(UPGRADE + b"\r\n")
            assert (await stranger.read_until(b"\r\n")).startswith(b"HTTP/1.1 403 ")
        await node.reload(admission=AdmissionSettings(total=1))
        async with open_raw(node.port) as stranger:
            await stranger.send(UPGRADE + b"\r\n")
            assert (await stranger.read_until(b"\r\n")).startswith(b"HTTP/1.1 503 ")


async def test_the_backends_key_can_be_changed_while_people_chat(fake):
    """From the next call on it is the new one, and no connection ends for it."""
    async with open_node(fake) as node, open_client(node.port, fake.token(1)):
        fake.key = "the-next-key-of-the-backend"
        settings = attrs.evolve(node.wanted[-1].backend, internal_api_key=Secret(fake.key))
        await node.reload(backend=settings)
        with within():
            async with open_client(node.port, fake.token(2)):
                pass
        assert node.metrics.connections >= 1

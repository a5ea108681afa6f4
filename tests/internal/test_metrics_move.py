"""Every metric of the catalogue is in a real exposition, and moves when what it counts happens.

Each provocation does something to a real node through real sockets and names the series that
must have gone up while it lasts. The last law counts: no metric may be left unmoved.
"""

from __future__ import annotations

import time
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import attrs
import pytest
import trio

from fakes.api import call
from fakes.certificates import Authority, Files
from fakes.clients import open_client, open_raw
from fakes.logged import Gone, configured, restored
from fakes.node import within
from fakes.watched import ask, open_watched, small_backend
from fixtures.valkey import open_valkey
from gogate_trio import hub, log, publisher, router
from gogate_trio.broker.telling import Teller
from gogate_trio.cluster.base import Pulse
from gogate_trio.config import (
    AdmissionSettings,
    AuthSettings,
    ClusterSettings,
    MembershipSettings,
    PresenceSettings,
    RateSettings,
    RedisAddress,
    StateSettings,
    TracingSettings,
    WebSocketSettings,
)
from gogate_trio.internal.catalogue import METRICS, PROCESS
from gogate_trio.limits import LOG_LINES, OUTBOX_BYTES

CONSTANT = {
    *("gogate_build_info", "gogate_state_restores_total"),
    *("process_max_fds", "process_start_time_seconds"),
}
"""What cannot move while a process lives."""

LONG = "x" * 30_000


@attrs.frozen
class Provocation:
    """Something that is done to a node."""

    do: object
    """An async context manager: what it did lasts until its end."""
    series: tuple[tuple[str, ...], ...]
    """What must have gone up; label values in the order of their names."""
    groups: object
    """Makes the settings, from the fake and an empty folder."""
    environ: dict[str, str]
    """What a library reads by itself."""


PROVOCATIONS = []


def moves(*series, groups=lambda _fake, _folder: {}, environ=()):
    """Declare what a provocation moves, and on what node in what environment."""

    def declare(do):
        keys = tuple((one,) if isinstance(one, str) else one for one in series)
        PROVOCATIONS.append(Provocation(do, keys, groups, dict(environ)))
        return do

    return declare


def with_certificate(folder):
    """TLS with a certificate of its own."""
    files = Files(folder)
    files.write(Authority().issue())
    return files.settings


# ── what is done ─────────────────────────────────────────────────────────────


@moves(
    ("gogate_connections", "authenticated"),
    "gogate_sockets",
    "gogate_accepted_total",
    ("gogate_commands_total", "auth"),
    ("gogate_commands_total", "send_message"),
    ("gogate_commands_total", "typing"),
    ("gogate_commands_total", "add_reaction"),
    ("gogate_commands_total", "mark_read"),
    "gogate_publications_total",
    "gogate_deliveries_total",
    "gogate_fan_out_seconds_count",
    "gogate_fan_out_seconds_sum",
    "gogate_command_to_delivery_seconds_count",
    "gogate_command_to_delivery_seconds_sum",
    "gogate_history_events",
    ("gogate_backend_calls_total", "send_message", "ok"),
    ("gogate_backend_calls_total", "validate", "ok"),
    ("gogate_backend_call_seconds_count", "members"),
    ("gogate_backend_call_seconds_sum", "mark_read"),
    "gogate_membership_hits_total",
    "gogate_membership_misses_total",
    "gogate_membership_lookups_total",
    "gogate_membership_chats",
    "process_open_fds",
    "process_cpu_seconds_total",
)
@asynccontextmanager
async def talk(_fake, node, _monkeypatch):
    """Two people do all there is to do."""
    async with open_client(node.port, "token-3") as ann, open_client(node.port, "token-5") as eve:
        with within():
            await ann.say("send_message", chat_id=3, text="hello")
            message_id = (await eve.event("new_message"))["id"]
            await eve.say("typing", chat_id=3, is_typing=True)
            await eve.say("add_reaction", message_id=message_id, emoji="+1")
            await eve.say("mark_read", message_ids=[message_id])
            for name in ("user_typing", "new_reaction", "message_read"):
                await ann.event(name)
        yield


@moves(
    ("gogate_connections", "unauthenticated"),
    ("gogate_http_refusals_total", "404"),
    ("gogate_errors_total", "AUTH_REQUIRED"),
    ("gogate_errors_total", "INVALID_FORMAT"),
    ("gogate_errors_total", "AUTH_FAILED"),
    ("gogate_closes_total", "0", "connection lost"),
)
@asynccontextmanager
async def strangers(_fake, node, _monkeypatch):
    """Somebody asks for what is not there, somebody is unknown, somebody vanishes."""
    assert (await ask(node.port, "/nowhere"))[0] == 404
    async with open_client(node.port) as stranger, open_client(node.port) as vanishing:
        await stranger.say("typing", chat_id=3, is_typing=True)
        await stranger.say("auth", token="nobody")
        await stranger.send(b"\x81\x81\x00\x00\x00\x00{")
        vanishing.reset()
        yield


@moves(
    ("gogate_connections", "leaving"),
    ("gogate_closes_total", "4501", "authentication timeout"),
    ("gogate_errors_total", "AUTH_TIMEOUT"),
    groups=lambda _fake, _folder: {"websocket": WebSocketSettings(auth_timeout=0.1)},
)
@asynccontextmanager
async def silence(_fake, node, _monkeypatch):
    """Somebody says nothing, and does not go when told to."""
    async with open_client(node.port):
        yield


@moves(
    ("gogate_turned_away_total", "total"),
    ("gogate_http_refusals_total", "503"),
    groups=lambda _fake, _folder: {"admission": AdmissionSettings(total=1)},
)
@asynccontextmanager
async def full_house(_fake, node, _monkeypatch):
    """One too many comes."""
    async with open_client(node.port):
        assert (await ask(node.port, "/ws"))[0] == 503
        yield


@moves(
    "gogate_tls_failures_total",
    groups=lambda _fake, folder: {"tls": with_certificate(folder)},
)
@asynccontextmanager
async def no_tls(_fake, node, _monkeypatch):
    """Somebody speaks something else on a TLS port."""
    async with open_raw(node.port) as client:
        await client.send(b"GET / HTTP/1.1\r\n\r\n")
        yield


@moves(
    ("gogate_token_rechecks_total", "good"),
    groups=lambda _fake, _folder: {"auth": AuthSettings(recheck=0.1)},
)
@asynccontextmanager
async def recheck(_fake, node, _monkeypatch):
    """A token is asked about again."""
    async with open_client(node.port, "token-3"):
        yield


@moves(
    "gogate_outbox_behind",
    "gogate_outbox_frames",
    "gogate_outbox_bytes",
    "gogate_outbox_frames_max",
    "gogate_shed_total",
)
@asynccontextmanager
async def slow_reader(_fake, node, _monkeypatch):
    """Somebody does not read while others talk and type."""
    async with (
        open_client(node.port, "token-3") as ann,
        open_client(node.port, "token-5", receive_buffer=4096),
    ):
        with within():
            while (await node.numbers())["gogate_outbox_bytes",] < OUTBOX_BYTES * 0.6:
                await ann.say("send_message", chat_id=3, text=LONG)
                await ann.event("new_message")
            await ann.say("typing", chat_id=3, is_typing=True)
        yield


@moves(
    ("gogate_backend_calls_total", "send_message", "rejected"),
    ("gogate_backend_calls_total", "send_message", "unavailable"),
    ("gogate_backend_circuit", "open"),
    "gogate_backend_circuit_opened_total",
    "gogate_backend_held_back_total",
    ("gogate_errors_total", "SEND_FAILED"),
    ("gogate_errors_total", "BACKEND_UNAVAILABLE"),
)
@asynccontextmanager
async def broken_backend(fake, node, _monkeypatch):
    """The backend fails every call until nobody asks it any more."""
    fake.fail("send_message")
    async with open_client(node.port, "token-3") as ann:
        with within():
            for _ in range(14):
                await ann.say("send_message", chat_id=3, text="anybody there?")
                await ann.event("error")
        yield


@moves(
    "gogate_backend_calls_running",
    "gogate_backend_calls_waiting",
    "gogate_backend_queue_full_total",
    ("gogate_backend_calls_total", "send_message", "busy"),
    ("gogate_errors_total", "BUSY"),
    groups=lambda fake, _folder: {"backend": small_backend(fake, max_calls=1, queue=1)},
)
@asynccontextmanager
async def crowded_backend(fake, node, _monkeypatch):
    """More is asked of the backend than it may be asked."""
    async with AsyncExitStack() as people:
        tokens = ("token-1", "token-2", "token-3")
        clients = [await people.enter_async_context(open_client(node.port, t)) for t in tokens]
        gate = fake.hold("send_message")
        people.callback(gate.set)
        for client in clients:
            await client.say("send_message", chat_id=1, text="hello")
        yield


@moves(
    ("gogate_resumes_total", "new"),
    ("gogate_resumes_total", "recovered"),
    ("gogate_resumes_total", "resync"),
    "gogate_replayed_total",
)
@asynccontextmanager
async def coming_back(_fake, node, _monkeypatch):
    """Somebody misses a message and comes back for it; somebody has been away for too long."""
    with within():
        async with open_client(node.port) as eve:
            await eve.say("auth", token="token-5", resume=True)
            told = await eve.event("auth_success")
        async with open_client(node.port, "token-3") as ann:
            await ann.say("send_message", chat_id=3, text="hello")
            await ann.event("new_message")
        seat = {"session": told["session"], "position": told["position"]}
        for position in (seat["position"], "long-ago.7"):
            async with open_client(node.port) as eve:
                await eve.say("auth", token="token-5", resume=seat | {"position": position})
                await eve.event("auth_success")
        yield


@moves(
    "gogate_late_publications_total",
    "gogate_late_publications",
    "gogate_lost_publications_total",
    "gogate_stream_gaps_total",
)
@asynccontextmanager
async def unknown_audience(fake, node, monkeypatch):
    """The backend stores a message and never says who is in the chat."""
    monkeypatch.setattr(publisher, "AUDIENCE_RETRY_SECONDS", ())
    monkeypatch.setattr(publisher, "LATE_RETRY_SECONDS", 0.5)
    monkeypatch.setattr(publisher, "LATE_SECONDS", 0.1)
    monkeypatch.setattr(publisher, "GAP_SECONDS", 0.1)
    fake.fail("members")
    async with open_client(node.port, "token-3") as ann:
        await ann.say("send_message", chat_id=3, text="hello")
        yield


@moves(
    "gogate_membership_stale_total",
    groups=lambda _fake, _folder: {"membership": MembershipSettings(ttl=0.0, stale=60.0)},
)
@asynccontextmanager
async def stale_members(fake, node, _monkeypatch):
    """The list known last serves while the backend fails."""
    async with open_client(node.port, "token-3") as ann:
        for _ in range(2):
            await ann.say("send_message", chat_id=3, text="hello")
            with within():
                await ann.event("new_message")
            fake.fail("members")
        yield


@moves(("gogate_api_requests_total", "nodes", "200"))
@asynccontextmanager
async def internal_api(_fake, node, _monkeypatch):
    """The backend looks at the nodes."""
    await call(node.internal_port, "GET", "nodes")
    yield


@moves("gogate_hub_waiting")
@asynccontextmanager
async def slow_fan_out(_fake, node, monkeypatch):
    """A fan-out takes its time."""
    go_on, deliver = trio.Event(), hub.Hub._deliver

    async def slowly(self, run):
        await go_on.wait()
        await deliver(self, run)

    monkeypatch.setattr(hub.Hub, "_deliver", slowly)
    async with open_client(node.port, "token-3") as ann:
        await ann.say("send_message", chat_id=3, text="hello")
        yield
        go_on.set()


@moves(
    "gogate_presence_events_total",
    "gogate_presence_chats",
    groups=lambda _fake, _folder: {"presence": PresenceSettings(on=True)},
)
@asynccontextmanager
async def look(_fake, node, _monkeypatch):
    """Somebody looks who is online."""
    async with open_client(node.port) as ann:
        with within():
            await ann.say("auth", token="token-3", presence=[3])
            await ann.event("presence")
        yield


@moves("gogate_bugs_total", ("gogate_closes_total", "1011", "internal error"))
@asynccontextmanager
async def bug(_fake, node, monkeypatch):
    """Something raises that should not."""

    def broken(_envelope):
        raise RuntimeError("planted")

    async with open_client(node.port, "token-3") as ann:
        monkeypatch.setattr(router, "decode_command", broken)
        await ann.say("typing", chat_id=3, is_typing=True)
        yield


@moves(
    ("gogate_trace_spans_total", "failed"),
    groups=lambda _fake, _folder: {"tracing": TracingSettings(on=True)},
    environ={
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_TIMEOUT": "0.2",
        "OTEL_BSP_SCHEDULE_DELAY": "50",
    },
)
@asynccontextmanager
async def no_collector(_fake, node, _monkeypatch):
    """Nobody takes the traces."""
    async with open_client(node.port, "token-3"):
        yield


@moves("gogate_log_lines_held_back_total", "gogate_log_lines_lost_total")
@asynccontextmanager
async def flooded_log(_fake, _node, _monkeypatch):
    """The same is said over and over, and nobody reads it."""
    with restored():
        configured(Gone())
        for _ in range(LOG_LINES + 1):
            log.get_logger("flood").info("again")
        yield


@moves("gogate_loop_lag_seconds_count", "gogate_loop_lag_seconds_sum")
@asynccontextmanager
async def stall(_fake, _node, _monkeypatch):
    """Something holds up the loop."""
    await trio.sleep(0.01)
    time.sleep(0.2)  # noqa: ASYNC251 - that is the provocation
    yield


@moves("process_resident_memory_bytes", "process_virtual_memory_bytes")
@asynccontextmanager
async def memory(_fake, _node, _monkeypatch):
    """Something takes much memory."""
    held = bytearray(b"x") * 200_000_000
    yield
    del held


# ── the laws ─────────────────────────────────────────────────────────────────


def redis_of(folder):
    """A Redis on a socket in a folder, where nothing listens so far."""
    return {
        "cluster": ClusterSettings(redis=RedisAddress(path=f"{folder}/redis.sock"), timeout=0.3)
    }


@asynccontextmanager
async def open_redis(node):
    """Let there be the Redis of a node; begins when the node is ready."""
    socket = Path(node.wanted[-1].cluster.redis.path)
    async with open_valkey(socket.parent / "valkey", "--unixsocket", str(socket)) as valkey:
        await node.becomes_ready()
        yield valkey


@moves(
    ("gogate_broker_state", "attached"),
    "gogate_nodes",
    "gogate_nodes_lost_total",
    "gogate_redis_up",
    "gogate_redis_heard",
    "gogate_redis_connects_total",
    "gogate_broker_written_total",
    "gogate_broker_read_total",
    "gogate_broker_write_seconds_count",
    "gogate_broker_junk_total",
    groups=lambda _, folder: redis_of(folder),
)
@asynccontextmanager
async def join_others(_fake, node, _monkeypatch):
    """Redis appears, a node is missing, somebody talks, and a stranger leaves junk there."""
    async with open_redis(node) as valkey, open_client(node.port, "token-3") as ann:
        await valkey.ask(b"ZADD", b"{gogate}:owing", 1, b"killed")
        with within():
            await ann.say("send_message", chat_id=3, text="hello")
            await ann.event("new_message")
        await valkey.ask(b"XADD", b"{gogate}:stream", b"*", b"a", b"b")
        yield


def alone(folder):
    """Everything that is asked of other nodes, and no Redis."""
    return {
        **redis_of(folder),
        "admission": AdmissionSettings(per_user=2),
        "rates": RateSettings(),
        "presence": PresenceSettings(on=True),
    }


@moves(
    ("gogate_cluster_fallbacks_total", "connections"),
    ("gogate_cluster_fallbacks_total", "rates"),
    ("gogate_cluster_fallbacks_total", "presence"),
    groups=lambda _, folder: alone(folder),
)
@asynccontextmanager
async def do_without_others(_fake, node, _monkeypatch):
    """Somebody comes, looks and talks while Redis is away."""
    async with open_client(node.port) as ann:
        with within():
            await ann.say("auth", token="token-3", presence=[3])
            await ann.event("presence")
            await ann.say("send_message", chat_id=3, text="hello")
            await ann.event("new_message")
        yield


@moves(
    "gogate_redis_outages_total",
    "gogate_broker_detachments_total",
    "gogate_broker_backlog",
    "gogate_broker_backlog_bytes",
    "gogate_broker_backlog_dropped_total",
    "gogate_broker_ephemeral_dropped_total",
    "gogate_broker_behind",
    "gogate_broker_seconds_behind",
    groups=lambda _, folder: redis_of(folder),
)
@asynccontextmanager
async def lose_others(_fake, node, monkeypatch):
    """A node is stuck reading what others tell, and Redis goes away while people talk."""
    monkeypatch.setattr("gogate_trio.broker.outgoing.BACKLOG_PUBLICATIONS", 1)
    async with open_client(node.port, "token-3") as ann, open_client(node.port, "token-5") as eve:
        async with open_redis(node):
            before = await node.numbers()
            assert before["gogate_broker_state", "attached"]

            async def stuck(*_):
                await trio.sleep_forever()

            monkeypatch.setattr(Teller, "tell", stuck)
            await ann.say("send_message", chat_id=3, text="one")
            while not (await node.numbers())["gogate_broker_behind",]:  # noqa: ASYNC110 - its doing
                await trio.sleep(0.02)
        for text in ("two", "three"):
            await ann.say("send_message", chat_id=3, text=text)
        with within():
            while (await eve.event("new_message"))["text"] != "three":
                pass
        await eve.say("typing", chat_id=3, is_typing=True)
        with within():
            await ann.event("user_typing")
        yield


@pytest.mark.parametrize("one", PROVOCATIONS, ids=lambda one: one.do.__name__)
async def test_what_is_provoked_moves(fake, one, monkeypatch, tmp_path):
    """Whatever happens at the sockets is seen by whoever scrapes."""
    for name, value in one.environ.items():
        monkeypatch.setenv(name, value)
    # Nobody waits here for a Redis that the provocation is to bring.
    monkeypatch.setattr("gogate_trio.broker.redis.REDIS_START_SECONDS", 0.05)
    pulse = partial(Pulse, beat=0.05, lease=1.0)
    monkeypatch.setattr("gogate_trio.cluster.registry.Pulse", pulse)
    async with open_watched(fake, **one.groups(fake, tmp_path)) as node:
        before = await node.numbers()
        assert all(series in before for series in one.series)
        async with one.do(fake, node, monkeypatch):
            still = set(one.series)
            with trio.move_on_after(10):
                while still:
                    now = await node.numbers()
                    still -= {series for series in still if now[series] > before[series]}
        assert still == set()


async def test_what_a_restart_finds_is_told(fake, tmp_path):
    """That is over before anybody can look: nothing moves it later."""
    series = "gogate_state_restores_total"
    for outcome in ("none", "restored"):
        async with open_watched(fake, state=StateSettings(folder=str(tmp_path))) as node:
            numbers = await node.numbers()
            told = {key[1]: value for key, value in numbers.items() if key[0] == series}
            assert {key for key, value in told.items() if value} == {outcome}


def test_every_metric_is_moved_by_something():
    """A metric that nothing moves is one that nobody can believe."""
    moved = {series[0] for one in PROVOCATIONS for series in one.series}
    names = {
        f"{metric.name}_count" if metric.kind == "histogram" else metric.name for metric in METRICS
    } | {name for name, _, _ in PROCESS}

    assert names - CONSTANT <= moved

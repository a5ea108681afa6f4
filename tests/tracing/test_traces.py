"""Laws of the traces: one from the command to those who hear of it, and nothing when off."""

from __future__ import annotations

import signal
import subprocess
import sys
from functools import partial

import pytest
import trio
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from fakes.clients import open_client
from fakes.node import open_node, within
from fakes.process import open_gateway
from fakes.systemd import environment
from fixtures.valkey import open_valkey
from gogate_trio.config import TracingSettings
from gogate_trio.errors import OperatorError
from gogate_trio.limits import TRACE_BATCH, TRACE_FLUSH_SECONDS, TRACE_SPANS
from gogate_trio.metrics import Metrics
from gogate_trio.tracing.opening import open_tracing
from gogate_trio.tracing.otel import OtelTracer
from gogate_trio.tracing.spans import current, run_within

ON = TracingSettings(on=True)


class Kept(SpanExporter):
    """An exporter that keeps what it is given."""

    def __init__(self):
        """Begin with nothing."""
        self.spans = []
        self.batches = []

    def export(self, spans):
        """Keep them."""
        self.batches.append(len(spans))
        self.spans += spans
        return SpanExportResult.SUCCESS


def is_sampled(call):
    """Whether a call to the backend says that its trace is told to somebody."""
    return bool(int(call.headers["traceparent"].rpartition("-")[2], 16) & 1)


async def nothing():
    """Do nothing."""


async def told_by(tracer, kept):
    """What a tracer has told at its end, by name."""
    await trio.to_thread.run_sync(tracer.shut_down)
    return {span.name: span for span in kept.spans}


# ── a whole gateway ──────────────────────────────────────────────────────────


async def test_one_trace_leads_from_the_command_to_those_who_hear(fake, collector, tmp_path):
    """Command → calls to the backend → publication → delivery; the backend is told its parent."""
    environ = {"TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    async with open_gateway(fake, tmp_path, **environ) as gateway:
        async with (
            open_client(gateway.port, "token-1") as john,
            open_client(gateway.port, "token-2") as jane,
        ):
            with within():
                await john.say("send_message", chat_id=2, text="what nobody else may read")
                await jane.event("new_message")
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 0

    command = collector.span("send_message", "server")
    sent = collector.span("send_message", "client")
    asked = collector.span("members", "client")
    published = collector.span("publish", "producer")
    delivered = collector.span("deliver", "consumer")
    family = [command, sent, asked, published, delivered]
    assert {one.trace_id for one in family} == {command.trace_id}
    assert [one.parent_id for one in family] == [
        "",
        command.span_id,
        command.span_id,
        command.span_id,
        published.span_id,
    ]
    assert command.attributes == {"connection": 1, "user": 1, "outcome": "ok"}
    assert delivered.attributes == {"audience": 2}
    assert not any(one.failed for one in family)
    assert command.begun <= sent.begun <= sent.ended <= published.begun <= command.ended
    assert command.resource["service.name"] == "gogate"

    (stored,) = fake.calls_to("send_message")
    assert stored.headers["traceparent"].startswith(f"00-{sent.trace_id}-{sent.span_id}-")
    assert is_sampled(stored)
    logins = {one.trace_id for one in collector.spans if one.name == "auth"}
    assert len(logins) == 2
    assert command.trace_id not in logins
    heard = b"".join(collector.bodies)
    assert not any(word in heard for word in (b"token-", b"nobody else", fake.key.encode()))


async def test_a_trace_leads_to_every_gateway(fake, collector, tmp_path):
    """Each tells its own part of the fan-out, under the one publication, by its own name."""
    async with open_valkey(tmp_path) as valkey:
        environ = {
            "TRACING": "true",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "REDIS_URL": valkey.url,
        }
        async with (
            open_gateway(fake, tmp_path, NODE_NAME="left", **environ) as left,
            open_gateway(fake, tmp_path, NODE_NAME="right", **environ) as right,
        ):
            async with (
                open_client(left.port, "token-1") as john,
                open_client(right.port, "token-2") as jane,
            ):
                with within():
                    await john.say("send_message", chat_id=2, text="hello")
                    await jane.event("new_message")
            for gateway in (left, right):
                gateway.signal(signal.SIGTERM)
                assert await gateway.ended() == 0

    published = collector.span("publish", "producer")
    delivered = [one for one in collector.spans if one.name == "deliver"]
    assert {one.parent_id for one in delivered} == {published.span_id}
    assert {one.trace_id for one in delivered} == {published.trace_id}
    assert sorted(one.resource["service.instance.id"] for one in delivered) == ["left", "right"]


async def test_what_goes_wrong_is_seen_in_its_trace(fake, collector, tmp_path):
    """A backend that fails makes the call and the command failed; a refusal of it neither."""
    environ = {"TRACING": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    async with open_gateway(fake, tmp_path, **environ) as gateway:
        async with open_client(gateway.port, "token-1") as john:
            with within():
                fake.fail("send_message", cut=True)
                await john.say("send_message", chat_id=2, text="hello")
                await john.event("error")
                fake.fail("add_reaction", status=403)
                await john.say("add_reaction", message_id=1, emoji="+1")
                await john.event("error")
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 0

    seen = {
        (one.name, one.kind): (one.attributes["outcome"], one.failed)
        for one in collector.spans
        if one.name in {"send_message", "add_reaction"}
    }
    assert seen == {
        ("send_message", "server"): ("OUTCOME_UNKNOWN", True),
        ("send_message", "client"): ("unknown", True),
        ("add_reaction", "server"): ("REACTION_FAILED", False),
        ("add_reaction", "client"): ("rejected", False),
    }


async def test_the_sampler_chooses_and_the_backend_is_told(fake, collector, tmp_path):
    """OTEL_TRACES_SAMPLER holds: what it leaves out is told to nobody, and flagged so."""
    environ = {
        "TRACING": "true",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_TRACES_SAMPLER": "always_off",
    }
    async with open_gateway(fake, tmp_path, **environ) as gateway:
        async with open_client(gateway.port, "token-1") as john:
            with within():
                await john.say("send_message", chat_id=2, text="hello")
                await john.event("new_message")
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 0

    assert collector.bodies == []
    assert not is_sampled(fake.calls_to("send_message")[0])


OFF = """
import sys
import trio
from gogate_trio import app
from gogate_trio.config import Settings
from gogate_trio.tracing.opening import open_tracing

async def main():
    settings = Settings.load({"INTERNAL_API_KEY": "k" * 32, "PORT": "0", "HOST": "127.0.0.1"}, None)
    stop = trio.Event()
    async with trio.open_nursery() as nodes:
        await nodes.start(app.run_node, settings, stop)
        stop.set()
    print([name for name in sys.modules if "opentelemetry" in name or name == "requests"])

trio.run(main)
"""


def test_off_nothing_of_it_is_loaded():
    """A gateway that does not trace has not imported a module of OpenTelemetry's."""
    done = subprocess.run(
        [sys.executable, "-c", OFF],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == "[]"


async def test_off_the_backend_hears_nothing_of_traces(fake):
    """And no call has a header more."""
    async with open_node(fake) as node, open_client(node.port, "token-1") as john:
        with within():
            await john.say("send_message", chat_id=2, text="hello")
            await john.event("new_message")

    assert not any("traceparent" in call.headers for call in fake.calls)


# ── the end ──────────────────────────────────────────────────────────────────


async def test_a_collector_that_hangs_delays_no_end(collector):
    """What it does not take in time is left behind; the gateway goes."""
    collector.go_on.clear()
    began = trio.current_time()
    async with open_tracing(ON, "node", Metrics()) as tracer:
        await run_within(tracer.begin("auth", "server", since=trio.current_time()), nothing)

    assert TRACE_FLUSH_SECONDS <= trio.current_time() - began < TRACE_FLUSH_SECONDS + 5


async def test_without_its_packages_it_says_what_to_install(monkeypatch):
    """No traceback, but the name of the extra."""
    monkeypatch.delitem(sys.modules, "gogate_trio.tracing.otel")
    monkeypatch.setitem(sys.modules, "opentelemetry.context", None)

    with pytest.raises(OperatorError, match=r"gogate-trio\[otel\]"):
        async with open_tracing(ON, "node", Metrics()):
            pass


async def test_variables_that_make_no_sense_keep_it_from_starting(monkeypatch):
    """One message of ours, which repeats no value."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "-5")

    with pytest.raises(OperatorError, match="OTEL_"):
        async with open_tracing(ON, "node", Metrics()):
            pass


# ── the spans ────────────────────────────────────────────────────────────────


async def test_a_cancelled_command_has_failed():
    """Nobody said how it went, so it did not go well; and it is told all the same."""
    kept = Kept()
    tracer = OtelTracer("node", Metrics(), kept)
    with trio.move_on_after(0):
        span = tracer.begin("send_message", "server", since=trio.current_time())
        await run_within(span, trio.sleep_forever)
    told = await told_by(tracer, kept)

    assert told["send_message"].attributes["gogate.outcome"] == "cancelled"
    assert not told["send_message"].status.is_ok


async def test_a_bug_is_a_failure_of_ours():
    """An exception goes on to its fence, and the span says INTERNAL_ERROR."""
    kept = Kept()
    tracer = OtelTracer("node", Metrics(), kept)

    async def bug():
        raise RuntimeError("planted")

    span = tracer.begin("send_message", "server", since=trio.current_time())
    with pytest.raises(RuntimeError, match="planted"):
        await run_within(span, bug)
    told = await told_by(tracer, kept)

    assert told["send_message"].attributes["gogate.outcome"] == "INTERNAL_ERROR"
    assert "planted" not in told["send_message"].to_json()


async def test_the_place_in_a_trace_follows_the_task():
    """It is known in the job and in the tasks it starts, and nowhere else."""
    tracer = OtelTracer("node", Metrics(), Kept())
    span = tracer.begin("send_message", "server", since=trio.current_time())
    seen = []

    async def look(name):
        seen.append((name, current()))

    async def job():
        await look("job")
        async with trio.open_nursery() as others:
            others.start_soon(look, "task")
            others.start_soon(look, "task")

    await run_within(span, job)
    await look("after")
    await trio.to_thread.run_sync(tracer.shut_down)

    assert seen == [("job", span), ("task", span), ("task", span), ("after", None)]


async def test_a_traceparent_from_elsewhere_is_the_parent_or_nothing():
    """Another node's publication goes on in its trace; junk begins a trace of its own."""
    kept = Kept()
    tracer = OtelTracer("node", Metrics(), kept)
    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    tracer.record("deliver", "consumer", parent=parent, seconds=0.5, audience=3)
    tracer.record("alone", "consumer", parent="x\r\ny", seconds=0.0)
    told = await told_by(tracer, kept)

    assert f"{told['deliver'].context.trace_id:x}" == "a" * 32
    assert f"{told['deliver'].parent.span_id:x}" == "b" * 16
    assert told["deliver"].end_time - told["deliver"].start_time >= 0.5e9
    assert told["alone"].parent is None


async def test_no_more_spans_wait_than_there_is_room_for():
    """A collector that does not keep up costs spans, and they are counted; batches are bounded."""
    kept, metrics = Kept(), Metrics()
    tracer = OtelTracer("node", metrics, kept)
    note = partial(tracer.record, "deliver", "consumer", parent="", seconds=0.0)
    queue = tracer._provider._active_span_processor._span_processors[0]._batch_processor
    with queue._export_lock:
        for _ in range(TRACE_SPANS + 700):
            note()
    await told_by(tracer, kept)

    assert metrics.spans == {"sent": TRACE_SPANS, "dropped": 700}
    assert max(kept.batches) == TRACE_BATCH

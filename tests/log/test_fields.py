"""Laws of what every event says by itself."""

from __future__ import annotations

import attrs
import trio

from fakes.backend import open_fake_backend
from fakes.clients import open_client
from fakes.logged import configured, events
from fakes.node import open_node, within
from gogate_trio import log, router
from gogate_trio.metrics import Metrics
from gogate_trio.tracing.otel import OtelTracer
from gogate_trio.tracing.spans import run_within


@attrs.define(eq=False)
class Somebody:
    """A connection."""

    number: int = 7
    user: object = None


@attrs.frozen
class Person:
    """A user."""

    user_id: int = 3


async def test_a_line_names_the_connection_whose_doing_it_is():
    """In its task and in those it starts, its user once that is known, and nowhere else."""
    stream = configured()
    logger, one = log.get_logger("hub"), Somebody()

    async def life():
        log.about(one)
        logger.info("stranger")
        one.user = Person()
        async with trio.open_nursery() as lanes:
            lanes.start_soon(work)
            lanes.start_soon(work)

    async def work():
        logger.info("known", connection=8)

    async with trio.open_nursery() as connections:  # noqa: ASYNC112 - tasks of their own
        connections.start_soon(life)
    logger.info("nobody")

    said = [(e["event"], e.get("connection"), e.get("user"), e["node"]) for e in events(stream)]
    assert said == [
        ("stranger", 7, None, "n1"),
        ("known", 8, 3, "n1"),
        ("known", 8, 3, "n1"),
        ("nobody", None, None, "n1"),
    ]


async def test_a_line_names_its_trace():
    """Whoever has the line finds the trace, by the ids that the collector has."""
    stream = configured()
    tracer = OtelTracer("n1", Metrics(), exporter=None)
    span = tracer.begin("send_message", "server", since=trio.current_time())

    async def job():
        log.get_logger("hub").info("traced")

    tracer._provider._active_span_processor._span_processors = ()
    await run_within(span, job)

    (event,) = events(stream)
    assert (event["trace_id"], event["span_id"]) == (span.trace_id, span.span_id)


async def test_what_a_command_meets_is_logged_with_its_connection_and_user(monkeypatch):
    """Also far below, where nobody hands it on: a bug in the router names whose it was."""
    stream = configured()

    def broken(*_):
        raise RuntimeError("planted")

    async with (
        open_fake_backend() as fake,
        open_node(fake) as node,
        open_client(node.port, "token-1") as ann,
    ):
        fake.fail("members")
        monkeypatch.setattr("gogate_trio.publisher.AUDIENCE_RETRY_SECONDS", ())
        with within():
            await ann.say("send_message", chat_id=2, text="hello")
            while "audience_unknown" not in stream.getvalue():  # noqa: ASYNC110 - a log wakes nobody
                await trio.sleep(0.02)
            monkeypatch.setattr(router.Router, "_send_message", broken)
            await ann.say("send_message", chat_id=2, text="hello")
            await ann.close_code()

    told = {each["event"]: each for each in events(stream)}
    for name in ("audience_unknown", "command_failed"):
        assert (told[name]["connection"], told[name]["user"]) == (1, 1)
    assert "connection" not in told["serving"]

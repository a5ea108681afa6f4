"""No stranger ends the server, and nobody else notices that there was one.

Each law runs with two people chatting in the background; the block's end proves that
every message of theirs has arrived, in order, and that they can go on.
"""

from __future__ import annotations

import pytest
import trio

from fakes.clients import TEXT, UPGRADE, frame, open_client, open_raw, saying
from fakes.leaks import holding, settles
from fakes.node import CONTROL_RATE, NO_RATES, open_node, undisturbed_chat, within
from fakes.strangers import SLOW_STRANGERS, STRANGERS, garbage_and_reset, visit
from gogate_trio.protocol.guard import FrameGuard
from gogate_trio.router import Router


@pytest.mark.parametrize("stranger", STRANGERS)
async def test_a_stranger_leaves_no_trace(fake, logged, stranger):
    """Thirty of a kind: no bug, no log line, no task, no file descriptor, no connection."""
    async with open_node(fake) as node, undisturbed_chat(node):
        with within():
            await stranger(node.port)
            assert await settles(lambda: node.metrics.connections == 2)
            before = holding()

            await visit(node.port, (stranger,), 30, at_once=5)

            assert await settles(lambda: holding().is_at_most(before))
        assert node.metrics.connections == 2
        assert node.metrics.bugs == 0
        told = {entry["event"] for entry in logged if entry["log_level"] != "debug"}
        assert told <= {"serving", "connection_closed", "request_refused", "turned_away"}
        assert {entry["log_level"] for entry in logged} <= {"debug", "info"}


@pytest.mark.parametrize("rates", [NO_RATES, CONTROL_RATE], ids=["free", "paced"])
@pytest.mark.parametrize("stranger", SLOW_STRANGERS)
async def test_a_patient_stranger_leaves_no_trace(fake, logged, stranger, rates):
    """The same for those who send much, three at a time, while the chat keeps its pace.

    Neither the rate of control frames nor anything else is all that stands against them.
    """
    async with open_node(fake, write_wait=0.5, rates=rates) as node, undisturbed_chat(node) as chat:
        before = holding()

        with within(60):
            await visit(node.port, (stranger,), 3, at_once=3)
            assert await settles(lambda: holding().is_at_most(before))

        assert node.metrics.connections == 2
        assert node.metrics.bugs == 0
        told = {entry["event"] for entry in logged if entry["log_level"] != "debug"}
        assert told <= {"serving", "connection_closed", "request_refused", "turned_away"}
        assert {entry["log_level"] for entry in logged} <= {"debug", "info"}
        assert chat.slowest < 5


async def test_garbage_and_resets_by_the_hundred_change_nothing(fake):
    """The race between an answer and an RST, five hundred times."""
    async with open_node(fake) as node, undisturbed_chat(node):
        before = holding()

        with within():
            await visit(node.port, (garbage_and_reset, *STRANGERS[6:10]), 500, at_once=20)
            assert await settles(lambda: holding().is_at_most(before))

        assert node.metrics.bugs == 0


async def test_a_bug_ends_its_own_connection_with_1011_and_is_logged_once(
    fake, logged, monkeypatch
):
    """What a handler raises costs one client its connection, and nobody else anything."""
    handle = Router.handle

    def buggy(self, caller, text):
        if b"trigger" in text:
            raise RuntimeError("a bug")
        handle(self, caller, text)

    monkeypatch.setattr(Router, "handle", buggy)
    async with open_node(fake) as node, undisturbed_chat(node):
        async with open_client(node.port, fake.token(3)) as client:
            with within():
                await client.say("trigger")
                assert await client.close_code() == 1011

        assert node.metrics.bugs == 1
    assert [entry["log_level"] for entry in logged if "exc_info" in entry] == ["error"]


async def test_a_bug_behind_the_backend_ends_its_own_connection_with_1011(
    fake, logged, monkeypatch
):
    """The same for what is raised in a lane, where commands wait for the backend."""

    async def buggy(*_):
        await trio.lowlevel.checkpoint()
        raise RuntimeError("a bug")

    monkeypatch.setattr(Router, "_add_reaction", buggy)
    async with open_node(fake) as node, undisturbed_chat(node):
        async with open_client(node.port, fake.token(3)) as client:
            with within():
                await client.say("add_reaction", message_id=1, emoji="👍")
                assert await client.close_code() == 1011

        assert node.metrics.bugs == 1
    assert [entry["log_level"] for entry in logged if "exc_info" in entry] == ["error"]


async def test_a_bug_in_the_reading_ends_its_own_connection_with_1011(fake, logged, monkeypatch):
    """The same for a bug in the machinery of a connection itself."""
    feed = FrameGuard.feed

    def buggy(self, data):
        if len(data) > 600:
            raise RuntimeError("a bug")
        return feed(self, data)

    monkeypatch.setattr(FrameGuard, "feed", buggy)
    async with open_node(fake) as node, undisturbed_chat(node):
        async with open_client(node.port, fake.token(3)) as client:
            with within():
                await client.send(frame(TEXT, b"x" * 700))
                assert await client.close_code() == 1011

        assert node.metrics.bugs == 1
    assert [entry["log_level"] for entry in logged if "exc_info" in entry] == ["error"]


async def test_what_comes_with_the_handshake_is_handled(fake):
    """A first frame in the same segment as the upgrade is answered without another read."""
    async with open_node(fake) as node, open_raw(node.port) as client:
        with within():
            await client.send(UPGRADE + b"\r\n" + saying("auth", token=fake.token(1)))
            await client.read_until(b"\r\n\r\n")

            assert (await client.event("auth_success"))["user_id"] == 1

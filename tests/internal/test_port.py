"""The internal port: its pages, and what it stands."""

from __future__ import annotations

import socket
from contextlib import AsyncExitStack

import pytest
import trio
import trio.testing

from fakes.clients import open_client, open_raw
from fakes.leaks import holding, settles
from fakes.node import open_node, within
from fakes.watched import ask, open_watched, watched_settings
from gogate_trio.app import run_node
from gogate_trio.config import InternalSettings, Settings
from gogate_trio.errors import OperatorError
from gogate_trio.internal.port import serve_internal
from gogate_trio.server.pages import Page

HEALTH = b'{"status":"ok","service":"gogate"}'


async def test_health_is_the_same_on_both_ports(fake):
    """A probe may be moved from one to the other."""
    async with open_watched(fake) as node:
        assert await node.page("/health") == (200, HEALTH)
        assert await ask(node.port, "/health") == (200, HEALTH)


@pytest.mark.parametrize("path", ["/metrics", "/ready"])
async def test_the_public_port_has_no_internal_pages(fake, path):
    """What is for the operator's machines is nowhere else."""
    async with open_watched(fake) as node:
        assert (await ask(node.port, path))[0] == 404


@pytest.mark.parametrize("path", ["/", "/ws", "/metrics/", "/../metrics", "//ready"])
async def test_any_other_path_is_not_found(fake, path):
    """Paths are compared, never interpreted; and there is no WebSocket here."""
    async with open_watched(fake) as node:
        assert (await node.page(path))[0] == 404


async def test_off_means_that_nothing_listens_and_nothing_is_measured(fake):
    """The default: a gateway in the Go program's place opens no port it did not open."""
    assert Settings(backend=watched_settings(fake).backend).internal.port is None
    async with open_node(fake) as node, open_client(node.port, fake.token(3)):
        assert node.metrics.lag.count == 0


async def test_a_head_request_gets_no_body(fake):
    """HEAD is GET without the body."""
    async with open_watched(fake) as node:
        with within():
            async with open_raw(node.internal_port) as client:
                await client.send(b"HEAD /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
                answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"POST /metrics HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", b"405"),
        (b"\x16\x03\x01\x00\xa5\x01\x00\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\n" + b"X-A: b\r\n" * 300 + b"\r\n", b"431"),
        (b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-A: " + b"b" * 70_000 + b"\r\n\r\n", b"431"),
    ],
    ids=["method", "garbage", "many headers", "long header"],
)
async def test_a_bad_request_is_refused_and_the_next_one_answered(fake, request_, status):
    """What the front door refuses is refused here too."""
    async with open_watched(fake) as node:
        with within():
            async with open_raw(node.internal_port) as client:
                await client.send(request_)
                assert (await client.rest()).split(b" ")[1] == status

        assert (await node.page("/health"))[0] == 200
        assert node.metrics.bugs == 0


async def test_a_silent_crowd_keeps_nobody_out_for_long(monkeypatch):
    """Who connects and says nothing is told so in the end, and gives its place back."""
    monkeypatch.setattr("gogate_trio.internal.port.HANDSHAKE_SECONDS", 1.0)
    async with trio.open_nursery() as serving:
        port = await serving.start(
            serve_internal, "127.0.0.1", 0, {"/": lambda: Page("text/plain", b"here")}
        )
        async with trio.open_nursery() as crowd:
            answers = []

            async def stay():
                async with open_raw(port) as client:
                    answers.append((await client.rest()).split(b" ")[1])

            for _ in range(33):
                crowd.start_soon(stay)
        assert sorted(answers) == [b"408"] * 32 + [b"503"]
        assert await ask(port, "/") == (200, b"here")
        serving.cancel_scope.cancel()


async def test_a_flood_is_cut_without_a_word(monkeypatch):
    """Telling people no has a bound, too: what is not let in holds no file for long."""
    monkeypatch.setattr("gogate_trio.internal.port._AT_ONCE", 1)
    monkeypatch.setattr("gogate_trio.internal.port._REFUSALS_AT_ONCE", 1)
    async with trio.open_nursery() as serving:
        port = await serving.start(serve_internal, "127.0.0.1", 0, {})
        with within():
            async with AsyncExitStack() as stack:
                clients = []
                for _ in range(3):
                    clients.append(await stack.enter_async_context(open_raw(port)))
                    # Who comes while another is not yet attended to may be attended to first.
                    await trio.testing.wait_all_tasks_blocked(0.01)
                assert await clients[2].rest() == b""
                assert (await clients[1].rest()).split(b" ")[1] == b"503"
        serving.cancel_scope.cancel()


async def test_a_bug_in_a_page_ends_that_request_alone():
    """The fence holds: the next page is answered."""

    def broken():
        raise RuntimeError("planted")

    async with trio.open_nursery() as serving:
        pages = {"/broken": broken, "/": lambda: Page("text/plain", b"here")}
        port = await serving.start(serve_internal, "127.0.0.1", 0, pages)
        with within():
            async with open_raw(port) as client:
                await client.send(b"GET /broken HTTP/1.1\r\nHost: a\r\n\r\n")
                assert await client.rest() == b""
        assert await ask(port, "/") == (200, b"here")
        serving.cancel_scope.cancel()


async def test_resets_leave_nothing_behind(fake):
    """A prober that hangs up costs nothing."""
    async with open_watched(fake) as node:
        await node.numbers()
        before = holding()
        for _ in range(50):
            async with open_raw(node.internal_port) as client:
                await client.send(b"GET /metr")
                client.reset()
            assert (await node.page("/health"))[0] == 200

        assert await settles(lambda: holding().is_at_most(before))
        assert node.metrics.bugs == 0


async def test_a_port_that_is_taken_keeps_the_gateway_from_starting(fake):
    """Said in the operator's words, before any client is let in."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = watched_settings(fake, internal=InternalSettings(port=port))
        with (
            pytest.RaisesGroup(
                pytest.RaisesExc(OperatorError, match=f"port {port}"),
                flatten_subgroups=True,
            ),
            within(),
        ):
            await run_node(settings, trio.Event())


async def test_every_interface_is_one_port_for_both_ip_versions():
    """INTERNAL_HOST empty, as in a container: the port that is named is the port for all."""
    async with trio.open_nursery() as serving:
        pages = {"/": lambda: Page("text/plain", b"here")}
        port = await serving.start(serve_internal, "", 0, pages)
        assert await ask(port, "/") == (200, b"here")
        serving.cancel_scope.cancel()

"""What the gateway answers to plain HTTP, to the byte."""

from __future__ import annotations

import pytest
import trio

from fakes.clients import open_client, open_raw
from fakes.node import open_node, undisturbed_chat, within

HEALTH = (
    b"HTTP/1.1 200 OK\r\n"
    b"Content-Type: application/json\r\n"
    b"Content-Length: 34\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
    b"Connection: close\r\n"
    b"\r\n"
    b'{"status":"ok","service":"gogate"}'
)


async def ask(port, request):
    """Send a request and return the whole answer, which must end cleanly."""
    with within():
        async with open_raw(port) as client:
            await client.send(request)
            return await client.rest()


async def status_of(port, request):
    """The status line and the body of an answer."""
    head, _, body = (await ask(port, request)).partition(b"\r\n\r\n")
    return head.split(b"\r\n")[0].decode(), body


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /health?probe=7 HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\n\r\n",
        b"GET /health HTTP/1.0\r\n\r\n",
    ],
)
async def test_health_is_answered_with_exactly_these_bytes(fake, request_):
    """Monitoring matches on the body; the connection is closed behind it, in HTTP/1.0 too."""
    async with open_node(fake) as node:
        assert await ask(node.port, request_) == HEALTH


async def test_a_head_request_gets_the_same_head_and_no_body(fake):
    """HEAD is GET without the body, for pages and for refusals."""
    async with open_node(fake) as node:
        answers = [
            await ask(node.port, b"HEAD %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)
            for path in (b"/health", b"/nowhere", b"/ws")
        ]

    assert answers[0] == HEALTH.partition(b"{")[0]
    assert [answer.split(b" ")[1] for answer in answers] == [b"200", b"404", b"405"]
    assert all(answer.endswith(b"\r\n\r\n") for answer in answers)


async def test_the_index_names_the_two_addresses(fake):
    """Whoever opens the port in a browser learns where to go."""
    async with open_node(fake) as node:
        status, body = await status_of(node.port, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

    assert status == "HTTP/1.1 200 OK"
    assert b"/ws" in body
    assert b"/health" in body


@pytest.mark.parametrize("path", [b"/healthz", b"/ws/", b"//health", b"/%68ealth", b"/../health"])
async def test_any_other_path_is_not_found(fake, path):
    """Paths are compared, never interpreted."""
    async with open_node(fake) as node:
        status, _ = await status_of(node.port, b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path)

        assert status == "HTTP/1.1 404 Not Found"
        assert node.metrics.refused == {404: 1}


@pytest.mark.parametrize("path", [b"/health", b"/", b"/ws"])
@pytest.mark.parametrize("method", [b"POST", b"DELETE", b"OPTIONS"])
async def test_any_other_method_is_refused_with_those_allowed(fake, path, method):
    """405 says what would work."""
    async with open_node(fake) as node:
        answer = await ask(
            node.port, b"%b %b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" % (method, path)
        )

    assert answer.startswith(b"HTTP/1.1 405 Method Not Allowed\r\n")
    allowed = b"GET" if path == b"/ws" else b"GET, HEAD"
    assert b"\r\nAllow: %b\r\n" % allowed in answer


async def test_health_is_answered_while_a_hundred_clients_are_connected(fake):
    """A probe waits behind nobody, and disturbs nobody."""
    async with open_node(fake) as node, undisturbed_chat(node) as chat:
        async with trio.open_nursery() as crowd:
            release, ready = trio.Event(), trio.Semaphore(0)

            async def stay():
                async with open_client(node.port, fake.token(3)):
                    ready.release()
                    await release.wait()

            for _ in range(100):
                crowd.start_soon(stay)
            with within():
                for _ in range(100):
                    await ready.acquire()
            answers = [
                await ask(node.port, b"GET /health HTTP/1.1\r\nHost: a\r\n\r\n") for _ in range(20)
            ]
            await chat.goes_on()
            release.set()

        assert set(answers) == {HEALTH}

"""What a transport owes the exchange: the same of httpx's own and of ours.

Requests are made by hand, as the exchange makes them, against servers of the test's.
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import httpx
import pytest
import trio

from fakes.asking import ask, request, server
from fakes.hostile import http, open_hostile_backend, says
from fakes.leaks import holding, settles

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Make = Callable[[str, ssl.SSLContext], httpx.AsyncBaseTransport]

BODY = b'{"id":1}'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Late(httpx.AsyncBaseTransport):
    """A transport for each address, made for its first request: tests learn addresses late."""

    def __init__(self, make: Make) -> None:
        """Take how to make one."""
        self._make = make
        self._made: dict[str, httpx.AsyncBaseTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass the request on."""
        address = f"{request.url.scheme}://{request.url.netloc.decode()}"
        if address not in self._made:
            self._made[address] = self._make(address, ssl.create_default_context())
        return await self._made[address].handle_async_request(request)

    async def aclose(self) -> None:
        """Close all."""
        for transport in self._made.values():
            await transport.aclose()


@pytest.fixture
async def transport(make) -> AsyncIterator[httpx.AsyncBaseTransport]:
    """One of either kind."""
    async with Late(make) as late:
        yield late


ANSWERS = {
    "a length": http(200, BODY),
    "chunks": CHUNKED
    + b"3\r\n"
    + BODY[:3]
    + b"\r\n5;x=y\r\n"
    + BODY[3:]
    + b"\r\n0\r\nT: z\r\n\r\n",
    "the end of the connection": b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
    "hints before": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early\r\nX: y\r\n\r\n"
    + http(200, BODY),
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 8\n\n" + BODY,
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_is_read_to_its_end_however_that_is_told(transport, answer):
    """By a length, by chunks, by the end of the connection; behind any number of hints."""
    async with open_hostile_backend(says(answer)) as hostile:
        assert await ask(transport, request(hostile.url)) == (200, BODY)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_an_answer_may_come_byte_by_byte(transport, answer):
    """The pieces in which bytes arrive mean nothing."""

    async def drip(stream: trio.abc.Stream) -> bool:
        for number in range(len(answer)):
            await stream.send_all(answer[number : number + 1])
            await trio.lowlevel.checkpoint()
        return False

    async with open_hostile_backend(drip) as hostile:
        assert await ask(transport, request(hostile.url)) == (200, BODY)


@pytest.mark.parametrize(("method", "status"), [("GET", 204), ("GET", 304), ("HEAD", 200)])
async def test_an_answer_without_a_body_ends_with_its_head(transport, method, status):
    """Whatever length it announces."""
    answer = b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % status
    async with open_hostile_backend(says(answer, keep=True)) as hostile:
        for _ in range(2):
            assert await ask(transport, request(hostile.url, method=method)) == (status, b"")

    assert hostile.connections == 1


async def test_the_request_arrives_as_it_was_made(transport):
    """Target, headers in their order, body: and nothing else."""
    async with open_hostile_backend(says(http(200, b""))) as hostile:
        await ask(transport, request(hostile.url, BODY, target=b"/a/b?c=%20"))

    head, _, body = hostile.requests[0].partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"POST /a/b?c=%20 HTTP/1.1",
        b"Host: backend",
        b"Content-Length: 8",
    ]
    assert body == BODY


async def test_the_answers_headers_are_there(transport):
    """For whoever wants them."""
    async with open_hostile_backend(says(http(200, b"", b"X-Y: z"))) as hostile:
        response = await transport.handle_async_request(request(hostile.url))
        await response.aclose()

    assert response.headers["x-y"] == "z"


async def test_a_large_request_goes_whole(transport):
    """More than the kernel takes at once."""
    body = bytes(4_000_000)
    async with open_hostile_backend(says(http(200, BODY))) as hostile:
        assert await ask(transport, request(hostile.url, body)) == (200, BODY)

    assert hostile.requests[0].endswith(b"\r\n\r\n" + body)


async def test_a_no_before_the_request_has_gone_is_heard(transport):
    """A backend that has read enough says so and hangs up; that is its answer."""

    async def refuse(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(http(413, BODY, b"Connection: close"))
        await trio.aclose_forcefully(stream)

    async with server(refuse) as url:
        assert await ask(transport, request(url, bytes(4_000_000))) == (413, BODY)


@pytest.mark.parametrize(
    ("answer", "connections"),
    [
        (http(200, BODY), 1),
        (CHUNKED + b"0\r\n\r\n", 1),
        (http(200, BODY, b"Connection: close"), 3),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", 3),
    ],
    ids=["a length", "chunks", "close", "HTTP/1.0"],
)
async def test_a_connection_is_kept_if_the_backend_keeps_it(transport, answer, connections):
    """Three requests, on as many connections as needed."""
    async with open_hostile_backend(says(answer, keep=True)) as hostile:
        for _ in range(3):
            await ask(transport, request(hostile.url))

    assert hostile.connections == connections


async def test_a_connection_that_died_while_idle_is_noticed_before_it_is_used(transport):
    """A request that may not be sent twice goes on another one."""

    async def once(stream: trio.SocketStream) -> None:
        await stream.receive_some(1000)
        await stream.send_all(http(200, BODY))
        await stream.send_eof()

    async with server(once) as url:
        for _ in range(3):
            assert await ask(transport, request(url, BODY)) == (200, BODY)
            # The end is here by then: it left with the answer.
            await trio.testing.wait_all_tasks_blocked(0.01)


async def test_an_answer_that_is_not_wanted_costs_the_connection(transport):
    """Nobody reads the rest of it, so nobody can use what is behind it."""
    async with open_hostile_backend(says(http(200, bytes(500_000)), keep=True)) as hostile:
        response = await transport.handle_async_request(request(hostile.url))
        await response.aclose()
        response = await transport.handle_async_request(request(hostile.url))
        await response.aclose()

    assert hostile.connections == 2


async def test_nobody_there_is_a_connect_error(transport):
    """By which the exchange knows that nothing was sent."""
    async with open_hostile_backend(says(b"")) as gone:
        url = gone.url

    for address in (url, "http://no-such-name.invalid"):
        with pytest.raises(httpx.ConnectError):
            await ask(transport, request(address))


async def test_a_name_with_several_addresses_is_reached_by_the_one_that_answers(transport):
    """Localhost is ::1 as well; the server is on 127.0.0.1 alone."""
    async with open_hostile_backend(says(http(200, BODY))) as hostile:
        url = hostile.url.replace("127.0.0.1", "localhost")
        assert await ask(transport, request(url)) == (200, BODY)


# ── time ─────────────────────────────────────────────────────────────────────


async def test_connecting_has_its_time(transport):
    """A handshake that never ends is ended: TLS where nobody speaks it."""

    async def say_nothing(_stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with server(say_nothing) as url:
        with pytest.raises(httpx.ConnectTimeout):
            await ask(transport, request(url.replace("http:", "https:"), connect=0.1))


async def test_reading_has_its_time(transport):
    """Each wait for bytes: for the head, and for the rest of the body."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"
    for answer in (b"", head):

        async def stall(stream: trio.SocketStream, answer: bytes = answer) -> None:
            await stream.send_all(answer)
            await trio.sleep_forever()

        async with server(stall) as url:
            with pytest.raises(httpx.ReadTimeout):
                await ask(transport, request(url, read=0.1))


async def test_writing_has_its_time(transport):
    """A backend that does not read stops nobody for ever."""

    async def say_nothing(_stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with server(say_nothing) as url:
        with pytest.raises(httpx.WriteTimeout):
            await ask(transport, request(url, bytes(20_000_000), write=0.1))


async def test_one_deadline_may_cover_everything(transport):
    """Without time-outs of its own, a request ends with the scope around it."""
    before = holding()

    async def say_nothing(_stream: trio.SocketStream) -> None:
        await trio.sleep_forever()

    async with server(say_nothing) as url:
        with trio.move_on_after(0.05) as scope:
            await ask(transport, request(url))
        assert scope.cancelled_caught

    assert await settles(lambda: holding().is_at_most(before))

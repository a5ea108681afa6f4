"""The same over TLS: whom a transport believes, and what it carries then."""

from __future__ import annotations

import ssl
from contextlib import suppress

import httpx
import pytest
import trio
import trustme
from trio.testing import wait_all_tasks_blocked

from fakes.asking import ask, request
from fakes.hostile import http, open_hostile_backend, says
from gogate_trio.backend.transport import H11Transport

BODY = b'{"id":1}'


class Held(trio.abc.Stream):
    """What a TLS server would send, held back to go as one segment. It receives nothing."""

    def __init__(self) -> None:
        """Begin empty."""
        self.data = b""

    async def send_all(self, data):
        """Hold it."""
        self.data += data

    async def wait_send_all_might_not_block(self):
        """It never does."""

    async def receive_some(self, max_bytes=None):
        """Have nothing."""
        raise trio.WouldBlock(max_bytes)

    async def aclose(self):
        """Stay open."""


@pytest.mark.parametrize("size", [10, 500_000])
async def test_tls_carries_the_same(make, size):
    """Answers small and large, on one connection, from a host whose certificate is good."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    answer = http(200, bytes(size))
    async with open_hostile_backend(says(answer, keep=True), tls=tls) as hostile:
        url = hostile.url.replace("127.0.0.1", "localhost")
        async with make(url, context) as transport:
            for _ in range(3):
                assert await ask(transport, request(url, bytes(size))) == (200, bytes(size))

    assert hostile.connections == 1


async def test_a_certificate_for_another_host_gets_nothing(make):
    """It is good for the name; the address says something else."""
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)
    async with (
        open_hostile_backend(says(http(200, BODY)), tls=tls) as hostile,
        make(hostile.url, context) as transport,
    ):
        with pytest.raises(httpx.ConnectError):
            await ask(transport, request(hostile.url, BODY))

    assert hostile.requests == []


UNTIL_THE_END = b"HTTP/1.1 200 OK\r\n\r\n" + BODY


@pytest.mark.parametrize(
    ("answer", "last_word", "at_once"),
    [
        (http(200, BODY), http(200, b"forged!!"), True),
        (http(200, BODY), b"", True),
        (UNTIL_THE_END, b"", False),
    ],
    ids=["answer", "goodbye", "end of the answer"],
)
async def test_a_record_behind_an_answer_is_no_part_of_the_next(answer, last_word, at_once, poller):
    """It came with the answer, so the socket says nothing of it: it would answer the next call.

    That is not httpx's, which hands it out.
    """
    authority = trustme.CA()
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(tls)
    context = ssl.create_default_context()
    authority.configure_trust(context)

    async def say_too_much(stream: trio.SSLStream[trio.abc.Stream]) -> bool:
        tcp, held = stream.transport_stream, Held()
        stream.transport_stream = held
        await stream.send_all(answer)
        if not at_once:
            await tcp.send_all(held.data)
            held.data = b""
            await wait_all_tasks_blocked(0.01)
        with suppress(trio.WouldBlock):
            await (stream.send_all(last_word) if last_word else stream.unwrap())
        await tcp.send_all(held.data)
        await tcp.receive_some()
        await tcp.aclose()
        return False

    async with open_hostile_backend(say_too_much, tls=tls) as hostile:
        url = hostile.url.replace("127.0.0.1", "localhost")
        async with H11Transport(httpx.URL(url), context, poller, keepalive=3) as transport:
            for _ in range(3):
                assert await ask(transport, request(url, BODY)) == (200, BODY)

    assert hostile.connections == 3

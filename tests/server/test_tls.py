"""Laws of TLS on the port, on real sockets and with clients that are not ours."""

from __future__ import annotations

import json
import socket
import ssl
import warnings
from contextlib import asynccontextmanager, suppress

import pytest
import structlog
import trio
from structlog.testing import LogCapture
from trio_websocket import ConnectionClosed, wrap_client_stream

from fakes.certificates import Authority, Files, fingerprint, open_secure, open_secure_raw
from fakes.clients import BINARY, TEXT, frame, open_raw
from fakes.leaks import holding, settles
from fakes.node import open_node, within
from gogate_trio.errors import OperatorError
from gogate_trio.limits import LINGER_SECONDS
from gogate_trio.server import listener, tls

AUTHORITY = Authority()
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEALTH = b'{"status":"ok","service":"gogate"}'


@pytest.fixture
def files(tmp_path):
    """A certificate and a key in place."""
    written = Files(tmp_path)
    written.write(AUTHORITY.issue())
    return written


@pytest.fixture
def said(monkeypatch):
    """What is logged about certificates."""
    capture = LogCapture()
    monkeypatch.setattr(tls, "_log", structlog.wrap_logger(None, processors=[capture]))
    return capture.entries


@asynccontextmanager
async def chatting(port):
    """Two people over TLS, and a function by which each hears the other."""
    trust = AUTHORITY.trust()
    async with (
        open_secure(port, trust, "token-1") as john,
        open_secure(port, trust, "token-2") as jane,
    ):

        async def exchange(text):
            with within():
                await john.say("send_message", chat_id=2, text=text)
                heard = [(await one.event("new_message"))["text"] for one in (john, jane)]
            assert heard == [text, text]

        await exchange("hello")
        yield exchange
        await exchange("goodbye")


@asynccontextmanager
async def library_client(port):
    """A client of trio-websocket's, whose socket is surely closed whoever ends first."""
    async with open_secure_raw(port, AUTHORITY.trust()) as raw, trio.open_nursery() as using:
        yield await wrap_client_stream(using, raw.stream, "localhost", "/ws")
        using.cancel_scope.cancel()


def knock(port, context):
    """Shake hands with the standard library's TLS; what was agreed on."""
    with (
        socket.create_connection(("127.0.0.1", port), 10) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        return secure.version(), secure.cipher()[0], secure.selected_alpn_protocol()


def only(version):
    """A client that speaks one version of TLS, and would with any cipher."""
    context = AUTHORITY.trust()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = version
    context.set_ciphers("ALL:@SECLEVEL=0")
    return context


async def test_a_page_over_tls_ends_properly_and_soon(fake, files):
    """The page comes whole, then TLS's own goodbye: nobody could have cut it short unseen."""
    async with (
        open_node(fake, tls=files.settings) as node,
        open_secure_raw(node.port, AUTHORITY.trust()) as client,
    ):
        # Without https_compatible an end that was not announced is an error.
        client.stream._https_compatible = False
        started = trio.current_time()
        with within():
            await client.send(REQUEST)
            page = await client.rest()
            below = await client.stream.transport_stream.receive_some()
        took = trio.current_time() - started

    assert page.startswith(b"HTTP/1.1 200 OK\r\n")
    assert page.endswith(HEALTH)
    assert below == b""
    assert took < LINGER_SECONDS


async def test_two_clients_of_another_library_chat_over_wss(fake, files):
    """A WebSocket library that is not ours connects, authenticates, sends and hears."""
    async with open_node(fake, tls=files.settings) as node:
        with within():
            async with library_client(node.port) as one, library_client(node.port) as other:
                for number, client in enumerate((one, other), 1):
                    await client.send_message(_event("auth", token=fake.token(number)))
                    assert json.loads(await client.get_message())["event"] == "auth_success"
                await one.send_message(_event("send_message", chat_id=2, text="x" * 100_000))
                heard = [json.loads(await client.get_message()) for client in (one, other)]

    assert [(got["event"], len(got["data"]["text"])) for got in heard] == [
        ("new_message", 100_000)
    ] * 2


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1])
async def test_old_versions_are_refused(fake, files, version):
    """Nothing below TLS 1.2 is spoken."""
    async with open_node(fake, tls=files.settings) as node:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await trio.to_thread.run_sync(knock, node.port, only(version))

        assert await settles(lambda: node.metrics.tls_failed == 1)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_new_versions_agree_on_a_modern_cipher(fake, files, version):
    """Whatever a client would take, what is agreed on authenticates what it encrypts."""
    async with open_node(fake, tls=files.settings) as node:
        agreed = await trio.to_thread.run_sync(knock, node.port, only(version))

    assert agreed[0] == version.name.replace("_", ".")
    assert "GCM" in agreed[1] or "CHACHA20" in agreed[1]


@pytest.mark.parametrize("ciphers", ["ECDHE+AES+SHA256:!AESGCM", "RSA+AESGCM", "DHE+AESGCM"])
async def test_old_ciphers_are_refused(fake, files, ciphers):
    """No CBC, no key exchange without forward secrecy, no classic Diffie-Hellman."""
    context = only(ssl.TLSVersion.TLSv1_2)
    context.set_ciphers(f"{ciphers}:@SECLEVEL=0")

    async with open_node(fake, tls=files.settings) as node:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await trio.to_thread.run_sync(knock, node.port, context)


@pytest.mark.parametrize(
    ("offered", "agreed"), [(["h2", "http/1.1"], "http/1.1"), (["h2"], None), ([], None)]
)
async def test_http_1_is_agreed_on_whenever_it_is_offered(fake, files, offered, agreed):
    """A browser that would rather speak HTTP/2 is told that it will not."""
    context = AUTHORITY.trust()
    if offered:
        context.set_alpn_protocols(offered)

    async with open_node(fake, tls=files.settings) as node:
        assert (await trio.to_thread.run_sync(knock, node.port, context))[2] == agreed


async def test_a_session_can_be_resumed(fake, files):
    """Who comes back after a cut is spared the costly half of the handshake."""
    context = only(ssl.TLSVersion.TLSv1_3)

    def visit(port, session=None):
        with (
            socket.create_connection(("127.0.0.1", port), 10) as plain,
            context.wrap_socket(plain, server_hostname="localhost", session=session) as secure,
        ):
            secure.sendall(REQUEST)
            while secure.recv(4096):
                pass
            return secure.session, secure.session_reused

    async with open_node(fake, tls=files.settings) as node:
        session, first = await trio.to_thread.run_sync(visit, node.port)
        _, second = await trio.to_thread.run_sync(visit, node.port, session)

    assert (first, second) == (False, True)


async def test_plain_http_on_the_tls_port_is_told_so(fake, files):
    """Who forgot the "s" gets a sentence, in the clear, as nginx gives it."""
    async with open_node(fake, tls=files.settings) as node, open_raw(node.port) as client:
        with within():
            await client.send(REQUEST)
            answer = await client.rest()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"https://" in answer
    assert HEALTH not in answer
    assert node.metrics.refused == {400: 1}


async def test_strangers_leave_nothing_behind_and_are_not_noticed(fake, files, monkeypatch):
    """Garbage, half a hello, silence, resets: each is soon gone, the chat goes on."""
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.4)
    hello = _client_hello()

    async def stranger(port, number):
        async with open_raw(port) as client:
            with suppress(trio.BrokenResourceError):
                await client.send(
                    (b"\x00\xff" * 400, hello[:50], hello, b"", b"PRI * HTTP/2.0\r\n\r\n")[
                        number % 5
                    ]
                )
                if number % 2:
                    client.reset()
                else:
                    await client.rest()

    async with open_node(fake, tls=files.settings) as node, chatting(node.port) as exchange:
        before = holding()
        with within():
            for _ in range(10):
                async with trio.open_nursery() as strangers:
                    for number in range(20):
                        strangers.start_soon(stranger, node.port, number)
                await exchange("still here")

        assert await settles(lambda: holding().is_at_most(before))
        assert node.metrics.tls_failed == 200
        assert node.metrics.bugs == 0


async def test_a_handshake_and_a_head_share_one_deadline(fake, files, monkeypatch):
    """Who shakes hands and then says nothing is told 408, in TLS, within the same time."""
    monkeypatch.setattr(listener, "HANDSHAKE_SECONDS", 0.8)
    async with open_node(fake, tls=files.settings) as node:
        started = trio.current_time()
        async with open_secure_raw(node.port, AUTHORITY.trust(), pause=0.6) as client:
            with within():
                answer = await client.rest()
            took = trio.current_time() - started

    assert answer.startswith(b"HTTP/1.1 408 ")
    assert took < 1.3


async def test_nonsense_behind_the_handshake_is_no_bug(fake, files):
    """A record that does not decipher ends that connection and nothing else."""
    async with open_node(fake, tls=files.settings) as node, chatting(node.port):
        async with open_secure(node.port, AUTHORITY.trust()) as client:
            with within():
                await client.stream.transport_stream.send_all(b"\x17\x03\x03\x00\x20" + b"?" * 32)
                with suppress(trio.BrokenResourceError):
                    await client.rest()

        assert await settles(lambda: node.metrics.connections == 2)
        assert node.metrics.bugs == 0


async def test_a_close_frame_is_read_under_a_flood(fake, files):
    """Who sends megabytes that are not read still gets 1003, an announced end, and no reset."""
    async with (
        open_node(fake, tls=files.settings) as node,
        open_secure(node.port, AUTHORITY.trust()) as client,
    ):
        client.stream._https_compatible = False
        with within():
            await client.send(frame(BINARY, b"x") + frame(TEXT, b"y" * 500_000))
            code = await client.close_code()

    assert code == 1003


async def test_a_client_that_leaves_by_the_book_is_seen_off_at_once(fake, files):
    """After the close frames both sides end without waiting for each other."""
    async with open_node(fake, tls=files.settings) as node:
        async with open_secure(node.port, AUTHORITY.trust()) as client:
            started = trio.current_time()
            with within():
                await client.send(frame(0x8, b"\x03\xe8"))
                code = await client.close_code()

        assert code == 1000
        assert trio.current_time() - started < LINGER_SECONDS


async def test_a_slow_client_is_cut_and_its_chat_goes_on(fake, files):
    """Nothing takes the direct way in TLS, and yet nobody waits for who does not read."""
    async with (
        open_node(fake, tls=files.settings, write_wait=2.0) as node,
        chatting(node.port) as exchange,
        open_secure(node.port, AUTHORITY.trust(), "token-1") as slow,
    ):
        with within():
            while not node.metrics.closed["slow consumer"]:
                await exchange("z" * 50_000)

        assert await settles(lambda: node.metrics.connections == 2)
        # The rest was not left to the kernel: it would hold it for as long as it liked.
        with pytest.raises(trio.BrokenResourceError), within():
            await slow.rest()


async def test_a_drain_says_1012_to_everybody(fake, files):
    """A restart is announced inside TLS as outside."""
    async with (
        open_node(fake, tls=files.settings) as node,
        open_secure(node.port, AUTHORITY.trust(), "token-1") as client,
    ):
        node.stop.set()
        with within():
            assert await client.close_code() == 1012


async def test_a_new_certificate_serves_the_new_and_spares_the_old(fake, files, said):
    """After a reload a new client is shown the new certificate; an old one chats on."""
    async with open_node(fake, tls=files.settings) as node, chatting(node.port) as exchange:
        trust = AUTHORITY.trust()
        async with open_secure(node.port, trust) as client:
            before = fingerprint(client)
            files.write(AUTHORITY.issue())
            for reload in node.reloads:
                await reload()
            async with open_secure(node.port, trust) as newcomer:
                after = fingerprint(newcomer)
            await client.authenticate("token-3")
        await exchange("nobody noticed")

    assert before != after
    assert [entry["event"] for entry in said if "kept" in entry["event"]] == []


@pytest.mark.parametrize("fault", ["mismatch", "garbage", "missing"])
async def test_a_bad_certificate_keeps_the_old_and_says_so(fake, files, said, fault):
    """New clients still get in; the log has one line with the reason."""
    async with open_node(fake, tls=files.settings) as node:
        if fault == "mismatch":
            files.write_key(AUTHORITY.issue().key)
        elif fault == "garbage":
            files.write_chain(b"-----BEGIN CERTIFICATE-----\nnonsense\n")
        else:
            (files.folder / "key.pem").unlink()
        for reload in node.reloads:
            await reload()
        async with open_secure(node.port, AUTHORITY.trust(), "token-1"):
            pass

    kept = [entry for entry in said if entry["event"] == "tls_certificate_kept"]
    assert len(kept) == 1
    assert kept[0]["log_level"] == "error"
    assert "TLS_" in kept[0]["reason"]


async def test_changed_files_are_taken_without_a_signal(fake, files, monkeypatch):
    """A renewal tool needs to know nothing of the gateway."""
    monkeypatch.setattr(tls, "TLS_LOOK_SECONDS", 0.05)
    trust = AUTHORITY.trust()

    async def shown(port):
        async with open_secure_raw(port, trust) as client:
            return fingerprint(client)

    async with open_node(fake, tls=files.settings) as node:
        before = await shown(node.port)
        files.write(AUTHORITY.issue())
        with within():
            while (await shown(node.port)) == before:
                pass


async def test_a_node_without_a_usable_certificate_does_not_start(fake, tmp_path):
    """It is told before the port is open."""
    with pytest.RaisesGroup(OperatorError, allow_unwrapped=True, flatten_subgroups=True):
        async with open_node(fake, tls=Files(tmp_path).settings):
            pass


async def test_a_library_client_reads_the_reason_of_its_end(fake, files):
    """A hang-up arrives as code and reason, not as a torn connection."""
    async with open_node(fake, tls=files.settings, auth_timeout=0.2) as node:
        with within():
            async with library_client(node.port) as client:
                assert json.loads(await client.get_message())["event"] == "error"
                with pytest.raises(ConnectionClosed) as closed:
                    await client.get_message()

    assert closed.value.reason.code == 4501


def _event(name, **data):
    return json.dumps({"event": name, "data": data})


def _client_hello():
    outgoing = ssl.MemoryBIO()
    client = AUTHORITY.trust().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()

"""Laws of ``gogate bench`` against servers: what it measures, and whom it blames for what."""

from __future__ import annotations

import json
import os
import signal
import ssl
import sys
from collections.abc import Callable
from contextlib import suppress

import attrs
import pytest
import trio
import trustme
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, CloseConnection, Ping, Pong, Request, TextMessage

from fakes.backend import open_fake_backend
from fakes.process import open_gateway
from gogate_trio.bench import command, report
from gogate_trio.bench.measure import measure, prepare
from gogate_trio.bench.plan import Plan, checked, read_address
from gogate_trio.bench.screen import show
from gogate_trio.errors import OperatorError

PATIENCE = 30.0


async def watch_nothing(run):
    """No picture."""


async def bench(port, tokens=("token-1", "token-2"), *, scheme="ws", path="/ws", **numbers):
    """Run one; returns it when it is over."""
    address = read_address(f"{scheme}://127.0.0.1:{port}{path}")
    plan = Plan(address, tokens, **{"connections": 4, "rate": 40.0, "duration": 0.5, **numbers})
    run = prepare(checked(plan))
    with trio.fail_after(PATIENCE):
        await measure(run, watch_nothing)
    return run


async def test_everything_is_sent_acknowledged_and_heard_by_every_member(tmp_path):
    """A sound gateway is called sound, each delivery has a time, and no token is printed."""
    async with open_fake_backend() as fake, open_gateway(fake, tmp_path) as gateway:
        run = await bench(gateway.port)
        held = await bench(gateway.port, rate=0.0, duration=0.1)

    assert held.is_sound, "who only holds connections is told nothing, and that is sound"
    assert (held.crowd.entries.total, held.ledger.sent) == (4, 0)
    assert run.is_sound, list(report.as_text(run))
    assert (run.ledger.sent, run.ledger.deliveries) == (20, 80)
    assert (run.crowd.entries.total, run.crowd.acks.total) == (4, 20)
    assert run.crowd.deliveries.total == 80
    assert 0 < run.crowd.deliveries.quantile(0.5) <= run.crowd.deliveries.quantile(0.99)
    told = report.as_json(run) + "\n".join(report.as_text(run)) + repr(run)
    assert "nothing lost, nothing twice, nothing out of order" in told
    assert "token-1" not in told
    assert json.loads(report.as_json(run))["histogram_ms"]


async def test_the_blame_goes_to_the_one_who_refused(tmp_path):
    """A bad token, a backend that says no, a user outside the chat: each is counted as itself."""
    async with open_fake_backend() as fake, open_gateway(fake, tmp_path) as gateway:
        fake.chats[1] = [1]
        outside = await bench(gateway.port, ("token-1", "token-2", "token-99"), connections=3)
        fake.fail("send_message", status=403)
        refused = await bench(gateway.port, connections=1)

    assert not outside.is_sound
    assert outside.crowd.turned_away == {"AUTH_FAILED": 1}
    assert outside.verdict.silent == 1
    assert outside.verdict.lost == 0
    assert refused.crowd.errors == {"SEND_FAILED": 20}
    assert (refused.ledger.refused, refused.ledger.deliveries) == (20, 0)


# ── servers of another kind ──────────────────────────────────────────────────


async def say(stream, answer):
    """Answer the first request with these bytes, and no more."""
    await stream.receive_some()
    await stream.send_all(answer)


async def hold(stream):
    """Say nothing at all."""
    while await stream.receive_some():
        pass


@pytest.mark.parametrize(
    ("serve", "scheme", "reason"),
    [
        (lambda s: say(s, b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), "ws", "HTTP 503"),
        (lambda s: say(s, b"SSH-2.0-OpenSSH_9.2\r\n"), "ws", "no WebSocket there"),
        (lambda s: say(s, b""), "ws", "no WebSocket there"),
        (lambda s: say(s, b"HTTP/1.1 400 Bad Request\r\n\r\n"), "wss", "TLS failed"),
        (hold, "ws", "no answer in time"),
        (None, "ws", "cannot connect"),
    ],
    ids=["busy", "another protocol", "hangs up", "plain", "silent", "absent"],
)
async def test_when_nobody_gets_in_one_line_says_why(monkeypatch, serve, scheme, reason):
    """The reason is one of a few constant texts, whatever the server said."""
    if serve is hold:
        monkeypatch.setattr("gogate_trio.bench.crowd.ENTRY_SECONDS", 0.3)

    async def serving(stream):
        async with stream:
            await serve(stream)

    async with trio.open_nursery() as nursery:
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]
        if serve:
            nursery.start_soon(trio.serve_listeners, serving, [listener])
        else:
            await listener.aclose()
        with pytest.raises(OperatorError) as refused:
            await bench(port, scheme=scheme, connections=2)
        nursery.cancel_scope.cancel()

    assert str(refused.value) == f"nobody got in: {reason}"


@attrs.define(eq=False)
class Liar:
    """A WebSocket server that lets everybody in, and then does one thing wrong."""

    fault: str
    pongs: int = 0
    messages: int = 0
    third: Callable[[], None] = lambda: None
    """What happens at the third message."""

    async def serve(self, stream):
        """One connection."""
        ws = WSConnection(ConnectionType.SERVER)
        async with stream:
            while data := bytes(await stream.receive_some()):
                ws.receive_data(data)
                for event in ws.events():
                    await stream.send_all(self.answer(ws, event))

    def answer(self, ws, event):
        """What to say to this."""
        match event:
            case Request():
                return ws.send(AcceptConnection())
            case Pong():
                self.pongs += 1
            case CloseConnection():
                return ws.send(event.response())
            case TextMessage(data=text):
                said = json.loads(text)
                if said["event"] == "auth":
                    half, rest = '{"event":"auth_success",', '"data":{"user_id":1}}'
                    return (
                        ws.send(Ping())
                        + ws.send(TextMessage(half, message_finished=False))
                        + ws.send(TextMessage(rest))
                    )
                return self.message(ws, said)
        return b""

    def message(self, ws, said):
        """An answer to a message, with the fault."""
        self.messages += 1
        if self.messages == 3:
            self.third()
        heard = {"event": "new_message", "data": said["data"]}
        ack = {"event": "ack", "id": said["id"], "data": {}}
        if self.fault == "close":
            return ws.send(CloseConnection(code=4410))
        if self.fault == "alter":
            said["data"]["text"] = said["data"]["text"][:-1]
        told = [ack] if self.fault == "drop" and said["id"] else [ack, heard]
        told += [heard] if self.fault == "twice" else []
        texts = [json.dumps(each) for each in told]
        if self.fault == "join":
            texts = ["\n".join(texts)]
        return b"".join(ws.send(TextMessage(text)) for text in texts)


@pytest.mark.parametrize(
    ("fault", "wrong"),
    [
        ("none", {}),
        ("drop", {"lost": 3}),
        ("twice", {"twice": 4}),
        ("alter", {"altered": 4, "lost": 0}),
        ("join", {"invalid_json": 4, "unanswered": 4}),
        ("close", {"unanswered": 1, "closes": {"4410": 1}, "unsent": 3}),
    ],
)
async def test_a_lie_is_noticed_and_named(monkeypatch, fault, wrong):
    """Four messages to one listener; pings are answered and split messages understood."""
    monkeypatch.setattr("gogate_trio.bench.traffic.STALL_SECONDS", 1.0)
    liar = Liar(fault)
    async with trio.open_nursery() as nursery:
        serve = await nursery.start(trio.serve_tcp, liar.serve, 0)
        port = serve[0].socket.getsockname()[1]
        run = await bench(port, connections=1, rate=40.0, duration=0.1)
        nursery.cancel_scope.cancel()

    told = json.loads(report.as_json(run))
    found = {**told, **told["connections"], **told["messages"]}
    assert {name: found[name] for name in wrong} == wrong
    assert run.is_sound == (fault == "none")
    assert liar.pongs == 1


async def test_wss_is_spoken_with_who_is_trusted(monkeypatch, tmp_path):
    """The machine's authorities decide, or those that ``SSL_CERT_FILE`` names."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    liar = Liar("none")

    async def serve(stream):
        with suppress(trio.BrokenResourceError):
            await liar.serve(trio.SSLStream(stream, context, server_side=True))

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        with pytest.raises(OperatorError, match="nobody got in: TLS failed"):
            await bench(port, scheme="wss", connections=1)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        run = await bench(port, scheme="wss", connections=1, duration=0.1)
        nursery.cancel_scope.cancel()

    assert run.is_sound
    assert run.ledger.deliveries == 4


async def test_ctrl_c_ends_the_traffic_and_prints_what_there_is(capsys):
    """What is under way is waited for; the figures of a long run are not thrown away."""
    liar = Liar("none")
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, liar.serve, 0)
        port = listeners[0].socket.getsockname()[1]
        plan = Plan(read_address(f"ws://127.0.0.1:{port}"), ("a-key-of-the-tests",), connections=1)
        liar.third = lambda: os.kill(os.getpid(), signal.SIGINT)
        with trio.fail_after(PATIENCE):
            status = await command.print_run(plan, as_json=True)
        nursery.cancel_scope.cancel()

    told = json.loads(capsys.readouterr().out)
    assert (status, told["sound"], told["cut_short"]) == (0, True, True)
    assert 3 <= told["deliveries"] == told["messages"]["sent"] < 200


async def test_ctrl_c_before_anything_was_said_ends_it_at_once():
    """There is nothing to print yet."""
    async with trio.open_nursery() as nursery:

        async def interrupt(stream):
            os.kill(os.getpid(), signal.SIGINT)
            await hold(stream)

        listeners = await nursery.start(trio.serve_tcp, interrupt, 0)
        address = read_address(f"ws://127.0.0.1:{listeners[0].socket.getsockname()[1]}")
        with (
            pytest.RaisesGroup(KeyboardInterrupt, flatten_subgroups=True),
            trio.fail_after(PATIENCE),
        ):
            plan = Plan(address, ("a-key-of-the-tests",), connections=1)
            await command.print_run(plan, as_json=True)
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("terminal", [True, False])
async def test_the_picture_is_drawn_on_a_terminal_only(monkeypatch, capsys, terminal):
    """A log file gets the result and no pictures."""
    if terminal:
        monkeypatch.setenv("FORCE_COLOR", "1")
        monkeypatch.setenv("TERM", "xterm")
    run = prepare(Plan(read_address("ws://127.0.0.1:1"), ("a",)))

    with trio.move_on_after(0.05):
        await show(run)

    out, err = capsys.readouterr()
    assert ("connected" in err) == terminal
    assert out == ""


# ── the command ──────────────────────────────────────────────────────────────


async def gogate(*arguments, cwd):
    """Run ``gogate`` with nothing in its environment: status, output, complaints."""
    done = await trio.run_process(
        [sys.executable, "-m", "gogate_trio", *arguments],
        capture_stdout=True,
        capture_stderr=True,
        check=False,
        cwd=cwd,
        env={"PATH": os.environ["PATH"]},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


async def test_it_works_out_of_the_box(tmp_path):
    """``gogate bench --demo`` needs nothing, and leaves nothing behind but its figures."""
    numbers = ("--connections", "4", "--rate", "40", "--duration", "0.2")
    with trio.fail_after(PATIENCE):
        status, said, complaint = await gogate("bench", "--demo", "--json", *numbers, cwd=tmp_path)

    told = json.loads(said)
    assert (status, complaint, told["sound"], told["deliveries"]) == (0, "", True, 32)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "bench needs an address or --demo"),
        (("ws://127.0.0.1:1/ws",), "--token-file is missing: one token a line"),
        (("--demo", "--rate", "-1"), "--rate is 0 to 10,000"),
    ],
)
async def test_unusable_arguments_are_one_line_and_status_2(tmp_path, arguments, said):
    """Nothing is started for them."""
    with trio.fail_after(PATIENCE):
        assert await gogate("bench", *arguments, cwd=tmp_path) == (2, "", f"gogate: {said}\n")

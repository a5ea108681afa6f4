"""The JavaScript client against a real gateway: what it promises holds on a bad line."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from contextlib import asynccontextmanager
from pathlib import Path

import attrs
import pytest
import trio

from fakes.backend import open_fake_backend
from fakes.line import Line
from fakes.process import open_gateway
from fixtures.npm import programs

CLIENT = Path(__file__).parents[2] / "clients" / "javascript"
DRIVER = Path(__file__).with_name("driver.mjs")
PATIENCE = 30.0


@attrs.define(eq=False)
class Client:
    """A client in a process of its own."""

    process: trio.Process
    heard: list = attrs.field(factory=list)
    _news: trio.Event = attrs.field(factory=trio.Event)

    async def listen(self):
        """Collect what it says."""
        rest = b""
        async for chunk in self.process.stdout:
            *lines, rest = (rest + chunk).split(b"\n")
            self.heard += map(json.loads, lines)
            self._news.set()
            self._news = trio.Event()

    async def wait(self, count=1, **wanted):
        """Wait until it has said so many things with these keys; return the last."""
        with trio.fail_after(PATIENCE):
            while (
                len(found := [each for each in self.heard if wanted.items() <= each.items()])
                < count
            ):
                await self._news.wait()
        return found[-1]

    async def command(self, tag, event="send_message", **data):
        """Give it a command."""
        line = json.dumps({"event": event, "data": data, "tag": tag})
        await self.process.stdin.send_all(line.encode() + b"\n")

    def texts(self):
        """The messages it was told, in order."""
        return [one["data"]["text"] for one in self.heard if one.get("event") == "new_message"]


@asynccontextmanager
async def open_client(cache, port, token):
    """Run a client for the block."""
    modules = programs(cache).parent
    node = shutil.which("node")
    url = f"ws://127.0.0.1:{port}/ws"
    process = await trio.lowlevel.open_process(
        [node, str(DRIVER), str(CLIENT / "gogate.js"), str(modules), url, token],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    client = Client(process)
    async with process.stdin, process.stdout, trio.open_nursery() as listening:
        listening.start_soon(client.listen)
        try:
            yield client
        finally:
            process.kill()
            with trio.move_on_after(PATIENCE, shield=True):
                await process.wait()
            listening.cancel_scope.cancel()


@pytest.fixture
async def fake():
    """The backend."""
    async with open_fake_backend() as fake:
        yield fake


@pytest.fixture
async def line(nursery):
    """A line that leads nowhere yet."""
    line = await nursery.start(lambda task_status: Line().run(task_status))
    yield line
    nursery.cancel_scope.cancel()


async def test_a_break_loses_nothing_and_repeats_nothing(request, fake, line, tmp_path):
    """What was said meanwhile comes once, in order; what was to be sent is stored once."""
    cache = request.config.cache
    async with open_gateway(fake, tmp_path) as gateway:
        line.behind = gateway.port
        async with (
            open_client(cache, line.port, fake.token(1)) as one,
            open_client(cache, gateway.port, fake.token(2)) as two,
        ):
            await one.wait(state="online")
            await two.wait(state="online")
            await two.command("a", chat_id=1, text="before")
            await one.wait(event="new_message")
            line.cut()
            await one.wait(state="reconnecting")
            await one.command("mine", chat_id=1, text="mine")
            await two.command("b", chat_id=1, text="during")
            await two.wait(tag="b")
            line.is_cut = False
            acked = await one.wait(tag="mine")
            await two.wait(3, event="new_message")
            await one.wait(3, event="new_message")

    assert acked["ack"]["chat_id"] == 1
    assert one.texts() == two.texts() == ["before", "during", "mine"]
    assert one.heard.count({"reload": True}) == 1
    assert len(fake.calls_to("send_message")) == 3


async def test_a_page_with_a_cookie_loses_nothing_either(request, fake, line, tmp_path):
    """It cannot say ``auth``, and goes on all the same where it was."""
    cache = request.config.cache
    async with open_gateway(fake, tmp_path, AUTH_COOKIE="access_token") as gateway:
        line.behind = gateway.port
        async with (
            open_client(cache, line.port, f"access_token={fake.token(1)}") as one,
            open_client(cache, gateway.port, fake.token(2)) as two,
        ):
            await one.wait(state="online")
            await two.command("a", chat_id=1, text="before")
            await one.wait(event="new_message")
            line.cut()
            await one.wait(state="reconnecting")
            await two.command("b", chat_id=1, text="during")
            await two.wait(tag="b")
            line.is_cut = False
            await one.command("mine", chat_id=1, text="mine")
            await one.wait(3, event="new_message")

    assert one.texts() == ["before", "during", "mine"]
    assert one.heard.count({"reload": True}) == 1
    welcomes = [each["data"] for each in one.heard if each.get("event") == "auth_success"]
    assert [each["recovered"] for each in welcomes] == [False, True]


async def test_a_killed_gateway_means_loading_anew_and_storing_once(request, fake, tmp_path, line):
    """The next one knows nothing: the client loads everything, and says its command again."""
    cache = request.config.cache
    async with open_client(cache, line.port, fake.token(1)) as one:
        async with open_gateway(fake, tmp_path) as gateway:
            line.behind = gateway.port
            await one.wait(state="online")
            await one.wait(reload=True)
            released = fake.hold("send_message")
            await one.command("x", chat_id=1, text="once")
            await fake.wait_for_calls("send_message", 1)
            gateway.signal(signal.SIGKILL)
            await gateway.ended()
            await one.wait(state="reconnecting")
        released.set()
        async with open_gateway(fake, tmp_path) as gateway:
            line.behind = gateway.port
            answer = await one.wait(tag="x")
            await one.wait(2, reload=True)

    keys = {call.headers["idempotency-key"] for call in fake.calls_to("send_message")}
    assert "ack" in answer
    assert len(keys) == 1


async def test_a_drained_gateway_says_when_to_come_back(request, fake, tmp_path):
    """The client waits at least as long as its close frame asks."""
    cache = request.config.cache
    async with (
        open_gateway(fake, tmp_path) as gateway,
        open_client(cache, gateway.port, fake.token(1)) as one,
    ):
        await one.wait(state="online")
        gateway.signal(signal.SIGTERM)
        told = (await one.wait(event="reconnect"))["data"]["after_ms"]
        left = await one.wait(state="reconnecting")

    assert left["code"] == 1012
    assert left["delay"] > told > 0


async def test_a_refused_token_is_renewed_once_and_then_given_up(request, fake, tmp_path):
    """A client that is not wanted does not knock for ever."""
    cache = request.config.cache
    async with (
        open_gateway(fake, tmp_path) as gateway,
        open_client(cache, gateway.port, "no.such.token") as one,
    ):
        refused = await one.wait(state="refused")

    assert refused["code"] == 4501
    assert refused["tokens"] == 2


async def test_a_client_that_is_closed_has_left_its_page():
    """It listens to the page once while it is connected, and not at all before and after."""
    program = """
        const { getEventListeners } = await import("node:events");
        globalThis.window = new EventTarget();
        globalThis.document = new EventTarget();
        const count = () =>
          getEventListeners(window, "online").length +
          getEventListeners(document, "visibilitychange").length;
        class WebSocket extends EventTarget { close() {} }
        const { GoGate } = await import(process.argv[1]);
        const gate = new GoGate({ url: "ws://127.0.0.1:1/ws", WebSocket, token: async () => "" });
        const counts = [count()];
        for (const step of ["connect", "connect", "close"]) counts.push((gate[step](), count()));
        console.log(JSON.stringify(counts));
    """
    node = [shutil.which("node"), "--input-type=module", "-e", program]
    with trio.fail_after(PATIENCE):
        ran = await trio.run_process([*node, str(CLIENT / "gogate.js")], capture_stdout=True)

    assert json.loads(ran.stdout) == [0, 2, 2, 0]


async def test_a_refused_command_is_rejected_with_its_code(request, fake, tmp_path):
    """And one in front of it that succeeds is resolved."""
    cache = request.config.cache
    async with (
        open_gateway(fake, tmp_path) as gateway,
        open_client(cache, gateway.port, fake.token(1)) as one,
    ):
        await one.command("good", chat_id=1, text="good")
        await one.command("bad", chat_id=-1, text="bad")
        good, bad = await one.wait(tag="good"), await one.wait(tag="bad")

    assert "ack" in good
    assert bad["code"] == "INVALID_CHAT_ID"

"""Laws of the proxy examples: the real nginx and HAProxy, TLS in front, two gateways behind."""

from __future__ import annotations

import re
import signal
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from fakes.backend import open_fake_backend
from fakes.certificates import Authority, Files, open_secure
from fakes.node import CONTROL_RATE, open_node
from fakes.ports import free_port
from fakes.process import open_gateway
from fakes.systemd import PATIENCE, environment
from fixtures.proxies import haproxy_command, nginx_command, wait_for_port
from fixtures.systemd import run_command
from gogate_trio.config import WebSocketSettings
from gogate_trio.limits import HANDSHAKE_SECONDS

DEPLOY = Path(__file__).parents[2] / "deploy"
EXAMPLES = {
    "nginx": DEPLOY / "nginx" / "gogate.conf",
    "haproxy": DEPLOY / "haproxy" / "haproxy.cfg",
}
COMMANDS = {"nginx": nginx_command, "haproxy": haproxy_command}


@asynccontextmanager
async def open_proxy(kind, folder, *, first, second):
    """Run a proxy by its example, ports and certificate apart; the value is its port and trust."""
    authority = Authority()
    pair = authority.issue()
    Files(folder).write(pair)
    (folder / "haproxy.pem").write_bytes(pair.chain + pair.key)
    port = free_port()
    example = EXAMPLES[kind].read_text()
    for old, new in (
        ("listen 443 ", f"listen 127.0.0.1:{port} "),
        ("bind :443 ", f"bind 127.0.0.1:{port} "),
        ("/etc/gogate/", f"{folder}/"),
        ("127.0.0.1:8081", f"127.0.0.1:{first}"),
        ("127.0.0.1:8082", f"127.0.0.1:{second}"),
    ):
        example = example.replace(old, new)
    assert f"127.0.0.1:{port} ssl" in example
    command = COMMANDS[kind](folder, example)
    async with run_command(command, environment(), cwd=folder) as running:
        try:
            await wait_for_port(port, running)
            yield port, authority.trust()
        finally:
            # Not killed: nginx ends its workers itself.
            running.process.send_signal(signal.SIGTERM)
            with trio.move_on_after(PATIENCE, shield=True):
                await running.process.wait()


@pytest.fixture
async def fake():
    """The backend behind the gateways."""
    async with open_fake_backend() as backend:
        yield backend


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_a_chat_passes(kind, fake, tmp_path):
    """wss:// to the proxy, ws:// behind it: people log in and talk."""
    async with (
        open_node(fake, rates=CONTROL_RATE) as node,
        open_proxy(kind, tmp_path, first=node.port, second=node.port) as (port, trust),
        open_secure(port, trust, fake.token(1)) as john,
        open_secure(port, trust, fake.token(2)) as jane,
    ):
        with trio.fail_after(PATIENCE):
            await john.say("send_message", chat_id=2, text="through the wall")
            assert (await jane.event("new_message"))["text"] == "through the wall"


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_a_dead_gateway_costs_nobody_a_handshake(kind, fake, tmp_path):
    """While one of two is away, every client is let in by the other."""
    async with (
        open_node(fake) as node,
        open_proxy(kind, tmp_path, first=free_port(), second=node.port) as (port, trust),
    ):
        for _ in range(4):
            with trio.fail_after(PATIENCE):
                async with open_secure(port, trust, fake.token(1)):
                    pass


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_a_full_gateway_sends_them_to_the_other(kind, fake, tmp_path):
    """A 503 of one is tried again at the other, which has room."""
    async with (
        open_gateway(fake, tmp_path, MAX_CONNECTIONS="1") as full,
        open_node(fake) as node,
        open_proxy(kind, tmp_path, first=full.port, second=node.port) as (port, trust),
        trio.open_nursery() as staying,
    ):

        async def stay(*, task_status):
            async with open_secure(port, trust, fake.token(1)):
                task_status.started()
                await trio.sleep_forever()

        for _ in range(5):
            with trio.fail_after(PATIENCE):
                await staying.start(stay)
        staying.cancel_scope.cancel()


@pytest.mark.parametrize("kind", EXAMPLES)
async def test_clients_keep_their_address(kind, fake, tmp_path):
    """The gateway counts whom the proxy names: the second one of an address is one too many."""
    variables = {"TRUSTED_PROXIES": "127.0.0.1", "MAX_CONNECTIONS_PER_IP": "1"}
    async with (
        open_gateway(fake, tmp_path, **variables) as gateway,
        open_proxy(kind, tmp_path, first=gateway.port, second=gateway.port) as (port, trust),
        open_secure(port, trust, fake.token(1)),
    ):
        with trio.fail_after(PATIENCE), pytest.raises(AssertionError, match=r"HTTP/1\.1 503 "):
            async with open_secure(port, trust, fake.token(2)):
                pass


def seconds(kind, name):
    """The times an example gives under a name."""
    found = re.findall(rf"^\s*{name} ([0-9]+)s;?$", EXAMPLES[kind].read_text(), re.MULTILINE)
    assert found
    return [float(each) for each in found]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("nginx", "proxy_read_timeout"),
        ("nginx", "proxy_send_timeout"),
        ("haproxy", "timeout tunnel"),
    ],
)
def test_silence_is_judged_by_the_gateway_first(kind, name):
    """A proxy waits longer than the gateway between two pings, and for a pong."""
    defaults = WebSocketSettings()

    assert min(seconds(kind, name)) > max(defaults.ping_period, defaults.pong_wait)


def test_a_handshake_has_the_same_time_everywhere():
    """HAProxy allows a client as long as the gateway would."""
    assert seconds("haproxy", "timeout http-request") == [HANDSHAKE_SECONDS]

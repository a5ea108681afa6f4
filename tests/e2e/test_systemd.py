"""The gateway as a systemd service: real processes, and a fake of systemd's two sockets."""

from __future__ import annotations

import signal
import socket
import time

import pytest
import trio

from fakes.api import call
from fakes.clients import open_client
from fakes.ports import free_port
from fakes.process import open_gateway
from fakes.systemd import PATIENCE, environment, launch, open_notify_socket
from fixtures.systemd import PYTHON, get_health, run_command, settings

PULSE = 0.3
"""seconds between two signs of life in these tests"""

RESTARTS = 3

WATCHED = {"WATCHDOG_USEC": str(int(PULSE * 2 * 1_000_000))}


@pytest.fixture
async def systemd(tmp_path):
    """Whom the gateway tells."""
    async with open_notify_socket(tmp_path) as fake_systemd:
        yield fake_systemd


# ── what it says ─────────────────────────────────────────────────────────────


async def test_the_whole_life_is_told_in_order(fake, systemd, tmp_path):
    """READY, RELOADING and READY, STOPPING: each when it is so, and nothing else."""
    async with open_gateway(fake, tmp_path, NOTIFY_SOCKET=systemd.address) as gateway:
        await systemd.told("READY")
        assert await get_health(gateway.port) == 200
        before = time.monotonic_ns() // 1000
        gateway.signal(signal.SIGHUP)
        reloading = await systemd.told("RELOADING")
        await systemd.told("READY")
        assert before <= int(reloading["MONOTONIC_USEC"]) <= time.monotonic_ns() // 1000
        gateway.signal(signal.SIGTERM)
        await systemd.told("STOPPING")
        assert await gateway.ended() == 0
        assert await systemd.is_silent(0)

    assert systemd.words == ["READY", "RELOADING", "READY", "STOPPING"]


async def test_ready_waits_for_every_import(fake, systemd, tmp_path):
    """After READY no client waits for a module to be found on a disk."""
    variables = {"NOTIFY_SOCKET": systemd.address, "PYTHONPROFILEIMPORTTIME": "1"}
    command = [*PYTHON, "-m", "gogate_trio", "serve"]
    async with run_command(command, settings(fake, **variables), cwd=tmp_path) as gateway:
        await systemd.told("READY")
        ready = len(await gateway.lines_up_to(b'"serving"'))
        async with (
            open_client(gateway.port, fake.token(1)) as john,
            open_client(gateway.port, fake.token(2)) as jane,
        ):
            with trio.fail_after(PATIENCE):
                for event, data in (
                    ("typing", {"chat_id": 2, "is_typing": True}),
                    ("send_message", {"chat_id": 2, "text": "hello"}),
                    ("add_reaction", {"message_id": 1, "emoji": "👍"}),
                    ("mark_read", {"message_ids": [1]}),
                ):
                    await john.say(event, **data)
                await jane.event("message_read")
                fake.fail("send_message")
                await john.say("send_message", chat_id=2, text="refused")
                await john.event("error")
        gateway.process.send_signal(signal.SIGTERM)
        assert await gateway.ended() == 0

    assert any(b"import time" in line for line in gateway.lines[:ready])
    assert [line for line in gateway.lines[ready:] if b"import time" in line] == []


async def test_the_status_line_has_live_numbers(fake, systemd, tmp_path):
    """``systemctl status`` shows who is here."""
    async with open_gateway(fake, tmp_path, NOTIFY_SOCKET=systemd.address) as gateway:
        await systemd.told("STATUS", "connections: 0, users: 0")
        async with open_client(gateway.port, fake.token(1)), open_client(gateway.port):
            await systemd.told("STATUS", "connections: 2, users: 1")


async def test_the_drain_asks_for_the_time_it_may_take(fake, systemd, tmp_path):
    """While a call is in flight systemd knows how long to wait, and waits for the last answer."""
    gate = fake.hold("send_message")
    variables = {"NOTIFY_SOCKET": systemd.address, "DRAIN_TIMEOUT": "90s"}
    async with (
        open_gateway(fake, tmp_path, **variables) as gateway,
        open_client(gateway.port, fake.token(1)) as client,
    ):
        await client.say("send_message", chat_id=1, text="the last word")
        with trio.fail_after(PATIENCE):
            await fake.wait_for_calls("send_message", 1)
        gateway.signal(signal.SIGTERM)
        stopping = await systemd.told("STOPPING")
        assert gateway.process.returncode is None
        gate.set()
        with trio.fail_after(PATIENCE):
            assert (await client.event("new_message"))["text"] == "the last word"
        assert await gateway.ended() == 0

    assert int(stopping["EXTEND_TIMEOUT_USEC"]) == 95_000_000


async def test_a_stalled_process_stops_feeding_the_watchdog(fake, systemd, tmp_path):
    """The pulse comes from the event loop: when that stands still, so does the pulse."""
    variables = {"NOTIFY_SOCKET": systemd.address, **WATCHED}
    async with open_gateway(fake, tmp_path, **variables) as gateway:
        for _ in range(3):
            await systemd.told("WATCHDOG")
        gateway.signal(signal.SIGSTOP)
        await _stopped(gateway.pid)

        assert await systemd.is_silent(PULSE * 5)
        gateway.signal(signal.SIGCONT)
        await systemd.told("WATCHDOG")


async def test_a_drain_feeds_the_watchdog(fake, systemd, tmp_path):
    """Waiting for the backend's last answer is no stall."""
    fake.hold("send_message")
    variables = {"NOTIFY_SOCKET": systemd.address, **WATCHED}
    async with (
        open_gateway(fake, tmp_path, **variables) as gateway,
        open_client(gateway.port, fake.token(1)) as client,
    ):
        await client.say("send_message", chat_id=1, text="never answered")
        with trio.fail_after(PATIENCE):
            await fake.wait_for_calls("send_message", 1)
        gateway.signal(signal.SIGTERM)
        await systemd.told("STOPPING")

        for _ in range(3):
            await systemd.told("WATCHDOG")


async def _stopped(pid):
    """Return when the kernel says that a process stands still."""
    with trio.fail_after(PATIENCE):
        while True:
            stat = await trio.Path(f"/proc/{pid}/stat").read_text()
            if stat.rpartition(")")[2].split()[0] == "T":
                return
            await trio.sleep(0.01)


# ── sockets that are handed over ─────────────────────────────────────────────


async def test_a_client_that_came_before_the_gateway_is_served(fake, systemd, tmp_path):
    """With systemd's own tool: the first connect starts the gateway, on sockets with names."""
    ports = [free_port(), free_port()]
    given = settings(fake, NOTIFY_SOCKET=systemd.address, PORT="1")
    command = [
        "systemd-socket-activate",
        *(f"--listen=127.0.0.1:{port}" for port in ports),
        "--fdname=gogate.socket:other",
        *(f"--setenv={name}={value}" for name, value in given.items()),
        *PYTHON,
        *("-m", "gogate_trio", "serve"),
    ]
    async with run_command(command, environment(), cwd=tmp_path) as gateway:
        await gateway.lines_up_to(b"Listening on 127.0.0.1:%d" % ports[1])
        async with open_client(ports[0], fake.token(1)), open_client(ports[1], fake.token(2)):
            await systemd.told("READY")
            serving = gateway.event("serving")
            gateway.process.send_signal(signal.SIGTERM)
            assert await gateway.ended() == 0

    assert serving["port"] == ports[0]
    assert serving["sockets"] == ["gogate.socket", "other"]


async def test_a_socket_called_internal_is_the_internal_port(fake, tmp_path):
    """Wherever it stands among the others: clients do not come in there, and probes do."""
    ports = [free_port(), free_port()]
    command = [
        "systemd-socket-activate",
        *(f"--listen=127.0.0.1:{port}" for port in ports),
        "--fdname=internal:gogate.socket",
        *(f"--setenv={name}={value}" for name, value in settings(fake).items()),
        *PYTHON,
        *("-m", "gogate_trio", "serve"),
    ]
    async with run_command(command, environment(), cwd=tmp_path) as gateway:
        await gateway.lines_up_to(b"Listening on 127.0.0.1:%d" % ports[1])
        async with open_client(ports[1], fake.token(1)):
            answer = await call(ports[0], "GET", "overview", key=fake.key)
            gateway.process.send_signal(signal.SIGTERM)
            assert await gateway.ended() == 0

    assert answer.json["node"]["connections"] == 1
    assert gateway.event("serving")["port"] == ports[1]
    assert gateway.event("serving")["sockets"] == ["gogate.socket"]
    assert gateway.event("serving_internal")["port"] == ports[0]


async def test_a_restart_refuses_no_connect(fake, tmp_path):
    """Who connects while there is no gateway waits for the next one; nobody is refused or cut."""
    answers = []
    visits, visited = trio.open_memory_channel(10_000)

    async def visit():
        while True:
            await visits.send(await get_health(port))

    with socket.create_server(("127.0.0.1", 0)) as held, visits, visited:
        port = held.getsockname()[1]
        command = [*launch(held), "-m", "gogate_trio", "serve"]
        async with trio.open_nursery() as visiting:
            visiting.start_soon(visit)
            for _ in range(RESTARTS):
                given = settings(fake)
                async with run_command(command, given, cwd=tmp_path, keep=[held]) as gateway:
                    await gateway.lines_up_to(b'"serving"')
                    with trio.fail_after(PATIENCE):
                        answers += [await visited.receive() for _ in range(20)]
                    gateway.process.send_signal(signal.SIGTERM)
                    assert await gateway.ended() == 0
                assert gateway.event("serving")["sockets"] == ["unknown"]
            visiting.cancel_scope.cancel()

    assert set(answers) <= {200, 503}
    assert answers.count(503) <= RESTARTS


async def test_sockets_that_are_none_are_one_line_and_status_1(fake, tmp_path):
    """The daemon does not start on a port nobody asked for."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wrong:
        command = [*launch(wrong), "-m", "gogate_trio", "serve"]
        async with run_command(command, settings(fake), cwd=tmp_path, keep=[wrong]) as gateway:
            assert await gateway.ended() == 1

    (line,) = gateway.lines
    assert line.startswith(b"gogate: LISTEN_FDS: file descriptor 3 is no listening TCP socket")


# ── one port for several gateways ────────────────────────────────────────────


async def test_two_gateways_share_a_port(fake, tmp_path):
    """With REUSE_PORT on both, the kernel gives each some of the clients."""
    async with open_gateway(fake, tmp_path, REUSE_PORT="true") as first:
        shared = {"REUSE_PORT": "true", "PORT": str(first.port)}
        async with open_gateway(fake, tmp_path, **shared) as second:
            for _ in range(60):
                assert await get_health(first.port) == 200
            assert second.port == first.port
            second.signal(signal.SIGTERM)
            assert await second.ended() == 0

        assert await get_health(first.port) == 200


async def test_a_port_is_not_shared_unasked(fake, tmp_path):
    """Two gateways on one port are a mistake unless both say otherwise."""
    async with open_gateway(fake, tmp_path) as first:
        given = settings(fake, REUSE_PORT="true", PORT=str(first.port))
        command = [*PYTHON, "-m", "gogate_trio", "serve"]
        async with run_command(command, given, cwd=tmp_path) as second:
            assert await second.ended() == 1

    (line,) = second.lines
    assert line.startswith(b"gogate: cannot listen on port %d: Address already in use" % first.port)

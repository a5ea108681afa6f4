"""Laws of the container files: what they run, run here without containers."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from functools import partial
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest
import trio
import yaml

from fakes.backend import open_fake_backend
from fakes.certificates import Authority, Files
from fakes.clients import open_client
from fakes.node import open_node
from fakes.ports import free_port
from fakes.process import open_gateway
from fakes.secrets import KEY
from fakes.systemd import PATIENCE, environment
from fakes.watched import numbers_at
from fixtures.proxies import nginx_command, wait_for_port
from fixtures.systemd import run_command
from fixtures.valkey import open_valkey
from gogate_trio.config import Settings
from gogate_trio.config.declare import entries

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
COMPOSE = yaml.safe_load((ROOT / "deploy" / "docker" / "docker-compose.yml").read_text())
GATEWAYS = ("gogate-1", "gogate-2")
NGINX = (ROOT / "deploy" / "nginx" / "compose.conf").read_text()
HEALTHCHECK = json.loads(
    DOCKERFILE.partition("HEALTHCHECK")[2]
    .partition("CMD ")[2]
    .partition("\nENTRY")[0]
    .replace("\\\n", "")
)


def health(port, **variables):
    """Run the image's health check; the status it ends with."""
    done = subprocess.run(
        [sys.executable, *HEALTHCHECK[1:]],
        env=environment(PORT=str(port), **variables),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode


async def test_the_health_check_tells_a_living_gateway_from_none(tmp_path):
    """0 where one serves, in TLS too; something else where nobody does."""
    files = Files(tmp_path)
    files.write(Authority().issue())
    async with open_fake_backend() as fake:
        async with open_node(fake) as node:
            assert await trio.to_thread.run_sync(health, node.port) == 0
        assert await trio.to_thread.run_sync(health, node.port) != 0
        async with open_node(fake, tls=files.settings) as node:
            secure = partial(health, node.port, TLS_CERT="cert.pem")
            assert await trio.to_thread.run_sync(secure) == 0
            assert await trio.to_thread.run_sync(health, node.port) != 0


def test_the_image_runs_as_nobody_and_holds_no_secret():
    """A user by number, after everything was installed; the key comes at the start."""
    instructions = re.findall(r"^[A-Z]+ .*$", DOCKERFILE, re.MULTILINE)

    assert "USER 65532:65532" in instructions[instructions.index("FROM python:3.11-slim") :]
    assert "KEY" not in DOCKERFILE
    assert {line for line in instructions if line.startswith(("ENTRYPOINT", "CMD"))} == {
        'ENTRYPOINT ["gogate"]',
        'CMD ["serve"]',
    }


def test_what_the_image_copies_is_there():
    """Every file of the project that a COPY names."""
    names = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)

    assert names
    assert all((ROOT / name).exists() for line in names for name in line.split())


def test_only_settings_are_set():
    """What the compose file puts into an environment, the gateway knows; the key is asked for."""
    known = {entry.setting.name for entry in entries(Settings)}
    for name in ("backend", *GATEWAYS):
        given = COMPOSE["services"][name]["environment"]
        assert given.keys() <= known
        assert given["INTERNAL_API_KEY"].startswith("${INTERNAL_API_KEY:?")


@pytest.mark.parametrize("name", GATEWAYS)
def test_the_gateways_settings_are_good_ones(name):
    """They are accepted as they stand, agree with the other services, and leave time to drain."""
    service = COMPOSE["services"][name]
    settings = Settings.load(service["environment"] | {"INTERNAL_API_KEY": KEY}, None)

    assert settings.cluster.name == name
    assert settings.cluster.redis is not None
    assert "redis://valkey:" in service["environment"]["REDIS_URL"]
    assert f"server {name}:{settings.listen.port} " in NGINX
    assert int(service["stop_grace_period"].removesuffix("s")) > settings.drain.timeout
    address = service["networks"]["chat"]["ipv4_address"]
    (network,) = COMPOSE["networks"]["chat"]["ipam"]["config"]
    assert ip_address(address) in ip_network(network["subnet"])
    assert ip_address(address) not in ip_network(network["ip_range"])
    assert ip_network(network["subnet"]) in settings.admission.trusted_proxies


def test_what_runs_is_hardened_and_nobody_outside_gets_past_nginx():
    """No root, no writing, no capabilities; one port, for this machine alone."""
    services = COMPOSE["services"]
    for name in services.keys() - {"nginx"}:
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]
        assert "ports" not in services[name]
    (port,) = services["nginx"]["ports"]
    assert port.startswith("127.0.0.1:")


async def test_the_whole_of_it_chats(tmp_path):
    """Backend, Valkey, two gateways and nginx, as the compose file has them: people talk."""
    ports = {"backend": free_port(), "nginx": free_port()}
    command = [sys.executable, "-m", "gogate_trio.demo"]
    given = {"HOST": "localhost", "PORT": str(ports["backend"]), "INTERNAL_API_KEY": KEY}
    async with (
        open_fake_backend() as unused,
        open_valkey(tmp_path) as valkey,
        run_command(command, environment(LOG_FORMAT="json", **given), cwd=tmp_path) as backend,
    ):
        await backend.lines_up_to(b'"backend_serving"')
        variables = {
            "BACKEND_API_URL": f"http://localhost:{ports['backend']}",
            "REDIS_URL": valkey.url,
            "INTERNAL_PORT": "0",
        }
        async with (
            open_gateway(unused, tmp_path, NODE_NAME="gogate-1", **variables) as one,
            open_gateway(unused, tmp_path, NODE_NAME="gogate-2", **variables) as two,
        ):
            example = (
                NGINX.replace("gogate-1:8080", f"127.0.0.1:{one.port}")
                .replace("gogate-2:8080", f"127.0.0.1:{two.port}")
                .replace("backend:8000", f"localhost:{ports['backend']}")
                .replace("listen 80;", f"listen 127.0.0.1:{ports['nginx']};")
            )
            nginx = nginx_command(tmp_path, example)
            async with run_command(nginx, environment(), cwd=tmp_path) as proxy:
                try:
                    await wait_for_port(ports["nginx"], proxy)
                    await _chat(ports["nginx"], one, two)
                finally:
                    proxy.process.send_signal(signal.SIGTERM)
                    with trio.move_on_after(PATIENCE, shield=True):
                        await proxy.process.wait()
        backend.process.send_signal(signal.SIGTERM)
        assert await backend.ended() == 0


async def _chat(port, *gateways):
    """Two people talk; nginx has led the second one to the gateway that had nobody yet."""
    tokens = []
    for user_id in (1, 2):
        status, answer = await _post(port, "/api/v1/demo/tokens", {"user_id": user_id})
        assert status == 200
        tokens.append(answer["token"])
    async with open_client(port, tokens[0]) as john, open_client(port, tokens[1]) as jane:
        with trio.fail_after(PATIENCE):
            await john.say("send_message", chat_id=1, text="in the box")
            for person in (john, jane):
                assert (await person.event("new_message"))["text"] == "in the box"
            for gateway in gateways:
                numbers = await numbers_at((await gateway.logged("serving_internal"))["port"])
                assert numbers["gogate_connections", "authenticated"] == 1
    # The internal endpoints take the key alone; nobody outside gets to try.
    status, _ = await _post(port, "/api/internal/v1/auth/validate", {"token": answer["token"]})
    assert status == 404


async def _post(port, path, body):
    """Post JSON; the status and the answer, if that is JSON too."""
    content = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.0\r\nHost: gateway.example\r\nContent-Type: application/json\r\n"
    with trio.fail_after(PATIENCE):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            await stream.send_all(
                f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content
            )
            answer = b"".join([chunk async for chunk in stream])
    got, _, text = answer.partition(b"\r\n\r\n")
    return int(got.split(b" ")[1]), json.loads(text) if text.startswith(b"{") else None


@pytest.mark.parametrize(
    ("variables", "text"),
    [
        ({"INTERNAL_API_KEY": KEY, "PORT": "none"}, "PORT"),
        ({"INTERNAL_API_KEY": KEY, "HOST": "192.0.2.1"}, "the backend cannot listen on 192.0.2.1"),
    ],
)
def test_a_backend_that_cannot_start_says_why(tmp_path, variables, text):
    """One message, status 1, no traceback, and no word of the key."""
    done = subprocess.run(
        [sys.executable, "-m", "gogate_trio.demo"],
        cwd=tmp_path,
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    assert done.returncode == 1
    assert done.stderr.startswith("gogate: ")
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr

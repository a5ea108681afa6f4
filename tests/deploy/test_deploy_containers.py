"""Laws of the container files: what they run, run here without containers."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from fakes.backend import open_fake_backend
from fakes.clients import open_client
from fakes.node import open_node
from fakes.process import open_gateway
from fakes.secrets import KEY
from fakes.systemd import PATIENCE, environment
from fixtures.proxies import free_port, nginx_command, wait_for_port
from fixtures.systemd import run_command
from gogate_trio.config import Settings
from gogate_trio.config.declare import entries

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "docker" / "Dockerfile").read_text()
COMPOSE = (ROOT / "deploy" / "docker" / "docker-compose.yml").read_text()
NGINX = (ROOT / "deploy" / "nginx" / "compose.conf").read_text()
HEALTHCHECK = json.loads(
    DOCKERFILE.partition("HEALTHCHECK")[2]
    .partition("CMD ")[2]
    .partition("\nENTRY")[0]
    .replace("\\\n", "")
)


def health(port):
    """Run the image's health check; the status it ends with."""
    done = subprocess.run(
        [sys.executable, *HEALTHCHECK[1:]],
        env=environment(PORT=str(port)),
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode


async def test_the_health_check_tells_a_living_gateway_from_none():
    """0 where one serves, something else where nobody does."""
    async with open_fake_backend() as fake, open_node(fake) as node:
        assert await trio.to_thread.run_sync(health, node.port) == 0
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
    given = re.findall(r"^      ([A-Z_]+): (.+)$", COMPOSE, re.MULTILINE)

    assert {name for name, _ in given} - {"EXTRAS"} <= {
        entry.setting.name for entry in entries(Settings)
    }
    keys = [value for name, value in given if name == "INTERNAL_API_KEY"]
    assert len(keys) == 2
    assert all(value.startswith("${INTERNAL_API_KEY:?") for value in keys)


async def test_the_whole_of_it_chats(tmp_path):
    """The backend alone, the gateway and nginx, as the compose file has them: a message arrives."""
    ports = {"backend": free_port(), "nginx": free_port()}
    command = [sys.executable, "-m", "gogate_trio.demo"]
    given = {"HOST": "localhost", "PORT": str(ports["backend"]), "INTERNAL_API_KEY": KEY}
    async with (
        open_fake_backend() as unused,
        run_command(command, environment(LOG_FORMAT="json", **given), cwd=tmp_path) as backend,
    ):
        await backend.lines_up_to(b'"backend_serving"')
        url = f"http://localhost:{ports['backend']}"
        async with open_gateway(unused, tmp_path, BACKEND_API_URL=url) as gateway:
            example = (
                NGINX.replace("gogate:8080", f"127.0.0.1:{gateway.port}")
                .replace("backend:8000", f"localhost:{ports['backend']}")
                .replace("listen 80;", f"listen 127.0.0.1:{ports['nginx']};")
            )
            nginx = nginx_command(tmp_path, example)
            async with run_command(nginx, environment(), cwd=tmp_path) as proxy:
                try:
                    await wait_for_port(ports["nginx"], proxy)
                    await _chat(ports["nginx"])
                finally:
                    proxy.process.send_signal(signal.SIGTERM)
                    with trio.move_on_after(PATIENCE, shield=True):
                        await proxy.process.wait()
        backend.process.send_signal(signal.SIGTERM)
        assert await backend.ended() == 0


async def _chat(port):
    status, answer = await _post(port, "/api/v1/demo/tokens", {"user_id": 1})
    assert status == 200
    async with open_client(port, answer["token"]) as client:
        with trio.fail_after(PATIENCE):
            await client.say("send_message", chat_id=1, text="in the box")
            assert (await client.event("new_message"))["text"] == "in the box"
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

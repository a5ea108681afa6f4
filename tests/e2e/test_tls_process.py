"""TLS and key files on a real process: its start, SIGHUP, its refusal to start, its check."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import attrs
import pytest
import trio

from fakes.backend import open_fake_backend
from fakes.certificates import Authority, Files, fingerprint, open_secure

PATIENCE = 30.0
GATEWAY = [sys.executable, "-m", "gogate_trio"]
KEPT = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}


@attrs.define(eq=False)
class Daemon:
    """A running ``gogate serve`` and its log."""

    process: trio.Process
    events: list[dict] = attrs.field(factory=list)
    _rest: bytes = b""

    async def wait_for(self, name):
        """Read the log up to the next event of this name and return it."""
        with trio.fail_after(PATIENCE):
            while True:
                while b"\n" not in self._rest:
                    chunk = await self.process.stderr.receive_some()
                    assert chunk, f"ended before {name}: {self.events}"
                    self._rest += chunk
                line, _, self._rest = self._rest.partition(b"\n")
                self.events.append(json.loads(line))
                if self.events[-1]["event"] == name:
                    return self.events[-1]


@asynccontextmanager
async def open_daemon(folder, **variables):
    """Run ``gogate serve`` in a folder until the block ends."""
    process = await trio.lowlevel.open_process(
        [*GATEWAY, "serve"],
        cwd=folder,
        env={**KEPT, "HOST": "127.0.0.1", "PORT": "0", **variables},
        stderr=subprocess.PIPE,
    )
    try:
        yield Daemon(process)
    finally:
        process.kill()
        with trio.move_on_after(PATIENCE, shield=True):
            await process.wait()
            await process.stderr.aclose()


@pytest.fixture
def files(tmp_path):
    """Where the certificate and the key are looked for."""
    return Files(tmp_path)


def run(folder, *arguments, **variables):
    """Run a command to its end."""
    return subprocess.run(
        [*GATEWAY, *arguments],
        cwd=folder,
        env={**KEPT, "INTERNAL_API_KEY": "k" * 32, **variables},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def rows(done):
    """The rows of ``gogate check`` as what → (state, detail)."""
    cells = [[c for c in line.split("  ") if c] for line in done.stdout.splitlines()]
    return {row[0].strip(): (row[1].strip(), row[2].strip()) for row in cells}


async def test_hangup_reloads_the_certificate_and_drops_nobody(files, tmp_path):
    """SIGHUP: the next client is shown the new certificate, the one that is there chats on."""
    authority = Authority()
    files.write(authority.issue())
    async with open_fake_backend() as fake:
        key = tmp_path / "key"
        key.write_text(f"{fake.key}\n")
        variables = {"BACKEND_API_URL": fake.url, "INTERNAL_API_KEY_FILE": str(key)}
        async with open_daemon(tmp_path, **files.environ, **variables) as daemon:
            port = (await daemon.wait_for("serving"))["port"]
            async with open_secure(port, authority.trust(), fake.token(1)) as old:
                files.write(authority.issue(begin=2020, end=2077))
                daemon.process.send_signal(signal.SIGHUP)
                loaded = await daemon.wait_for("tls_certificate_loaded")
                async with open_secure(port, authority.trust(), fake.token(2)) as new:
                    assert fingerprint(new) != fingerprint(old)
                    with trio.fail_after(PATIENCE):
                        await new.say("send_message", chat_id=2, text="still here?")
                        assert (await old.event("new_message"))["text"] == "still here?"

                files.write_key(authority.issue().key)
                daemon.process.send_signal(signal.SIGHUP)
                kept = await daemon.wait_for("tls_certificate_kept")
                daemon.process.send_signal(signal.SIGTERM)
                with trio.fail_after(PATIENCE):
                    assert await old.close_code() == 1012
                    assert await daemon.process.wait() == 0

    assert (loaded["cause"], loaded["expires"]) == ("request", "2077-01-01")
    assert kept["reason"] == "TLS_KEY is not the key of TLS_CERT"


async def test_hangup_without_tls_ends_nothing(tmp_path):
    """Without a certificate SIGHUP reads the settings again, and no more."""
    async with open_daemon(tmp_path, INTERNAL_API_KEY="k" * 32) as daemon:
        await daemon.wait_for("serving")
        daemon.process.send_signal(signal.SIGHUP)
        reloading = await daemon.wait_for("reloading")
        daemon.process.send_signal(signal.SIGTERM)

        with trio.fail_after(PATIENCE):
            assert await daemon.process.wait() == 0
    assert reloading["parts"] == 1


def test_a_certificate_that_is_no_good_is_one_line_and_status_1(files, tmp_path):
    """The daemon does not start, and says which file is why."""
    files.write_chain(Authority().issue().chain)

    done = run(tmp_path, "serve", **files.environ, PORT="0")

    assert done.returncode == 1
    assert done.stderr == "gogate: TLS_KEY: cannot be read: No such file or directory\n"


def test_check_finds_what_serve_would(files, tmp_path):
    """``gogate check`` reads the certificate as the daemon does."""
    authority = Authority()
    files.write(authority.issue(begin=2020, end=2077))
    good = run(tmp_path, "check", "--offline", **files.environ)
    files.write(authority.issue(begin=2019, end=2020))
    doubtful = run(tmp_path, "check", "--offline", **files.environ)
    files.write_key(authority.issue().key)
    bad = run(tmp_path, "check", "--offline", **files.environ)

    assert (good.returncode, rows(good)["TLS_CERT"]) == (0, ("ok", "good until 2077-01-01"))
    assert (doubtful.returncode, rows(doubtful)["TLS_CERT"][0]) == (0, "warning")
    assert (bad.returncode, rows(bad)["TLS_CERT"][0]) == (1, "failed")


@pytest.mark.parametrize(("mode", "warned"), [(0o644, True), (0o640, False)])
def test_check_warns_of_keys_that_everybody_may_read(files, tmp_path, mode, warned):
    """A key file is for its owner and, at most, a group."""
    files.write(Authority().issue())
    key = tmp_path / "internal"
    key.write_text("k" * 32)
    for path in (key, tmp_path / "key.pem"):
        path.chmod(mode)
    environ = {**KEPT, "INTERNAL_API_KEY_FILE": str(key), **files.environ}

    done = subprocess.run(
        [*GATEWAY, "check", "--offline"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )

    found = {name for name, (state, _) in rows(done).items() if state == "warning"}
    assert found == ({"INTERNAL_API_KEY_FILE", "TLS_KEY"} if warned else set())
    assert done.returncode == 0


def test_config_tells_where_the_key_came_from(tmp_path):
    """``gogate config`` names the source, and nothing of the key."""
    (tmp_path / "internal_api_key").write_text("a-secret-of-systemds\n")
    done = subprocess.run(
        [*GATEWAY, "config"],
        cwd=tmp_path,
        env={**KEPT, "CREDENTIALS_DIRECTORY": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=True,
    )

    shown = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert shown["INTERNAL_API_KEY"] == ["***", "systemd", "credential"]
    assert "a-secret-of-systemds" not in done.stdout

"""Laws of the command line, on real processes: what is said, where, and with which status."""

from __future__ import annotations

import json
import os
import pty
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import trio

from fakes.backend import open_fake_backend
from gogate_trio import __version__
from gogate_trio.cli import DEMO_PACKAGES, run
from gogate_trio.config import ConfigError, Problem, env_example, settings_table
from gogate_trio.errors import OperatorError
from gogate_trio.failure import INTERRUPTED

KEY = "correct-horse-battery-staple"
PATIENCE = 30.0


@pytest.fixture
def gogate(tmp_path):
    """Run ``gogate`` in an empty directory with nothing but these variables set."""

    def call(*arguments, code=("-m", "gogate_trio"), **variables):
        return subprocess.run(
            [sys.executable, *code, *arguments],
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    return call


def test_version_prints_the_version_and_loads_little(gogate):
    """``gogate version`` is quick: it starts no event loop library and no HTTP client."""
    probe = "import sys; sys.stderr.write(str({'trio', 'httpx', 'structlog'} & set(sys.modules)))"
    code = f"from gogate_trio.cli import run; run(['version']); {probe}"

    done = gogate(code=("-c", code))

    assert (done.stdout, done.stderr) == (f"gogate {__version__}\n", "set()")


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("check", "extra"), ("serve", "--port", "1"), ("demo", "--port", "70000")],
)
def test_bad_usage_is_one_line_and_status_2(gogate, arguments):
    """A wrong argument is named on one line of standard error."""
    done = gogate(*arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("gogate: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["serve", "config"])
def test_bad_settings_are_all_told_and_status_2(gogate, command):
    """No command starts with a mistake in the settings, and each mistake is on its line."""
    done = gogate(command, PORT="x", LOG_LEVEL="loud")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.splitlines()[0] == "gogate: 3 problems with the settings:"
    assert [line.split(":")[0].strip() for line in done.stderr.splitlines()[1:]] == [
        "PORT",
        "INTERNAL_API_KEY",
        "LOG_LEVEL",
    ]


def test_config_shows_each_value_and_its_source(gogate, tmp_path):
    """Every setting is one plain line: name, value, source; the key is ``***``."""
    (tmp_path / ".env").write_text(f"INTERNAL_API_KEY={KEY}\nWRITE_WAIT=3\n")

    done = gogate("config", PORT="9999")

    rows = {line.split()[0]: line.split()[1:] for line in done.stdout.splitlines()}
    assert (done.returncode, done.stderr) == (0, "")
    assert rows["PORT"] == ["9999", "environment"]
    assert rows["WRITE_WAIT"] == ["3s", ".env"]
    assert rows["PONG_WAIT"] == ["60s", "default"]
    assert rows["INTERNAL_API_KEY"] == ["***", ".env"]
    assert KEY not in done.stdout


def test_config_prints_what_documents_need(gogate):
    """The example file and the table come out without any settings being there."""
    assert gogate("config", "--as", "env").stdout == env_example()
    assert gogate("config", "--as", "markdown").stdout == f"{settings_table()}\n"


def test_config_prints_what_programs_need(gogate):
    """The settings in force as JSON: each with its value and where it came from, no secret."""
    done = gogate("config", "--as", "json", PORT="8123", INTERNAL_API_KEY=KEY)

    settings = {each["name"]: each for each in json.loads(done.stdout)}
    assert settings["PORT"] == {"name": "PORT", "text": "8123", "source": "environment"}
    assert settings["HOST"]["source"] == "default"
    assert settings["INTERNAL_API_KEY"]["text"] == "***"
    assert KEY not in done.stdout


@pytest.mark.parametrize("arguments", [("config",), ("check", "--offline")])
def test_tables_have_colours_on_a_terminal_only(gogate, tmp_path, arguments):
    """A terminal gets a drawn table; a file or a pipe gets plain text."""
    environ = {"PATH": os.environ["PATH"], "INTERNAL_API_KEY": KEY, "TERM": "xterm-256color"}
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "gogate_trio", *arguments]
    with subprocess.Popen(command, cwd=tmp_path, env=environ, stdout=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 65536):
                shown += chunk
        except OSError:  # how Linux says that the other end of a terminal is closed
            os.close(ours)
        assert process.wait(PATIENCE) == 0

    plain = gogate(*arguments, INTERNAL_API_KEY=KEY).stdout
    assert b"\x1b[" in shown
    assert "━".encode() in shown
    assert "\x1b" not in plain
    assert "━" not in plain


def test_a_reader_who_leaves_is_no_crash(tmp_path):
    """``gogate config | head -1`` ends without a word on standard error."""
    ours, theirs = os.pipe()
    os.close(ours)
    done = subprocess.run(
        [sys.executable, "-m", "gogate_trio", "config", "--as", "env"],
        cwd=tmp_path,
        stdout=theirs,
        stderr=subprocess.PIPE,
        timeout=PATIENCE,
        check=False,
    )
    os.close(theirs)

    assert done.stderr == b""
    assert done.returncode == 1


def test_a_port_in_use_is_one_line_and_status_1(gogate):
    """``gogate serve`` says that it cannot have the port, without a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = gogate("serve", HOST="127.0.0.1", PORT=str(port), INTERNAL_API_KEY=KEY)

    assert done.returncode == 1
    assert done.stderr.startswith("gogate: cannot listen on port")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_serve_ends_with_0_and_logs_json(tmp_path, number):
    """A signal ends ``gogate serve`` with status 0 and nothing but events on standard error."""
    environ = {"PATH": os.environ["PATH"], "INTERNAL_API_KEY": KEY, "PORT": "0"}
    with trio.fail_after(PATIENCE):
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "gogate_trio", "serve"],
            cwd=tmp_path,
            env=environ,
            stderr=subprocess.PIPE,
        )
        first = await process.stderr.receive_some()
        process.send_signal(number)
        rest = b"".join([chunk async for chunk in process.stderr])
        status = await process.wait()

    assert status == 0
    assert all(line.startswith(b'{"') for line in (first + rest).splitlines())
    assert b'"serving"' in first
    assert KEY.encode() not in first + rest


def test_demo_without_its_extra_says_how_to_get_it(gogate):
    """When the demo's packages are missing, one line says what to install."""
    missing = dict.fromkeys(DEMO_PACKAGES)
    code = f"import sys; sys.modules.update({missing}); from gogate_trio.cli import run; "

    done = gogate(code=("-c", f"{code} sys.exit(run(['demo']))"))

    assert done.returncode == 2
    assert done.stderr == "gogate: the demo needs its extra: pip install 'gogate-trio[demo]'\n"


# ── check ────────────────────────────────────────────────────────────────────


def states(done):
    """The rows of ``gogate check`` as what → state."""
    rows = [line.split("  ") for line in done.stdout.splitlines()]
    return {row[0]: next(cell for cell in row[1:] if cell).strip() for row in rows}


def test_check_lists_bad_settings_with_status_2(gogate):
    """Each mistake is a row of its own."""
    done = gogate("check", PORT="x", LOG_LEVEL="loud")

    assert done.returncode == 2
    assert states(done) == dict.fromkeys(["PORT", "INTERNAL_API_KEY", "LOG_LEVEL"], "failed")


def test_check_offline_asks_nobody(gogate):
    """With ``--offline`` good settings are enough, whether the backend is there or not."""
    done = gogate("check", "--offline", INTERNAL_API_KEY=KEY, BACKEND_API_URL="http://127.0.0.1:1")

    assert (done.returncode, states(done)) == (0, {"settings": "ok"})


def test_check_of_an_absent_backend_fails_with_status_1(gogate):
    """Nobody listens: the first question fails and the others are not asked."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    done = gogate("check", INTERNAL_API_KEY=KEY, BACKEND_API_URL=f"http://127.0.0.1:{port}")

    assert done.returncode == 1
    assert states(done) == {
        "settings": "ok",
        "backend address": "failed",
        "backend API": "skipped",
        "internal API key": "skipped",
    }
    assert done.stderr == ""


@pytest.mark.parametrize(("right", "status", "state"), [(True, 0, "ok"), (False, 1, "failed")])
async def test_check_tells_a_right_key_from_a_wrong_one(gogate, right, status, state):
    """A backend that answers and takes our key ends ``gogate check`` with 0, else 1."""
    async with open_fake_backend() as fake:
        key = fake.key if right else "another-key-altogether"
        done = await trio.to_thread.run_sync(
            lambda: gogate("check", INTERNAL_API_KEY=key, BACKEND_API_URL=fake.url)
        )

    assert done.returncode == status
    assert states(done)["backend API"] == "ok"
    assert states(done)["internal API key"] == state
    assert key not in done.stdout + done.stderr


# ── how errors end ───────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (OperatorError("no port"), 1, "gogate: no port\n"),
        (ConfigError([Problem("PORT", "bad")]), 2, "PORT: bad\n"),
        (ExceptionGroup("n", [ExceptionGroup("m", [OperatorError("deep")])]), 1, "deep\n"),
        (KeyboardInterrupt(), INTERRUPTED, ""),
        (BaseExceptionGroup("n", [KeyboardInterrupt()]), INTERRUPTED, ""),
    ],
    ids=["operator", "settings", "group", "ctrl-c", "ctrl-c in a nursery"],
)
def test_expected_failures_end_quietly(monkeypatch, capsys, error, status, said):
    """What an operator can cause is said without a traceback, also out of a nursery."""

    def fail(*_arguments, **_options):
        raise error

    monkeypatch.setattr("gogate_trio.cli.app", fail)

    assert run([]) == status
    assert capsys.readouterr().err.endswith(said)


def test_a_bug_is_one_event_with_its_traceback(gogate):
    """What nobody expected is logged as a crash, and still ends with a status."""
    code = (
        "from pathlib import Path; from gogate_trio import cli; "
        "cli.DOTENV = None; cli.app = lambda *a, **o: 1 / 0; "
        "import sys; sys.exit(cli.run([]))"
    )

    done = gogate(code=("-c", code))

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert '"crashed"' in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_the_module_is_the_command(gogate):
    """``python -m gogate_trio`` and the installed ``gogate`` are one program."""
    installed = Path(sys.executable).with_name("gogate")

    done = subprocess.run([installed, "version"], capture_output=True, text=True, check=True)

    assert done.stdout == gogate("version").stdout

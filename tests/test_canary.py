"""Laws of the watch over secrets: whatever way one gets out, the test that let it out fails."""

from __future__ import annotations

import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fakes import secrets
from fakes.backend import open_fake_backend
from fakes.clients import open_client
from fakes.node import open_node, within

TESTS = Path(__file__).parent
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]

LEAKS = """
import logging, socket, subprocess, sys
import pytest, structlog, trio
from structlog.testing import capture_logs
from fakes.clients import Client
from fakes.secrets import KEY
from gogate_trio.errors import OperatorError
from gogate_trio.log.journal import Journal
from gogate_trio.log.writing import Lines
from gogate_trio.config import LogSettings
from gogate_trio.poller import Poller
from gogate_trio.server.connection import Connection
from gogate_trio.server.wire import Wire

TOKEN = "token" + "-17"
JWT = "eyJhbGciOiJI.eyJ1c2VyX2lkIjox.c2lnbmF0dXJl"


@pytest.fixture
def pair():
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


@pytest.fixture(params=[KEY, TOKEN, JWT], ids=["key", "token", "jwt"])
def secret(request):
    return request.param


def test_output(secret):
    print("said", secret)


def test_output_that_is_taken_away():
    sys.stderr.write(KEY)


def test_captured_output(capsys):
    print(TOKEN)
    capsys.readouterr()


def test_library_log():
    logging.getLogger("httpx").warning("sent %s", KEY)


def test_log_line(secret):
    class Nowhere:
        write = flush = lambda *_: None

    Lines(Nowhere()).write(f'{{"event": "{secret}"}}')


def test_journal_entry(secret):
    with pytest.raises(OperatorError):
        Journal("/nowhere")
    journal = Journal.__new__(Journal)
    with pytest.raises(AttributeError):
        journal.write(f"TOKEN={secret}")


def test_captured_event(secret):
    with capture_logs() as events:
        structlog.get_logger().info("auth", token=secret)
    assert events


def test_captured_traceback():
    with capture_logs():
        try:
            raise ValueError(TOKEN)
        except ValueError:
            structlog.get_logger().exception("failed")


def test_direct_send(pair, secret):
    Wire(pair[0], "peer", Poller()).send_nowait(b"x " + secret.encode())


async def test_send_all(pair, secret):
    await Wire(pair[0], "peer", Poller()).send_all(memoryview(secret.encode()))


async def test_received(secret):
    ours, theirs = trio.testing.memory_stream_pair()
    half = len(secret) // 2
    client = Client(ours)
    for part in (secret[:half], secret[half:]):
        await theirs.send_all(part.encode())
        await client._fill()


def test_repr():
    class House:
        connections = ()
        def __repr__(self):
            return KEY

    class Leaky:
        user = lane = outbox = None
        _house = House()

    with pytest.raises(AttributeError):
        Connection._leave(Leaky())


async def test_child_in_pieces(secret):
    half = len(secret) // 2
    code = "import sys, time\\nfor part in sys.argv[1:]: sys.stderr.write(part); sys.stderr.flush()"
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", code, secret[:half], secret[half:]], stderr=subprocess.PIPE
    )
    async with process.stderr:
        async for _ in process.stderr:
            pass
    await process.wait()


def test_child_to_its_end(secret):
    code = "import sys; sys.stderr.write(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, secret], capture_output=True)
"""

QUIET = """
import subprocess, sys
from fakes.secrets import KEY


def test_to_the_backend():
    print("token- token-x mytoken-1 eyJhbGciOiJIUzI1NiJ9 your_secure_random_key_here ***")
    subprocess.run([sys.executable, "-c", "", KEY], capture_output=True)
"""


@pytest.fixture(scope="module")
def inner(tmp_path_factory):
    """Run tests of their own under the real ``conftest.py``; the ends of all, by test."""

    @functools.cache
    def run(text):
        folder = tmp_path_factory.mktemp("inner")
        (folder / "conftest.py").write_text((TESTS / "conftest.py").read_text())
        (folder / "test_inner.py").write_text(text)
        (folder / "pytest.ini").write_text("[pytest]\ntrio_mode = true\n")
        done = subprocess.run(
            [*PYTEST, "--tb=line", "--show-capture=no", "-rA"],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": str(TESTS)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        ends: dict[str, set[str]] = {}
        for end, name in re.findall(
            r"^(PASSED|FAILED|ERROR) \S+::(\S+)", done.stdout, re.MULTILINE
        ):
            ends.setdefault(name, set()).add(end)
        return done, ends

    return run


def test_every_way_out_fails_its_test(inner):
    """Each of these tests would pass, but for a secret that gets out in a way of its own."""
    done, ends = inner(LEAKS)

    assert done.returncode == 1, done.stdout
    passed = {name for name, end in ends.items() if not end & {"FAILED", "ERROR"}}
    assert passed == set()
    ways = set(re.findall(r"def (test_\w+)", LEAKS))
    assert {name.partition("[")[0] for name in ends} == ways
    assert "a secret was said" in done.stdout


def test_the_watch_does_not_repeat_what_it_heard(inner):
    """A report can be shown to anybody."""
    done, _ = inner(LEAKS)

    assert not secrets.MARKS.search(done.stdout.encode())
    assert not secrets.JWT.search(done.stdout.encode())


def test_what_is_no_secret_is_no_leak(inner):
    """A secret given to somebody, and words that look alike, disturb nobody."""
    done, _ = inner(QUIET)

    assert done.returncode == 0, done.stdout


async def test_the_fakes_secrets_are_the_watched_ones():
    """Whatever the fakes hand out is recognised: else the watch would look for nothing."""
    async with open_fake_backend() as fake:
        given = (fake.key, fake.token(1), fake.token(12345))

    assert all(secrets.MARKS.fullmatch(secret.encode()) for secret in given)


async def test_a_gateway_that_fails_with_a_token_at_hand_says_nothing_of_it(monkeypatch):
    """A bug met while a token is handled ends in a log line, a close frame and no secret."""

    def fail(*_arguments):
        raise RuntimeError("a bug")

    async with (
        open_fake_backend() as fake,
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as client,
    ):
        monkeypatch.setattr("gogate_trio.router.decode_command", fail)
        with within():
            await client.say("auth", token=fake.token(1))
            code = await client.close_code()

    assert (code, node.metrics.bugs) == (1011, 1)

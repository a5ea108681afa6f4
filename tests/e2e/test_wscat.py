"""The guide's wscat dialogues, word for word, with npm's own wscat."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time

import pytest

from fixtures.demo import running_demo
from fixtures.npm import programs

PATIENCE = 30.0
AUTH = '{"event":"auth","data":{"token":"%s"}}'
AUTH_SUCCESS = (
    '{"event":"auth_success","data":{"user_id":1,"name":"John Doe","phone":"+79991234567"}}'
)
SEND = '{"event":"send_message","data":{"chat_id":1,"text":"Test message"}}'
CLEARED = re.compile(r"[^\n]*\x1b\[2K")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Wscat:
    """A ``wscat -c`` in a terminal, typed into and read from."""

    def __init__(self, program, url):
        """Start it on this address."""
        self._terminal, inside = pty.openpty()
        # So wide that no line is ever wrapped.
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 20_000, 0, 0))
        self._process = subprocess.Popen([program, "-c", url], stdin=inside, stdout=inside)
        os.close(inside)
        self._read = ""

    def __enter__(self):
        """Wait until it is connected."""
        self.read_until("Connected (press CTRL+C to quit)")
        return self

    def __exit__(self, *_):
        """End it."""
        self._process.kill()
        self._process.wait()
        os.close(self._terminal)

    def type(self, line):
        """Type a line and press Enter."""
        os.write(self._terminal, f"{line}\r".encode())

    def read(self):
        """The next message from the server: what stands behind ``<``."""
        return self.read_until("< ").removeprefix("< ")

    def read_until(self, start):
        """The next line that starts so."""
        deadline = time.monotonic() + PATIENCE
        while True:
            *lines, self._read = self._read.split("\n")
            for number, line in enumerate(lines):
                if line.startswith(start):
                    self._read = "\n".join([*lines[number + 1 :], self._read])
                    return line
            patience = max(0.0, deadline - time.monotonic())
            assert select.select([self._terminal], [], [], patience)[0], f"nobody said {start!r}"
            self._read = plain(self._read + os.read(self._terminal, 65536).decode(errors="replace"))


def plain(text):
    """What is left to see of a terminal's output when a line was cleared and written anew."""
    return ESCAPES.sub("", CLEARED.sub("", text)).replace("\r\n", "\n")


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """A demo of this module's own."""
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


@pytest.fixture
def wscat(demo, pytestconfig):
    """Start a wscat that connects to the demo."""
    program = programs(pytestconfig.cache) / "wscat"
    return lambda: Wscat(program, demo.websocket)


def test_the_guides_authentication(demo, wscat):
    """``auth`` is answered with the guide's expected response, to the last character."""
    with wscat() as john:
        john.type(AUTH % demo.tokens[0])

        assert john.read() == AUTH_SUCCESS


def test_the_guides_message_reaches_all_members(demo, wscat):
    """``send_message`` comes back as ``new_message`` to the sender and to the other member."""
    with wscat() as john, wscat() as jane:
        john.type(AUTH % demo.tokens[0])
        jane.type(AUTH % demo.tokens[1])
        john.read()
        jane.read()

        john.type(SEND)

        heard = john.read()
        assert jane.read() == heard
        event = json.loads(heard)
        assert list(event) == ["event", "data"]
        assert event["event"] == "new_message"
        assert (event["data"]["chat_id"], event["data"]["text"]) == (1, "Test message")
        assert event["data"]["user"]["id"] == 1


def test_a_message_before_authentication_is_refused(wscat):
    """The order of the guide's two dialogues matters, and the refusal says so."""
    with wscat() as stranger:
        stranger.type(SEND)

        refusal = {"message": "Authentication required", "code": "AUTH_REQUIRED"}
        assert json.loads(stranger.read()) == {"event": "error", "data": refusal}

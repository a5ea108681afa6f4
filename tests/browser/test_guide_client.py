"""The guide's own client class, compiled unchanged, in a real browser.

Its address is fixed to ``ws://localhost:8080/ws``. The class stays as it is: the page's
WebSocket takes the port in that one address for the port of the test's own gateway. The page
is on another port of localhost, as the guide's development server is.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from fixtures.demo import running_demo
from fixtures.npm import programs

GUIDE = Path(__file__).parent.parent / "fixtures" / "guide"
CHECKSUM = "0679f2eef112c5b43b74b604d0f67f325ce8fb43051787fba54e2e8fb589117e"
COMPILER = ("--strict", "--target", "es2022", "--module", "es2022", "--lib", "es2022,dom")
REPOINT = """
const Real = window.WebSocket;
window.WebSocket = class extends Real {
  constructor(url) { super(url === "ws://localhost:8080/ws" ? "ws://localhost:%d/ws" : url); }
};
"""
JOHN = {"user_id": 1, "name": "John Doe", "phone": "+79991234567"}
TEAM = 1


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    """One demo for all tests here: each looks only at what its own pages heard."""
    with running_demo(tmp_path_factory.mktemp("demo")) as demo:
        yield demo


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files and says nothing about it."""

    def log_message(self, *_):
        """Nothing."""


@pytest.fixture(scope="module")
def site(tmp_path_factory, pytestconfig):
    """A web server with the compiled class and its page."""
    folder = tmp_path_factory.mktemp("site")
    for file in GUIDE.glob("page.*"):
        shutil.copy(file, folder)
    compiler = programs(pytestconfig.cache) / "tsc"
    source = GUIDE / "websocket.ts"
    subprocess.run([compiler, *COMPILER, "--outDir", folder, source], check=True, timeout=60)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://localhost:{server.server_port}/page.html"
        server.shutdown()
        thread.join()


class Client:
    """The guide's service in a page of its own."""

    def __init__(self, page):
        """Drive the service of this page."""
        self._page = page

    def call(self, method, *arguments):
        """Call a method of the service."""
        self._page.evaluate("([name, given]) => service[name](...given)", [method, arguments])

    def hears(self, event, count=1):
        """Wait for so many events of this name; the data of the last one."""
        heard = "([name, count]) => heard.filter(({event}) => event === name)[count - 1]"
        return self._page.wait_for_function(heard, arg=[event, count]).json_value()["data"]

    def heard(self, event):
        """How many events of this name have come so far."""
        return self._page.evaluate("name => heard.filter((e) => e.event === name).length", event)


@pytest.fixture
def client(open_context, site):
    """Open the page and let it talk to a demo."""

    def opened(demo):
        context = open_context()
        context.add_init_script(REPOINT % demo.port)
        page = context.new_page()
        page.goto(site)
        page.wait_for_function("window.service")
        return Client(page)

    return opened


@pytest.fixture
def john(demo, client):
    """User 1 with the guide's client, authenticated."""
    return _connected(client(demo), demo.tokens[0])


@pytest.fixture
def jane(demo, client):
    """User 2 with the guide's client, authenticated."""
    return _connected(client(demo), demo.tokens[1])


def _connected(client, token):
    client.call("connect", token)
    client.hears("auth_success")
    return client


def test_the_class_is_the_customers():
    """The class under test is the guide's, to the last byte."""
    assert hashlib.sha256((GUIDE / "websocket.ts").read_bytes()).hexdigest() == CHECKSUM


def test_it_authenticates(john):
    """``connect`` alone leads to ``auth_success`` with who one is."""
    assert john.hears("auth_success") == JOHN


def test_a_bad_token_is_told_as_an_error(demo, client):
    """The class learns of a refusal by the ``error`` event that the guide listens to."""
    stranger = client(demo)

    stranger.call("connect", "eyJ0eXAiOiJKV1QiLCJhbGc")

    error = stranger.hears("error")
    assert error["message"] == "Authentication failed: backend error: Invalid token"
    assert error["code"] == "AUTH_FAILED"


def test_a_message_reaches_both(john, jane):
    """``sendMessage`` arrives at the other member, and back at the sender, as the same message."""
    john.call("sendMessage", TEAM, "Hello!")

    message = jane.hears("new_message")
    assert message == john.hears("new_message")
    assert (message["chat_id"], message["text"], message["user"]["id"]) == (TEAM, "Hello!", 1)


def test_a_reply_names_what_it_answers(john, jane):
    """``sendMessage`` with a third argument is a reply."""
    john.call("sendMessage", TEAM, "Who is in?")
    question = jane.hears("new_message")

    jane.call("sendMessage", TEAM, "Me", question["id"])

    assert john.hears("new_message", 2)["reply_to"]["id"] == question["id"]


def test_typing_reaches_the_others_only(john, jane):
    """``sendTyping`` is heard by the other member and not by the sender."""
    jane.call("sendTyping", TEAM, True)
    typing = john.hears("user_typing")
    jane.call("sendTyping", TEAM, False)
    stopped = john.hears("user_typing", 2)

    who = {"chat_id": TEAM, "user_id": 2, "name": "Jane Smith"}
    assert typing == {**who, "is_typing": True}
    assert stopped == {**who, "is_typing": False}
    assert jane.heard("user_typing") == 0


def test_reactions_and_read_marks_reach_both(john, jane):
    """``addReaction`` and ``markAsRead`` are heard by the author of the message too."""
    john.call("sendMessage", TEAM, "It is done")
    number = jane.hears("new_message")["id"]

    jane.call("addReaction", number, "🎉")
    jane.call("markAsRead", [number])

    reaction = {"message_id": number, "user_id": 2, "name": "Jane Smith", "emoji": "🎉"}
    mark = {"message_ids": [number], "user_id": 2, "name": "Jane Smith"}
    for client in (john, jane):
        assert client.hears("new_reaction") == reaction
        assert client.hears("message_read") == mark


def test_a_burst_arrives_whole_and_in_order(john, jane):
    """Fifty messages at once are fifty events, each a JSON document of its own."""
    texts = [f"message {number}" for number in range(50)]

    for text in texts:
        john.call("sendMessage", TEAM, text)

    assert [jane.hears("new_message", place + 1)["text"] for place in range(50)] == texts


def test_it_comes_back_after_a_restart(tmp_path, client):
    """A restarted gateway finds its clients again: they reconnect, authenticate and chat."""
    with running_demo(tmp_path) as first:
        john = _connected(client(first), first.tokens[0])
        jane = _connected(client(first), first.tokens[1])
    with running_demo(tmp_path, port=first.port, backend_port=first.backend_port):
        assert john.hears("auth_success", 2) == JOHN
        jane.hears("auth_success", 2)

        jane.call("sendMessage", TEAM, "Still here?")

        assert john.hears("new_message")["text"] == "Still here?"

"""``gogate demo``: backend, gateway and page in one process, as an operator meets them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys

import httpx
import pytest
import trio
from trio_websocket import ConnectionClosed, wrap_client_stream

from gogate_trio.config import ConfigError
from gogate_trio.demo.command import load_settings

END = 30.0
"""seconds in which a process must have done what it is asked to, on a busy machine."""

LAST_WORDS = b"Ctrl-C ends it."


@pytest.fixture
async def demo(tmp_path):
    """A function that starts a demo on free ports and returns it with its welcome."""
    started = []

    async def start(*arguments, **settings):
        process = await trio.lowlevel.open_process(
            [sys.executable, "-m", "gogate_trio", "demo", *arguments],
            cwd=tmp_path,
            env={**os.environ, "LOG_LEVEL": "warning", **settings},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        welcome = b""
        with trio.fail_after(END):
            while LAST_WORDS not in welcome:
                more = await process.stdout.receive_some()
                if not more:
                    break
                welcome += more
        return process, welcome.decode()

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        await process.wait()
        await process.stdout.aclose()
        await process.stderr.aclose()


async def end(process, number):
    """Send the signal and wait: the exit status and what was said on standard error."""
    if number is not None:
        process.send_signal(number)
    complaint = b""
    with trio.fail_after(END):
        async for chunk in process.stderr:
            complaint += chunk
        return await process.wait(), complaint.decode()


def addresses(welcome):
    """Where the page, the WebSocket and the backend are."""
    return [
        re.search(rf"{name} +(\S+)", welcome)[1] for name in ("Chat page", "WebSocket", "Backend")
    ]


@contextlib.asynccontextmanager
async def connected(url):
    """A WebSocket whose socket is surely closed, whoever says goodbye first."""
    host, port = re.fullmatch(r"ws://(.+):(\d+)/ws", url).groups()
    async with await trio.open_tcp_stream(host, int(port)) as stream, trio.open_nursery() as using:
        yield await wrap_client_stream(using, stream, f"{host}:{port}", "/ws")
        using.cancel_scope.cancel()


async def talk(ws, event, **data):
    """Say something and return the next event."""
    await ws.send_message(json.dumps({"event": event, "data": data}))
    return json.loads(await ws.get_message())


async def test_the_printed_console_opens_with_the_printed_key(demo):
    """A newcomer sees the console, too, on any free port; off is off."""
    _, welcome = await demo("--port", "0")
    (url,) = re.findall(r"^ +Console +(\S+)$", welcome, re.MULTILINE)
    (key,) = re.findall(r"^ +Its key: (\S+)$", welcome, re.MULTILINE)
    _, without = await demo("--port", "0", INTERNAL_PORT="off")

    with trio.fail_after(END):
        async with httpx.AsyncClient(base_url=url.removesuffix("/console"), verify=False) as http:
            page = await http.get("/console")
            seen = await http.get("/api/internal/v1/overview", headers={"X-Internal-API-Key": key})

    assert "<title>GoGate console</title>" in page.text
    assert seen.json()["parts"]["backend"]["ready"]
    assert "Console" not in without


async def test_the_printed_dialogue_works_word_for_word(demo):
    """What the welcome prints can be pasted: auth is answered as in the guide, then one chats."""
    _, welcome = await demo("--port", "0")
    page, websocket, backend = addresses(welcome)
    auth, message = re.findall(r'^  (\{"event".*\})$', welcome, re.MULTILINE)

    with trio.fail_after(END):
        async with connected(websocket) as ws, httpx.AsyncClient(verify=False) as http:
            await ws.send_message(auth)
            known = json.loads(await ws.get_message())
            await ws.send_message(message)
            stored = json.loads(await ws.get_message())
            shown = await http.get(page)
            users = await http.get(
                f"{backend}/api/v1/demo/users", headers={"Origin": page.removesuffix("/demo")}
            )

    assert known == {
        "event": "auth_success",
        "data": {"user_id": 1, "name": "John Doe", "phone": "+79991234567"},
    }
    assert (stored["event"], stored["data"]["text"]) == ("new_message", "Test message")
    assert "BuzzChat" in shown.text
    assert "access-control-allow-origin" in users.headers


@pytest.mark.parametrize("dialect", ["guide", "symfony"])
async def test_two_people_chat_in_either_dialect(demo, dialect):
    """The gateway and the backend speak the dialect the operator chose, and Jane hears John."""
    _, welcome = await demo("--port", "0", BACKEND_DIALECT=dialect)
    _, websocket, _ = addresses(welcome)
    john, jane = re.findall(r"^  (ey\S+)$", welcome, re.MULTILINE)

    with trio.fail_after(END):
        async with connected(websocket) as one, connected(websocket) as other:
            await talk(one, "auth", token=john)
            await talk(other, "auth", token=jane)
            await talk(one, "send_message", chat_id=1, text="Hello!")
            heard = json.loads(await other.get_message())["data"]

            assert heard["text"] == "Hello!"
            assert ("full_name" in heard["user"]) is (dialect == "symfony")
            reacted = await talk(other, "add_reaction", message_id=heard["id"], emoji="👍")
            assert reacted["event"] == "new_reaction"
            assert json.loads(await one.get_message()) == reacted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_ends_it_cleanly(demo, number):
    """Exit status 0, everybody told 1012, and nothing on standard error."""
    process, welcome = await demo("--port", "0")
    _, websocket, _ = addresses(welcome)
    token = re.search(r"^  (ey\S+)$", welcome, re.MULTILINE)[1]

    with trio.fail_after(END):
        async with connected(websocket) as ws:
            await talk(ws, "auth", token=token)
            process.send_signal(number)
            with pytest.raises(ConnectionClosed) as closed:
                await ws.get_message()
    status, complaint = await end(process, None)

    assert (status, complaint, closed.value.reason.code) == (0, "", 1012)


async def test_a_data_file_keeps_the_chats(demo, tmp_path):
    """What was said before a restart is in the history after it, under the same token."""
    data = ("--port", "0", "--data", str(tmp_path / "chats.db"))
    process, welcome = await demo(*data)
    token = re.search(r"^  (ey\S+)$", welcome, re.MULTILINE)[1]
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(verify=False) as http:
        url = addresses(welcome)[2]
        body = {"chatId": 1, "text": "Remember me"}
        sent = await http.post(f"{url}/api/v1/messages", json=body, headers=headers)
    await end(process, signal.SIGTERM)

    _, welcome = await demo(*data)
    async with httpx.AsyncClient(verify=False) as http:
        url = addresses(welcome)[2]
        page = await http.get(f"{url}/api/v1/chats/1/messages", headers=headers)

    assert page.json()["messages"][-1] == sent.json()


@pytest.mark.parametrize("option", ["--port", "--backend-port"])
async def test_a_port_in_use_is_one_line_and_status_1(demo, option):
    """The line names the port, and no traceback follows."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = {"--port": "0", option: str(port)}
        process, _ = await demo(*(word for pair in arguments.items() for word in pair))
        status, complaint = await end(process, None)

    assert status == 1
    assert len(complaint.splitlines()) == 1
    assert str(port) in complaint


async def test_somebody_elses_file_is_one_line_and_status_1(demo, tmp_path):
    """And the file stays as it was."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear Jane,\n")
    process, _ = await demo("--port", "0", "--data", str(path))
    status, complaint = await end(process, None)

    assert (status, len(complaint.splitlines())) == (1, 1)
    assert "letter.txt" in complaint
    assert path.read_text() == "Dear Jane,\n"


def test_the_demo_has_its_own_backend_and_its_own_key():
    """An operator's settings hold, but for these, and it listens on loopback alone."""
    environment = {
        "HOST": "",
        "PORT": "9000",
        "BACKEND_API_URL": "https://production.example",
        "INTERNAL_API_KEY": "production-key",
        "BACKEND_DIALECT": "symfony",
    }
    settings = load_settings(environment, dotenv=None, port=None)
    again = load_settings(environment, dotenv=None, port=0)

    assert (settings.listen.host, settings.listen.port) == ("127.0.0.1", 9000)
    assert settings.backend.dialect == "symfony"
    assert "production" not in settings.backend.url
    assert settings.backend.internal_api_key.reveal() != "production-key"
    assert settings.backend.internal_api_key != again.backend.internal_api_key
    assert again.listen.port == 0


def test_the_demo_tells_who_is_online_unless_that_is_switched_off():
    """Whoever writes a client for it can try everything out."""
    usual = load_settings({}, dotenv=None, port=None)
    without = load_settings({"PRESENCE": "false"}, dotenv=None, port=None)

    assert (usual.presence.on, without.presence.on) == (True, False)


def test_settings_that_cannot_be_used_are_reported():
    """The demo is as strict as the daemon."""
    with pytest.raises(ConfigError, match="PING_PERIOD"):
        load_settings({"PING_PERIOD": "soon"}, dotenv=None, port=None)

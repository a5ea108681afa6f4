"""The data file: what survives a restart, and whose files are left alone."""

from __future__ import annotations

import sqlite3
from functools import partial

import httpx
import pytest
import trio

from gogate_trio.demo import directory, messages, reading
from gogate_trio.demo.backend import serve
from gogate_trio.demo.records import Draft
from gogate_trio.demo.store import open_store
from gogate_trio.demo.tokens import Tokens
from gogate_trio.errors import OperatorError

HELLO = Draft(1, "Hello!", None, ())


async def test_a_restart_finds_everything_again(tmp_path):
    """Messages, and tokens handed out before, live on; nothing is seeded twice."""
    path = tmp_path / "demo.db"
    with open_store(path) as store:
        sent = await store.run(messages.store_message, 1, HELLO)
        token = Tokens(store.token_secret).issue(await store.run(directory.person, 1))
    with open_store(path) as store:
        page = await store.run(reading.history, 1, 1, before=None, limit=100)

        assert page.messages[-1].message_id == sent
        assert [message.text for message in page.messages].count("Hello!") == 1
        assert Tokens(store.token_secret).verify(token) == 1


async def test_memory_forgets():
    """Without a file each start has its own secret and no trace of the last."""
    with open_store(None) as store:
        first = store.token_secret
        await store.run(messages.store_message, 1, HELLO)
    with open_store(None) as store:
        page = await store.run(reading.history, 1, 1, before=None, limit=100)

        assert store.token_secret != first
        assert page.messages[-1].text != "Hello!"


def test_the_file_is_its_owners_alone(tmp_path):
    """It holds the secret that signs tokens: mode 0600."""
    path = tmp_path / "demo.db"
    with open_store(path):
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_database_is_refused_and_kept(tmp_path):
    """Not a byte of it changes, and the operator is told its name."""
    path = tmp_path / "thesis.txt"
    path.write_bytes(b"ten years of work\n" * 100)

    with pytest.raises(OperatorError, match=r"thesis\.txt"), open_store(path):
        pass
    assert path.read_bytes() == b"ten years of work\n" * 100


def test_somebody_elses_database_is_refused_and_kept(tmp_path):
    """A database with other tables is not ours to write in."""
    path = tmp_path / "bank.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE accounts (id INTEGER)")
    other.close()
    before = path.read_bytes()

    with pytest.raises(OperatorError, match="not a data file of gogate demo"), open_store(path):
        pass
    assert path.read_bytes() == before


def test_a_file_of_another_version_is_refused(tmp_path):
    """Tables of another version would be misread."""
    path = tmp_path / "demo.db"
    with open_store(path):
        pass
    with sqlite3.connect(path) as other:
        other.execute("PRAGMA user_version = 99")
    other.close()

    with pytest.raises(OperatorError, match="another version"), open_store(path):
        pass


def test_a_place_that_cannot_be_opened_is_one_clear_error(tmp_path):
    """A missing directory, or a directory itself."""
    for path in (tmp_path / "missing" / "demo.db", tmp_path):
        with pytest.raises(OperatorError, match="data file"), open_store(path):
            pass


def test_an_empty_file_becomes_a_data_file(tmp_path):
    """As ``mktemp`` leaves one."""
    path = tmp_path / "demo.db"
    path.touch()

    with open_store(path) as store:
        assert store.token_secret


async def test_what_fails_leaves_nothing_behind(store):
    """An error halfway through undoes the first half, and the store works on."""

    def half(db):
        messages.store_message(db, 1, HELLO)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        await store.run(half)
    page = await store.run(reading.history, 1, 1, before=None, limit=100)

    assert page.messages[-1].text != "Hello!"


async def test_many_at_once_are_stored_each(store):
    """One connection serves many callers, one after the other."""
    async with trio.open_nursery() as sending:
        for _ in range(50):
            sending.start_soon(store.run, messages.store_message, 1, HELLO)
    page = await store.run(reading.history, 1, 1, before=None, limit=100)

    assert [message.text for message in page.messages[-50:]] == ["Hello!"] * 50


async def test_a_port_in_use_is_one_clear_error(store):
    """The operator is told the port; no traceback of ours."""
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]

    with pytest.raises(OperatorError, match=f"port {port}"):
        await serve(store, dialect="guide", internal_api_key="k", port=port)
    await listeners[0].aclose()


async def test_being_cancelled_closes_the_port(store):
    """After its end nobody answers at the URL, and no connection is left open."""
    async with trio.open_nursery() as serving, httpx.AsyncClient(verify=False) as http:
        start = partial(serve, store, dialect="guide", internal_api_key="k")
        url = await serving.start(start)
        assert (await http.get(f"{url}/api/v1/demo/users")).status_code == 200
        serving.cancel_scope.cancel()

    async with httpx.AsyncClient(verify=False) as http:
        with pytest.raises(httpx.ConnectError):
            await http.get(f"{url}/api/v1/demo/users")

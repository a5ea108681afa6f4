"""Backends that run, each with the gateway's client of it: what contract tests run against."""

from __future__ import annotations

from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

import attrs
import httpx
import trio

from fakes.backend import open_fake_backend
from fakes.secrets import KEY
from fakes.settings import backend_settings
from gogate_trio.backend.rest import RestBackend, open_backend
from gogate_trio.demo.backend import serve
from gogate_trio.demo.store import open_store
from gogate_trio.ids import ChatId, MessageId, UserId
from gogate_trio.protocol.commands import SendMessage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from gogate_trio.backend.dialects import DialectName

JOHN, JANE, KENJI = UserId(1), UserId(2), UserId(3)
GROUP, ELSEWHERE = ChatId(1), ChatId(3)
"""John and Jane are in the group; John is not in the other chat."""


@attrs.frozen
class World:
    """A backend that runs, and the gateway's client of it."""

    url: str
    dialect: DialectName
    backend: RestBackend
    johns: str
    """John's token."""
    suspended: str
    """The token of a user who is no longer active."""
    attachment_id: int
    """An attachment John may send."""


@asynccontextmanager
async def fake_world(dialect: DialectName) -> AsyncIterator[World]:
    """Run the fake."""
    async with open_fake_backend(dialect=dialect) as fake:
        fake.chats[ELSEWHERE] = [2, 3]
        async with open_backend(backend_settings(fake.url, dialect=dialect)) as backend:
            yield World(fake.url, dialect, backend, fake.token(1), fake.token(4), 2)


@asynccontextmanager
async def demo_world(dialect: DialectName) -> AsyncIterator[World]:
    """Run the embedded backend over a database in memory."""
    with open_store(None) as store:
        async with trio.open_nursery() as serving:
            url = await serving.start(partial(serve, store, dialect=dialect, internal_api_key=KEY))
            async with (
                httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as browser,
                open_backend(backend_settings(url, dialect=dialect)) as backend,
            ):
                johns, suspended = [
                    (await browser.post("/api/v1/demo/tokens", json={"user_id": n})).json()["token"]
                    for n in (1, 7)
                ]
                yield World(url, dialect, backend, johns, suspended, 2)
            serving.cancel_scope.cancel()


WORLDS = {"fake": fake_world, "demo": demo_world}


async def said(world: World, text: str = "hello") -> MessageId:
    """Let John say something in the group: the id it got."""
    stored = await world.backend.send_message(world.johns, SendMessage(GROUP, text))
    assert stored.message_id is not None
    return stored.message_id

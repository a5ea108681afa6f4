"""A whole gateway inside the test, on a free port, and a chat that must not be disturbed.

Usage::

    async with open_node(fake, write_wait=0.3) as node, undisturbed_chat(node):
        async with open_client(node.port, fake.token(3)) as stranger:
            ...
    # leaving the chat's block checks that every message has reached both of its people
"""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs
import trio

from fakes.clients import Client, open_client
from fakes.settings import backend_settings
from gogate_trio.app import Reload, Serving, run_node
from gogate_trio.config import (
    AdmissionSettings,
    AuthSettings,
    DrainSettings,
    ListenSettings,
    MembershipSettings,
    OriginSettings,
    PresenceSettings,
    RateSettings,
    ResumeSettings,
    Settings,
    StateSettings,
    TlsSettings,
    WebSocketSettings,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from fakes.backend import FakeBackend
    from gogate_trio.metrics import Metrics

PATIENCE = 20.0
"""seconds. Nothing here takes one; a busy machine may."""

NO_RATES = RateSettings(
    messages=None, typing=None, reactions=None, reads=None, auth=None, control=None
)
"""A test says more in a second than a person in an hour."""

CONTROL_RATE = RateSettings(messages=None, typing=None, reactions=None, reads=None, auth=None)
"""No rates but the one for pings and pongs."""

NO_CAPS = AdmissionSettings(per_user=0)
"""One user may stand for a crowd."""

ANY_HOST = OriginSettings()
"""The defaults: these clients name no origin."""

LISTS = MembershipSettings()
WINDOW = ResumeSettings()


@attrs.frozen
class Node:
    """A running gateway."""

    port: int
    metrics: Metrics
    stop: trio.Event
    """Set it to drain the node."""
    stopped: trio.Event
    """Set when it has drained."""
    reloads: list[Reload]
    """What SIGHUP would call."""
    wanted: list[Settings]
    """What the operator wants, the last of them now: SIGHUP reads it again."""

    async def reload(self, **groups: Any) -> None:
        """Let the operator change whole groups of settings, and say SIGHUP."""
        self.wanted.append(attrs.evolve(self.wanted[-1], **groups))
        for reload in self.reloads:
            await reload()


@contextmanager
def within(seconds: float = PATIENCE) -> Iterator[None]:
    """Open a deadline that fails the test when it passes."""
    with trio.fail_after(seconds):
        yield


@asynccontextmanager
async def open_node(
    fake: FakeBackend,
    *,
    drain_timeout: float = 5.0,
    drain: DrainSettings | None = None,
    max_calls: int = 64,
    queue: int = 1000,
    rates: RateSettings = NO_RATES,
    auth: AuthSettings | None = None,
    admission: AdmissionSettings = NO_CAPS,
    origins: OriginSettings = ANY_HOST,
    tls: TlsSettings | None = None,
    membership: MembershipSettings = LISTS,
    resume: ResumeSettings = WINDOW,
    state_dir: str = "",
    presence: PresenceSettings | None = None,
    **websocket: Any,
) -> AsyncIterator[Node]:
    """Run a gateway in front of a fake; other keywords are those of ``WebSocketSettings``.

    The block's end drains it, unless the test has, and cuts it when that takes too long.
    """
    settings = Settings(
        listen=ListenSettings(host="127.0.0.1", port=0),
        tls=tls or TlsSettings(),
        backend=backend_settings(fake.url, max_calls=max_calls, queue=queue, timeout=30.0),
        websocket=WebSocketSettings(**websocket),
        auth=auth or AuthSettings(),
        admission=admission,
        origins=origins,
        rates=rates,
        membership=membership,
        resume=resume,
        state=StateSettings(folder=state_dir),
        presence=presence or PresenceSettings(),
        drain=drain or DrainSettings(timeout=drain_timeout),
    )
    stop, stopped = trio.Event(), trio.Event()
    reloads: list[Reload] = []
    wanted = [settings]

    async def run(*, task_status: trio.TaskStatus[Serving]) -> None:
        await run_node(
            settings,
            stop,
            reloads=reloads,
            reread=lambda: wanted[-1],
            task_status=task_status,
        )
        stopped.set()

    async with trio.open_nursery() as nodes:
        serving = await nodes.start(run)
        yield Node(serving.port, serving.metrics, stop, stopped, reloads, wanted)
        stop.set()
        nodes.cancel_scope.deadline = trio.current_time() + PATIENCE


@attrs.define(eq=False)
class Chat:
    """Two people who write to each other all the time."""

    exchanged: int = 0
    """messages that have reached both of them so far"""
    slowest: float = 0.0
    """seconds from saying to seeing, at worst"""
    _news: trio.Event = attrs.field(factory=trio.Event)

    async def goes_on(self, more: int = 3) -> None:
        """Return when so many further messages have arrived."""
        goal = self.exchanged + more
        with within():
            while self.exchanged < goal:
                await self._news.wait()

    async def talk(self, john: Client, jane: Client) -> None:
        """Say a message, see it on both sides, for ever; the two take turns."""
        while True:
            text, said = f"message {self.exchanged}", trio.current_time()
            speaker = jane if self.exchanged % 2 else john
            with within():
                await speaker.say("send_message", chat_id=2, text=text)
                for person in (john, jane):
                    got = await person.next_event()
                    assert (got["event"], got["data"]["text"]) == ("new_message", text)
            self.slowest = max(self.slowest, trio.current_time() - said)
            self.exchanged += 1
            self._news.set()
            self._news = trio.Event()
            # A brisk chat, not a load test: the machine is there for the strangers too.
            await trio.sleep(0.02)


@asynccontextmanager
async def undisturbed_chat(node: Node) -> AsyncIterator[Chat]:
    """Let users 1 and 2 chat in chat 2 for as long as the block lasts, and once more at its end.

    Whatever else they see than each other's messages in order fails the test.
    """
    chat = Chat()
    async with (
        open_client(node.port, "token-1") as john,
        open_client(node.port, "token-2") as jane,
        trio.open_nursery() as talking,
    ):
        talking.start_soon(partial(chat.talk, john, jane))
        await chat.goes_on()
        yield chat
        await chat.goes_on()
        talking.cancel_scope.cancel()

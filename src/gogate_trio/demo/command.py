"""``gogate demo``: the embedded backend, the gateway in front of it and the chat page, in one.

The gateway talks to the backend over HTTP, as it would to the real one. The backend starts
first and ends last, so that the gateway can finish what is in flight.
"""

from __future__ import annotations

import os
import secrets
import signal
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs
import trio

from gogate_trio import app, log
from gogate_trio.config import Settings, Source
from gogate_trio.demo import assets, directory
from gogate_trio.demo.backend import serve
from gogate_trio.demo.store import open_store
from gogate_trio.demo.tokens import Tokens
from gogate_trio.ids import UserId
from gogate_trio.internal.console import PATH as CONSOLE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from gogate_trio.demo.store import Store

LOOPBACK: Final = "127.0.0.1"
"""Tokens for the asking are for this machine alone."""

KEY_BYTES: Final = 32
"""bytes of randomness in the internal key, which lives as long as the process."""

PRESENTED: Final = (UserId(1), UserId(2))
"""Whose tokens are printed at the start: the two people of the guide."""


def run(*, port: int | None, backend_port: int | None, data: Path | None) -> int:
    """Run the demo until SIGTERM or SIGINT; the exit status.

    ``OperatorError`` when a port or the data file cannot be had, ``ConfigError`` when a setting
    cannot be used.
    """
    settings = load_settings(os.environ, dotenv=Path(".env"), port=port)
    log.configure(settings.log, node=settings.cluster.name)
    with open_store(data) as store:
        trio.run(partial(run_demo, settings, store, backend_port=backend_port or 0))
    return 0


def load_settings(environ: Mapping[str, str], *, dotenv: Path | None, port: int | None) -> Settings:
    """The operator's settings, but for where the backend is and its key, which are our own.

    The address of the backend is filled in when its port is known. Beside the page and its
    tokens nothing but loopback makes sense to listen on.
    """
    own = {
        "HOST": LOOPBACK,
        "INTERNAL_API_KEY": secrets.token_urlsafe(KEY_BYTES),
        "INTERNAL_API_KEY_FILE": "",
        "BACKEND_API_URL": f"http://{LOOPBACK}",
        # What is printed below are plain addresses; and no certificate names the loopback.
        "TLS_CERT": "",
        "TLS_KEY": "",
    }
    if port is not None:
        own["PORT"] = str(port)
    settings = Settings.load({**environ, **own}, dotenv)
    if settings.sources["PRESENCE"] is Source.DEFAULT:
        # Who writes a client tries everything out.
        settings = attrs.evolve(settings, presence=attrs.evolve(settings.presence, on=True))
    if settings.sources["INTERNAL_PORT"] is not Source.DEFAULT:
        return settings
    # Any free port: a newcomer shall see the console, too.
    return attrs.evolve(settings, internal=attrs.evolve(settings.internal, port=0))


async def run_demo(
    settings: Settings,
    store: Store,
    *,
    backend_port: int = 0,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve backend and gateway until a signal; starts with the gateway's port."""
    origins: set[str] = set()
    hangup = signal.getsignal(signal.SIGHUP)
    async with trio.open_nursery() as backend:
        url = await backend.start(
            partial(
                serve,
                store,
                dialect=settings.backend.dialect,
                internal_api_key=settings.backend.internal_api_key.reveal(),
                port=backend_port,
                origins=origins,
            )
        )
        settings = attrs.evolve(settings, backend=attrs.evolve(settings.backend, url=url))
        async with trio.open_nursery() as gateway:
            serving = await gateway.start(
                partial(app.serve, settings, pages=assets.pages(url, epoch=store.epoch))
            )
            # The gateway takes it for "reload"; a demo ends with the terminal it began in.
            signal.signal(signal.SIGHUP, hangup)
            origins.update(f"http://{host}:{serving.port}" for host in (LOOPBACK, "localhost"))
            sys.stdout.write(await _welcome(store, serving.port, url, _console(settings, serving)))
            sys.stdout.flush()
            task_status.started(serving.port)
        backend.cancel_scope.cancel()


def _console(settings: Settings, serving: app.Serving) -> list[str]:
    """Where the console is, and the key it wants; nothing where the internal port is off."""
    if serving.internal_port is None:
        return []
    host = settings.internal.host or LOOPBACK
    host = f"[{host}]" if ":" in host else host
    return [
        f"  Console     http://{host}:{serving.internal_port}{CONSOLE}",
        f"              Its key: {settings.internal_api_keys[0].reveal()}",
    ]


async def _welcome(store: Store, port: int, backend_url: str, console: list[str]) -> str:
    """What the operator sees: where the page is, and the guide's dialogue with a real token."""
    tokens = Tokens(store.token_secret)
    people = [await store.run(directory.person, user_id) for user_id in PRESENTED]
    ready = [(person.name, tokens.issue(person)) for person in people if person is not None]
    page = f"http://{LOOPBACK}:{port}{assets.INDEX_PATH}"
    lines = [
        "",
        f"  Chat page   {page}",
        "              Open it twice, be two people.",
        f"  WebSocket   ws://{LOOPBACK}:{port}/ws",
        f"  Backend     {backend_url}",
        *console,
        "",
        *(f"  Token of {name}, good for an hour:\n  {token}\n" for name, token in ready),
        "  The guide's dialogue:",
        f"  wscat -c ws://{LOOPBACK}:{port}/ws",
        f'  {{"event":"auth","data":{{"token":"{ready[0][1]}"}}}}',
        '  {"event":"send_message","data":{"chat_id":1,"text":"Test message"}}',
        "",
        "  Ctrl-C ends it.",
        "",
        "",
    ]
    return "\n".join(lines)

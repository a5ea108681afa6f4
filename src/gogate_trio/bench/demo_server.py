"""A demo as a process of its own, so that its work is not done in the loop that measures it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import attrs
import trio

from gogate_trio.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

START_SECONDS: Final = 20.0
"""seconds for it to say that it serves; Python alone takes one on a busy machine."""

STOP_SECONDS: Final = 5.0
"""seconds after SIGTERM; then it is killed. Nothing in it is worth more."""

MAX_GREETING: Final = 65536
"""bytes it may say before it serves."""

SETTINGS: Final = {
    "LOG_LEVEL": "error",
    "MAX_CONNECTIONS_PER_USER": "0",
    "RATE_MESSAGES": "off",
    "RATE_HANDSHAKES": "off",
    "DRAIN_SPREAD": "0s",
    "INTERNAL_PORT": "off",
    "REDIS_URL": "off",
    "REDIS_URL_FILE": "",
}
"""Two people write all the messages, each from many devices: the bounds of one person are off."""

_ADDRESS: Final = re.compile(r"ws://\S+")
_TOKEN: Final = re.compile(r"^ +(eyJ\S+)$", re.MULTILINE)
_READY: Final = "Ctrl-C ends it."


@attrs.frozen
class Demo:
    """A demo that serves."""

    url: str
    tokens: tuple[str, ...] = attrs.field(repr=False)
    """Of two people, who are both in chat 1."""


@asynccontextmanager
async def open_demo() -> AsyncIterator[Demo]:
    """Run a demo while the block lasts. Raises ``OperatorError`` when it does not start."""
    process = await trio.lowlevel.open_process(
        [sys.executable, "-m", "gogate_trio", "demo", "--port", "0"],
        env=os.environ | SETTINGS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        # Ctrl-C is for us: it ends by our hand, after its clients.
        start_new_session=True,
    )
    try:
        yield await _greeting(process)
    finally:
        with trio.CancelScope(shield=True):
            process.terminate()
            with trio.move_on_after(STOP_SECONDS):
                await process.wait()
            process.kill()
            await process.wait()


async def _greeting(process: trio.Process) -> Demo:
    said = b""
    with trio.move_on_after(START_SECONDS):
        while process.stdout and len(said) < MAX_GREETING:
            chunk = await process.stdout.receive_some()
            said += chunk
            text = said.decode(errors="replace")
            if _READY in text and (address := _ADDRESS.search(text)):
                return Demo(address[0], tuple(_TOKEN.findall(text)))
            if not chunk:
                break
    raise OperatorError("the demo did not start: `gogate demo` says why")

"""`gogate serve` as a process of its own: its environment in, its log and its status out.

Usage::

    async with open_gateway(fake, tmp_path, BACKEND_MAX_CALLS="256") as gateway:
        ...  # gateway.port, gateway.pid
        gateway.signal(signal.SIGTERM)
        assert await gateway.ended() == 0
        assert gateway.events() == ["serving", "draining", "stopped"]
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import attrs
import msgspec
import trio

from fakes.systemd import launch

if TYPE_CHECKING:
    import signal
    import socket
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from fakes.backend import FakeBackend

PATIENCE = 60.0
"""seconds for a process to start or to end; on a busy machine Python alone takes one."""


@attrs.define(eq=False)
class Gateway:
    """A gateway that runs, or has run."""

    process: trio.Process
    port: int = 0
    lines: list[bytes] = attrs.field(factory=list)
    """Everything it has written to standard error so far."""
    _news: trio.Event = attrs.field(factory=trio.Event)

    @property
    def pid(self) -> int:
        """The process id."""
        return self.process.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        self.process.send_signal(number)

    def log(self) -> list[dict[str, Any]]:
        """Everything logged so far; a line that is no JSON object fails the test."""
        return [msgspec.json.decode(line, type=dict) for line in self.lines]

    def events(self) -> list[str]:
        """The names of what was logged so far, in order."""
        return [entry["event"] for entry in self.log()]

    async def logged(self, event: str) -> dict[str, Any]:
        """Wait for the first log line with this event."""
        with trio.fail_after(PATIENCE):
            while True:
                for entry in self.log():
                    if entry["event"] == event:
                        return entry
                if self.process.returncode is not None:
                    raise AssertionError(b"".join(self.lines).decode())
                await self._news.wait()

    async def ended(self, *, within: float = PATIENCE) -> int:
        """Wait for the end, at most so many seconds, and return the status."""
        with trio.fail_after(within):
            return await self.process.wait()

    async def listen(self, output: trio.abc.ReceiveStream) -> None:
        """Collect what it writes, line by line."""
        rest = b""
        async for chunk in output:
            *lines, rest = (rest + chunk).split(b"\n")
            self.lines += lines
            self._ring()
        self.lines += [rest] if rest else []
        await self.process.wait()
        self._ring()

    def _ring(self) -> None:
        self._news.set()
        self._news = trio.Event()


@asynccontextmanager
async def open_gateway(
    fake: FakeBackend,
    folder: Path,
    *,
    open_files: int = 0,
    keep: Sequence[socket.socket] = (),
    program: Sequence[str] = ("-m", "gogate_trio"),
    **environment: str,
) -> AsyncIterator[Gateway]:
    """Start a gateway in an empty folder, in front of a fake; the block's end kills it.

    ``open_files`` lowers its limit on them; the sockets to ``keep`` are handed over as systemd
    does; ``program`` is what Python runs. After the block its log is whole.
    """
    python = launch(*keep) if keep else [sys.executable]
    command = [*python, *program, "serve"]
    if open_files:
        command = ["sh", "-c", f'ulimit -n {open_files} && exec "$0" "$@"', *command]
    given = {
        "HOST": "127.0.0.1",
        "PORT": "0",
        "BACKEND_API_URL": fake.url,
        "INTERNAL_API_KEY": fake.key,
        "LOG_FORMAT": "json",
        "MAX_CONNECTIONS_PER_USER": "0",
        "RATE_MESSAGES": "off",
        **environment,
    }
    kept = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    process = await trio.lowlevel.open_process(
        command,
        cwd=folder,
        env=kept | given,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        pass_fds=[sock.fileno() for sock in keep],
    )
    assert process.stderr is not None
    gateway = Gateway(process)
    async with process.stderr, trio.open_nursery() as reading:
        reading.start_soon(gateway.listen, process.stderr)
        try:
            gateway.port = (await gateway.logged("serving"))["port"]
            yield gateway
        finally:
            # Reaped under a shield: no test leaves a process behind.
            process.kill()
            with trio.move_on_after(PATIENCE, shield=True):
                await process.wait()

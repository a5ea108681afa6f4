"""A watch over everything the gateway says: no key and no token may be in it.

A pytest plugin that ``conftest.py`` lets in. It listens wherever a gateway under test speaks, in
this process and in child processes, and fails the test in which a secret was heard:

- log lines, also those a test captures; tracebacks among them
- what is written to standard output and error
- every byte sent to a client, and every byte a client of ``fakes`` receives
- the ``repr`` of connections and of what they hold
- what child processes write

Which secrets there are says ``fakes.secrets``. What is sent to the backend is not listened
to: there the secrets belong.
"""

from __future__ import annotations

import functools
import subprocess
from typing import TYPE_CHECKING, Any

import attrs
import pytest
import structlog
import trio
from structlog.testing import LogCapture

from fakes import secrets
from fakes.clients import Client
from gogate_trio.log.journal import Journal
from gogate_trio.log.writing import Lines
from gogate_trio.server.connection import Connection
from gogate_trio.server.tlswire import TlsWire
from gogate_trio.server.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

AROUND = 60
"""bytes shown before and behind a secret that was heard"""

SMALL_HOUSE = 3
"""connections up to which a whole house is looked at: its ``repr`` names every one of them"""


@attrs.define(eq=False)
class Watch:
    """Remembers the secrets it hears, without repeating them."""

    heard: list[str] = attrs.field(factory=list)

    def listen(self, said: bytes | str | None, where: str, *, jwt: bool = True) -> None:
        """Take notice of any secret in what was said."""
        if isinstance(said, str):
            said = said.encode("utf-8", "backslashreplace")
        if not said or not any(hint in said for hint in secrets.HINTS):
            return
        for secret in (secrets.MARKS, secrets.JWT) if jwt else (secrets.MARKS,):
            if found := secret.search(said):
                before = said[max(0, found.start() - AROUND) : found.start()]
                behind = said[found.end() : found.end() + AROUND]
                self.heard.append(f"{where}: {before!r} SECRET {behind!r}")

    def listens_on(self, where: str, *, jwt: bool = True) -> Callable[[bytes], None]:
        """Return a listener to one stream, that knows a secret cut in two as well."""
        tail = b""

        def listen(chunk: bytes) -> None:
            nonlocal tail
            whole = tail + bytes(chunk)
            self.listen(whole, where, jwt=jwt)
            # What was heard once is not heard again with the next chunk.
            whole = secrets.JWT.sub(b"", secrets.MARKS.sub(b"", whole))
            tail = whole[-secrets.LONGEST :]

        return listen

    def take(self) -> list[str]:
        """Return what was heard since the last time."""
        heard, self.heard = self.heard, []
        return heard


WATCH = Watch()


# ── pytest's side ────────────────────────────────────────────────────────────


def pytest_configure(config: pytest.Config) -> None:
    """Begin to listen."""
    patches = pytest.MonkeyPatch()
    for listen in (_to_logs, _to_capture, _to_clients, _to_reprs, _to_children):
        listen(patches)
    config.add_cleanup(patches.undo)


def pytest_runtest_setup() -> None:
    """Let nodes in this process log as they do in production: tracebacks without local variables.

    Into whatever is standard output at that moment, and open to tests that capture events.
    """
    if not structlog.is_configured():
        processors = structlog.processors
        structlog.configure(
            processors=[
                processors.add_log_level,
                processors.format_exc_info,
                processors.JSONRenderer(default=repr),
            ]
        )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Fail the phase of a test in which a secret was heard."""
    report: pytest.TestReport = yield
    is_demo = "/demo/" in item.nodeid or "/browser/" in item.nodeid
    if report.when == "teardown":
        for name, text in report.sections:
            WATCH.listen(text, name, jwt=not is_demo)
    if heard := WATCH.take():
        report.outcome = "failed"
        report.longrepr = "\n".join(["a secret was said", *dict.fromkeys(heard)])
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail a session in which a secret was heard behind the last test."""
    if heard := WATCH.take():
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        for line in ["a secret was said behind the tests", *heard] if reporter else ():
            reporter.write_line(line)


# ── where it listens ─────────────────────────────────────────────────────────


def _to_logs(patches: pytest.MonkeyPatch) -> None:
    """Lines as they are written, and events as tests capture them, with their tracebacks."""
    write, hand_over, capture = Lines.write, Journal.write, LogCapture.__call__

    @functools.wraps(write)
    def write_line(lines: Lines, line: str) -> None:
        WATCH.listen(line, "log")
        write(lines, line)

    @functools.wraps(hand_over)
    def write_entry(journal: Journal, entry: str) -> None:
        WATCH.listen(entry, "journal")
        hand_over(journal, entry)

    @functools.wraps(capture)
    def call(captured: LogCapture, logger: object, method: str, event: Any) -> Any:
        rendered = structlog.processors.format_exc_info(logger, method, dict(event))
        WATCH.listen(repr(rendered), "captured log")
        return capture(captured, logger, method, event)

    patches.setattr(Lines, "write", write_line)
    patches.setattr(Journal, "write", write_entry)
    patches.setattr(LogCapture, "__call__", call)


def _to_capture(patches: pytest.MonkeyPatch) -> None:
    """Output that a test takes away before it gets into its report."""
    take = pytest.CaptureFixture.readouterr

    @functools.wraps(take)
    def readouterr(capture: Any) -> Any:
        said = take(capture)
        for text in said:
            WATCH.listen(text, "captured output", jwt=False)
        return said

    patches.setattr(pytest.CaptureFixture, "readouterr", readouterr)


def _to_clients(patches: pytest.MonkeyPatch) -> None:
    """Everything a node in this process sends, and everything the fakes' client receives."""
    open_wire, send_all, send_secure = Wire.__init__, Wire.send_all, TlsWire.send_all
    fill = Client._fill

    def init(wire: Wire, *arguments: Any) -> None:
        open_wire(wire, *arguments)
        send_nowait = wire.send_nowait

        def send(data: bytes) -> int:
            WATCH.listen(data, "sent to a client")
            return send_nowait(data)

        wire.send_nowait = send

    async def send(wire: Wire, data: bytes) -> None:
        WATCH.listen(bytes(data), "sent to a client")
        await send_all(wire, data)

    async def send_tls(wire: TlsWire, data: bytes) -> None:
        WATCH.listen(bytes(data), "sent to a client")
        await send_secure(wire, data)

    async def receive(client: Client) -> None:
        had = max(0, len(client._buffer) - secrets.LONGEST)
        await fill(client)
        WATCH.listen(bytes(client._buffer[had:]), "received by a client")

    patches.setattr(Wire, "__init__", init)
    patches.setattr(Wire, "send_all", send)
    patches.setattr(TlsWire, "send_all", send_tls)
    patches.setattr(Client, "_fill", receive)


def _to_reprs(patches: pytest.MonkeyPatch) -> None:
    """Connections, and all that can be seen from them, as they leave."""
    leave = Connection._leave

    def look_and_leave(connection: Connection) -> None:
        house = connection._house
        seen = [connection, connection.user, connection.lane, connection.outbox]
        if len(house.connections) <= SMALL_HOUSE:
            seen.append(house)
        for one in seen:
            WATCH.listen(repr(one), f"repr of {type(one).__name__}")
        leave(connection)

    patches.setattr(Connection, "_leave", look_and_leave)


def _to_children(patches: pytest.MonkeyPatch) -> None:
    """What child processes write. The demo says tokens on standard output, for people to use."""
    open_process, communicate = trio.lowlevel.open_process, subprocess.Popen.communicate

    @functools.wraps(open_process)
    async def listened_to(command: Any, **options: Any) -> trio.Process:
        process = await open_process(command, **options)
        for stream, name in ((process.stdout, "output"), (process.stderr, "error")):
            if stream is not None:
                _listen_to_stream(stream, f"a child's {name}", jwt=name == "error")
        return process

    @functools.wraps(communicate)
    def communicated(process: Any, *arguments: Any, **options: Any) -> Any:
        output, error = communicate(process, *arguments, **options)
        WATCH.listen(output, "a child's output", jwt=False)
        WATCH.listen(error, "a child's error")
        return output, error

    patches.setattr(trio.lowlevel, "open_process", listened_to)
    patches.setattr(subprocess.Popen, "communicate", communicated)


def _listen_to_stream(stream: Any, where: str, *, jwt: bool) -> None:
    receive, listen = stream.receive_some, WATCH.listens_on(where, jwt=jwt)

    async def receive_some(max_bytes: int | None = None) -> bytes:
        chunk = await receive(max_bytes)
        listen(chunk)
        return chunk

    stream.receive_some = receive_some

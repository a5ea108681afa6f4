"""The command ``gogate``: serve, demo, check, config, drain, nodes, top, bench, version.

Every expected failure is one clear message on standard error and a status: 2 for settings
and usage, 1 for everything else; never a traceback. Each command imports what it needs
when it runs, so that the quick ones are quick.
"""
# ruff: noqa: PLC0415  # see above

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NoReturn

from cyclopts import App, CycloptsError, Parameter
from cyclopts.validators import Number

from gogate_trio import __version__
from gogate_trio.failure import FAILURE, USAGE, complain, status_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from gogate_trio.check import Finding

DOTENV: Final = Path(".env")
"""In the working directory, as the Go program read it."""

DEMO_PACKAGES: Final = frozenset({"hypercorn", "jwt", "starlette"})
"""What the extra ``demo`` installs, by the names they are imported by."""

Flag = Annotated[bool, Parameter(negative="")]

Port = Annotated[int | None, Parameter(validator=Number(gte=0, lte=65535))]

app = App(
    name="gogate",
    help="A WebSocket gateway in front of a chat product's REST backend.",
    version=f"gogate {__version__}",
    help_epilogue="Settings come from the environment and from .env: see `gogate config`.",
    suppress_keyboard_interrupt=False,
)


def main() -> NoReturn:
    """Run the command line of this process."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command line; the status it ends with."""
    try:
        status = app(
            arguments, exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except CycloptsError as error:
        return complain(str(error), status=USAGE)
    except BrokenPipeError:
        # Whoever read us has had enough (`gogate config | head -1`). What is still
        # buffered must not fail a second time when the interpreter exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except (Exception, KeyboardInterrupt, BaseExceptionGroup) as error:  # noqa: BLE001  # the last fence
        return status_of(error)
    return status if isinstance(status, int) else 0


@app.command
def serve() -> None:
    """Run the gateway until SIGTERM or SIGINT, as a systemd service if it is one."""
    from functools import partial

    from gogate_trio import log
    from gogate_trio.config import Settings

    settings = Settings.load(os.environ, DOTENV)
    log.configure(
        settings.log,
        node=settings.cluster.name,
        journal_stream=os.environ.get("JOURNAL_STREAM", ""),
    )

    import trio

    from gogate_trio.app import serve as gateway
    from gogate_trio.systemd import Service

    service = Service.of(os.environ, pid=os.getpid())
    reread = partial(Settings.load, os.environ, DOTENV)
    trio.run(partial(gateway, settings, service=service, reread=reread))


@app.command
def demo(*, port: Port = None, backend_port: Port = None, data: Path | None = None) -> int | None:
    """Run the gateway with a backend of its own and a chat page, to try it out.

    Args:
        port: The port of the gateway and of the chat page; 8080 unless PORT says otherwise.
        backend_port: The port of the embedded backend; any free one unless given.
        data: The SQLite file that keeps the chats; in memory unless given.
    """
    try:
        from gogate_trio.demo import command
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in DEMO_PACKAGES:
            raise
        text = "the demo needs its extra: pip install 'gogate-trio[demo]'"
        return complain(text, status=USAGE)
    return command.run(port=port, backend_port=backend_port, data=data)


@app.command
def check(*, offline: Flag = False) -> int:
    """Check the settings, and the backend they name.

    Ends with 0 when all is well, 2 when the settings cannot be used, else 1.

    Args:
        offline: Check the settings only.
    """
    import attrs
    import trio

    from gogate_trio import log
    from gogate_trio.check import State, probe, refused_settings, review
    from gogate_trio.config import ConfigError, Settings

    try:
        settings = Settings.load(os.environ, DOTENV)
    except ConfigError as error:
        _show_findings(refused_settings(error))
        return USAGE
    # The table says what the adapter would log.
    log.configure(attrs.evolve(settings.log, level="error"), node=settings.cluster.name)
    findings = [*review(settings)]
    if not offline:
        findings += trio.run(probe, settings)
    _show_findings(findings)
    return FAILURE if any(one.state is State.FAILED for one in findings) else 0


@app.command
def config(
    *, as_: Annotated[Literal["table", "json", "env", "markdown"], Parameter("--as")] = "table"
) -> None:
    """Show the settings in force and where each comes from; secrets as ***.

    Args:
        as_: table, json: what is in force here. env: an example of a .env file. markdown: all
            settings with their defaults, for documents.
    """
    from gogate_trio.config import Settings, effective_settings, env_example, settings_table
    from gogate_trio.console import show_table

    if as_ == "env":
        sys.stdout.write(env_example())
        return
    if as_ == "markdown":
        sys.stdout.write(f"{settings_table()}\n")
        return
    effective = effective_settings(Settings.load(os.environ, DOTENV))
    if as_ == "json":
        from cattrs.preconf.json import make_converter

        sys.stdout.write(f"{make_converter().dumps(effective, indent=2)}\n")
        return
    rows = [(one.name, one.text, one.source.value) for one in effective]
    show_table(("setting", "value", "source"), rows)


@app.command
def bench(  # noqa: PLR0913  # the options of one command
    url: str | None = None,
    /,
    *,
    token_file: Path | None = None,
    demo: Flag = False,
    connections: int = 100,
    rate: float = 20.0,
    duration: float = 10.0,
    chat: tuple[int, ...] = (1,),
    text_size: int = 64,
    json: Flag = False,
) -> int:
    """Put load on a gateway of yours, and tell how long messages took and whether all arrived.

    Ends with 0 when everything arrived once and in order, 1 when not, 2 on unusable arguments.

    Args:
        url: The gateway's WebSocket, such as ws://127.0.0.1:8080/ws.
        token_file: A token a line; when there are fewer than connections, users have several.
        demo: Start a demo and measure that, without an address and tokens.
        connections: How many to hold open, up to 10,000.
        rate: Messages a second in all, from everybody in turn; 0 only holds the connections.
        duration: Seconds of traffic.
        chat: A chat to speak to, in which the users of the tokens are; may be given several times.
        text_size: Characters of a message.
        json: Print one JSON document.
    """
    from gogate_trio.bench.command import NOWHERE
    from gogate_trio.bench.command import run as measure
    from gogate_trio.bench.plan import Plan, UnusablePlan

    if demo != (url is None):
        return complain("bench needs an address or --demo", status=USAGE)
    plan = Plan(NOWHERE, (), chat, connections, rate, duration, text_size)
    try:
        return measure(url, token_file, plan, as_json=json)
    except UnusablePlan as error:
        return complain(str(error), status=USAGE)


@app.command
def drain(
    *, wait: Annotated[bool, Parameter(negative="--no-wait")] = True, port: Port = None
) -> None:
    """Have a running gateway end in good order, as SIGTERM does, and wait until it is gone.

    Args:
        wait: Wait, and say how far it is.
        port: Its internal port; INTERNAL_PORT unless given.
    """
    from gogate_trio.config import Settings
    from gogate_trio.departure import drain as depart
    from gogate_trio.remote import Remote

    depart(Remote(Settings.load(os.environ, DOTENV), port=port), wait=wait)


@app.command
def top(*, once: Annotated[bool, Parameter(negative="")] = False, port: Port = None) -> None:
    """Show a running gateway live: connections, rates, latencies, who is behind, who has left.

    Args:
        once: Draw one frame and end.
        port: Its internal port; INTERNAL_PORT unless given.
    """
    from gogate_trio.config import Settings
    from gogate_trio.remote import Remote
    from gogate_trio.top.loop import watch

    watch(Remote(Settings.load(os.environ, DOTENV), port=port), once=once)


@app.command
def nodes(*, json: Annotated[bool, Parameter(negative="")] = False, port: Port = None) -> None:
    """Show all gateways that are joined by one Redis, as one that runs here knows them.

    Args:
        json: Print them as JSON.
        port: Its internal port; INTERNAL_PORT unless given.
    """
    from gogate_trio.config import Settings
    from gogate_trio.listing import show_nodes
    from gogate_trio.remote import Remote

    show_nodes(Remote(Settings.load(os.environ, DOTENV), port=port), as_json=json)


@app.command
def version() -> None:
    """Print the version."""
    sys.stdout.write(f"gogate {__version__}\n")


def _show_findings(findings: Sequence[Finding]) -> None:
    from gogate_trio.console import show_table

    rows = [(one.name, one.state.value, one.detail, one.advice) for one in findings]
    show_table(("what", "state", "detail", "what to do"), rows)

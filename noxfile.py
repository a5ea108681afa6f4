"""The gates a change passes, one session each: ``nox`` runs them all but the browser's, the
minutes of ``cluster``, and the long search of ``fuzz``.

With ``--no-venv`` nothing is installed and the interpreter that runs nox is used: for a
machine whose environment is made already.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.stop_on_first_error = False
nox.options.sessions = ["lint", "types", "tests", "e2e", "docs"]

# Checks of flake8-async that are wrong about this project, each with its reason.
NOT_ASYNC = {
    "ASYNC9": "off unless asked for: a checkpoint on every path, where one may reorder events",
    "ASYNC114": "names every startable function in a list; nursery.start() is never in a with",
    "ASYNC122": "about trio before 0.27; ours is newer and pinned",
    "ASYNC127": "wants another HTTP client; the adapter's proofs hold for httpx as pinned",
    "ASYNC128": "does not see that a task status is handed on to the function that starts it",
}
# And about its tests.
NOT_ASYNC_IN_TESTS = {
    **NOT_ASYNC,
    "ASYNC110": "what only a real socket or file shows has no event to wait for",
    "ASYNC124": "a test that awaits nothing may still need trio's clock, and so must be async",
}

# What shows whether gateways can be joined by a server: each command and script, and the whole.
SPEAKING = (
    "tests/broker",
    "tests/registry",
    "tests/cluster/test_calm.py::test_several_nodes_are_one_to_their_clients[ab]",
)


def install(session: nox.Session) -> None:
    """Install the project as pinned, unless the environment is somebody else's."""
    if session.virtualenv.is_sandboxed:
        session.install("-c", "constraints.txt", "-e", ".[dev]")


def python(session: nox.Session, *arguments: str) -> None:
    """Run Python with these arguments: the session's, or the one that runs nox."""
    session.run(_interpreter(session), *arguments)


def pytest(session: nox.Session, *arguments: str) -> None:
    """Run pytest; what is written behind ``--`` narrows it down."""
    install(session)
    python(session, "-m", "pytest", *arguments, *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Style, likely mistakes, formatting, and the mistakes that only async code can have."""
    install(session)
    python(session, "-m", "ruff", "check", ".")
    python(session, "-m", "ruff", "format", "--check", ".")
    for folder, wrong in (("src", NOT_ASYNC), ("tests", NOT_ASYNC_IN_TESTS)):
        python(session, "-m", "flake8_async", "--disable", ",".join(wrong), *_sources(folder))


@nox.session
def types(session: nox.Session) -> None:
    """Every type in the package, strictly."""
    install(session)
    python(session, "-m", "mypy")


@nox.session
def tests(session: nox.Session) -> None:
    """Every law that needs no whole program."""
    pytest(session, "--ignore=tests/e2e")


@nox.session
def e2e(session: nox.Session) -> None:
    """The whole program from outside: processes, signals, real sockets."""
    pytest(session, "tests/e2e")


@nox.session
def cluster(session: nox.Session) -> None:
    """Several gateways, what joins them, and everything that goes wrong between them.

    All of it with a Valkey, and what speaks to the server again with each other one we claim:
    those of ``.ci/servers``, or the programs in ``REDIS_SERVERS``, with a colon between them.
    """
    # Several at a time: they wait more than they compute.
    pytest(session, "-n", "2", "tests/cluster", "tests/registry")
    if session.posargs:
        return
    named = os.environ.get("REDIS_SERVERS") or _found_servers(session)
    for server in named.split(":"):
        pytest(session, *SPEAKING, "-n", "4", "--redis-server", server)


@nox.session
def browser(session: nox.Session) -> None:
    """Two people chat in a real browser. Needs chromium."""
    pytest(session, "tests/browser")


@nox.session
def simulate(session: nox.Session) -> None:
    """Bad luck by the seed: as many as are written behind --, such as ``-- --seeds 100000``."""
    install(session)
    python(session, "tests/simulation/run.py", *session.posargs)


@nox.session
def fuzz(session: nox.Session) -> None:
    """Search for bytes that break something: half an hour a target, or the seconds behind --."""
    install(session)
    seconds = session.posargs[0] if session.posargs else "1800"
    for target in ("handshake", "frames", "commands", "node"):
        python(session, "tests/fuzz/run.py", target, seconds)


@nox.session
def bench(session: nox.Session) -> None:
    """What a unit of work costs, beside peers: 27 minutes; writes bench/RESULTS.md."""
    install(session)
    python(session, "bench/run.py", *session.posargs)


@nox.session(name="bench-smoke")
def bench_smoke(session: nox.Session) -> None:
    """Does the load generator see every fault, and has a delivery become several times dearer?"""
    install(session)
    python(session, "-m", "pytest", "bench")
    python(session, "bench/run.py", "--smoke")


@nox.session
def docs(session: nox.Session) -> None:
    """What is printed from the code is in the documents as it is in the code."""
    pytest(session, "tests/test_docs.py")


def _interpreter(session: nox.Session) -> str:
    return "python" if session.virtualenv.is_sandboxed else sys.executable


def _found_servers(session: nox.Session) -> str:
    """Unpack the other servers; return their programs with a colon between them."""
    session.log(".ci/servers")
    environment = {**os.environ, "PYTHON": sys.executable}
    found = subprocess.run([".ci/servers"], env=environment, stdout=subprocess.PIPE, check=True)
    return ":".join(found.stdout.decode().split())


def _sources(folder: str) -> list[str]:
    return sorted(str(path) for path in Path(folder).rglob("*.py"))

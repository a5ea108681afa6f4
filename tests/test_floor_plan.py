"""The floor plan: imports only ever go down, and the pure floors touch no input or output."""

from __future__ import annotations

import ast
from pathlib import Path

import attrs
import pytest

import gogate_trio

PACKAGE = "gogate_trio"
SOURCE = Path(gogate_trio.__file__).parent

# From the ground up. A module may import its own floor and every floor above it in this
# table. A name stands for a module or a package with all that is in it.
FLOORS = [
    ("ground", ["errors", "limits", "ids"]),
    ("protocol", ["protocol"]),
    ("state", ["state"]),
    (
        "edges",
        [
            *("config", "log", "metrics", "outbox", "pending_writes", "poller"),
            *("statefile", "systemd", "tracing"),
        ],
    ),
    ("adapters", ["backend", "broker", "cluster"]),
    (
        "house",
        [
            *("hub", "runs", "calls", "caller", "publisher", "typing_events", "resume"),
            *("tenure", "keeper"),
            *("router", "control", "roster", "succession", "presence", "whereabouts"),
        ],
    ),
    ("server", ["server", "internal"]),
    ("roof", ["assembly", "reload", "app"]),
    ("guest", ["demo"]),
    (
        "door",
        [
            *("check", "console", "remote", "departure", "listing", "top", "bench", "failure"),
            *("cli", "__main__"),
        ],
    ),
]

PURE = {"protocol", "state"}
"""Floors without input, output, clock or log, so that they can be tested without any."""

IMPURE = {
    *("anyio", "asyncio", "select", "selectors", "signal", "socket", "ssl"),
    *("httpcore", "httpx", "trio", "trio_websocket"),
    *("logging", "structlog"),
    *("os", "subprocess", "threading", "time"),
}
"""What the pure floors may not import, not even for a type."""

GUESTS_HOSTS = {"cli"}
"""The only ones that may import the demo: the gateway must not need its packages."""


@attrs.frozen
class Import:
    """One import statement's target."""

    module: str
    """The importing module, ``gogate_trio.`` taken off; empty for the package itself."""
    target: str
    """The imported module in full."""
    for_types_only: bool
    """Whether it stands under ``if TYPE_CHECKING``."""


def modules(root):
    """Every module of a package: its name with the package's taken off → its syntax tree."""
    found = {}
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        found[name] = ast.parse(path.read_text(), str(path))
    return found


def imports(tree, module, *, known, for_types_only=False):
    """All imports in a tree, at whatever depth."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and _asks_for_type_checking(node.test):
            for branch, types_only in ((node.body, True), (node.orelse, for_types_only)):
                block = ast.Module(branch, [])
                yield from imports(block, module, known=known, for_types_only=types_only)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(module, alias.name, for_types_only)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide the floor they come from"
            for alias in node.names:
                # ``from package import module`` names a module, ``from module import x`` none.
                deeper = f"{node.module}.{alias.name}"
                is_module = deeper.removeprefix(f"{PACKAGE}.") in known
                yield Import(module, deeper if is_module else node.module, for_types_only)
        else:
            yield from imports(node, module, known=known, for_types_only=for_types_only)


def _asks_for_type_checking(test):
    names = {"TYPE_CHECKING", "typing.TYPE_CHECKING"}
    return isinstance(test, ast.Name | ast.Attribute) and ast.unparse(test) in names


def floor_of(module):
    """The number and the name of the floor a module lives on; the package itself is ground."""
    room = module.partition(".")[0]
    for number, (name, rooms) in enumerate(FLOORS):
        if room in rooms or room == "":
            return number, name
    return None


def violations(root):
    """Everything that goes against the plan, as sentences."""
    trees = modules(root)
    sentences = [f"{module} is on no floor" for module in trees if floor_of(module) is None]
    placed = {module: tree for module, tree in trees.items() if floor_of(module)}
    for module, tree in placed.items():
        for one in imports(tree, module, known=set(trees)):
            sentences += _against_plan(one)
    return sentences


def _against_plan(one):
    here, floor = floor_of(one.module)
    if floor in PURE and one.target.partition(".")[0] in IMPURE:
        yield f"{one.module} is pure and imports {one.target}"
    if one.for_types_only or one.target.partition(".")[0] != PACKAGE:
        return
    target = one.target.removeprefix(PACKAGE).removeprefix(".")
    there = floor_of(target)
    if there is None:
        yield f"{one.module} imports {target}, which is on no floor"
    elif there[0] > here:
        yield f"{one.module} ({floor}) imports {target} ({there[1]}), which is above it"
    elif there[1] == "guest" and floor != "guest" and one.module not in GUESTS_HOSTS:
        yield f"{one.module} imports the guest {target}"


def test_imports_only_go_down():
    """No module imports from a floor above its own, and pure floors import nothing impure."""
    assert violations(SOURCE) == []


def test_every_room_of_the_plan_exists():
    """The plan names no room that is gone."""
    rooms = {module.partition(".")[0] for module in modules(SOURCE)}

    assert {room for _, floor in FLOORS for room in floor} <= rooms


def test_every_module_says_what_it_is_for():
    """Each module, and each package, opens with a docstring."""
    assert [name for name, tree in modules(SOURCE).items() if not ast.get_docstring(tree)] == []


def build(root, path, code):
    """A small house of empty rooms, one of which has this code."""
    rooms = ("app.py", "demo/command.py", "hub.py", "server/__init__.py", "server/door.py")
    for room in (*rooms, path):
        (root / room).parent.mkdir(exist_ok=True)
        (root / room).write_text("")
    (root / path).write_text(code)


@pytest.mark.parametrize(
    ("path", "code", "words"),
    [
        ("errors.py", "import gogate_trio.limits, gogate_trio.hub", "imports hub"),
        ("hub.py", "from gogate_trio import server", "imports server"),
        ("hub.py", "from gogate_trio.server.door import Door", "imports server.door"),
        (
            "backend/rest.py",
            "def f():\n    from gogate_trio.router import Router",
            "imports router",
        ),
        ("state/a.py", "try:\n    import trio\nexcept ImportError:\n    pass", "imports trio"),
        ("state/a.py", "import trio.lowlevel", "imports trio.lowlevel"),
        ("protocol/a.py", "from time import monotonic", "imports time"),
        ("protocol/a.py", "if TYPE_CHECKING:\n    import httpx", "imports httpx"),
        ("protocol/a.py", "if TYPE_CHECKING:\n    pass\nelse:\n    import gogate_trio.hub", "hub"),
        ("app.py", "from gogate_trio.demo import command", "demo.command"),
        ("check.py", "import gogate_trio.demo", "imports the guest demo"),
        ("demo/a.py", "import gogate_trio.cli", "imports cli"),
        ("attic.py", "", "attic is on no floor"),
    ],
)
def test_the_plan_sees_what_it_forbids(tmp_path, path, code, words):
    """Each way of breaking the plan is found, once, in whatever form it is written."""
    build(tmp_path, path, code)

    (sentence,) = violations(tmp_path)

    assert words in sentence


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("server/door.py", "import trio\nfrom gogate_trio.protocol import codec"),
        ("hub.py", "if TYPE_CHECKING:\n    from gogate_trio.server.door import Door"),
        ("hub.py", "if typing.TYPE_CHECKING:\n    import gogate_trio.app"),
        ("demo/a.py", "from gogate_trio import app, __version__"),
        ("cli.py", "def f():\n    from gogate_trio.demo import command"),
        ("state/a.py", "import collections\nfrom gogate_trio.protocol.commands import Auth"),
    ],
)
def test_the_plan_allows_what_it_should(tmp_path, path, code):
    """Going down, staying on the floor, and types from above are fine."""
    build(tmp_path, path, code)

    assert violations(tmp_path) == []

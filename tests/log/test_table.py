"""The document's table of events and the code that logs them: neither lacks one of the other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import gogate_trio

SOURCE = Path(gogate_trio.__file__).parent
DOCUMENT = SOURCE.parents[1] / "docs" / "operations.md"
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
AS_THEY_HAD = {"lines_held_back"}
"""What is logged at the level of something else, by a name of its own."""


def logged():
    """Yield the name and level of every event in the gateway's code, the demo's apart."""
    for path in sorted(SOURCE.rglob("*.py")):
        if "demo" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            said = ast.unparse(node.func)
            first = node.args[0] if node.args else None
            if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
                continue
            if node.func.attr in LEVELS and re.match(
                r"(_?log|_?logger|(?:log\.)?get_logger\(.*\))\.", said
            ):
                yield first.value, node.func.attr.replace("exception", "error")


def told():
    """Return what the document's table says: event → its levels."""
    text = DOCUMENT.read_text()
    table = text.partition("| event | level | meaning |")[2].partition("\n\n")[0]
    found = {}
    for row in table.strip().splitlines()[1:]:
        names, levels = row.split("|")[1:3]
        for name in re.findall(r"`([a-z_]+)`", names):
            found[name] = {level.strip() for level in levels.split(",")}
    return found


def test_every_event_that_is_logged_is_explained():
    """And nothing is explained that is never logged; its level is the one it has."""
    said = {}
    for name, level in logged():
        said.setdefault(name, set()).add(level)
    # Level debug is for those who read the code.
    loud = {name: levels - {"debug"} for name, levels in said.items() if levels != {"debug"}}
    explained = told()

    assert loud.keys() | AS_THEY_HAD == explained.keys()
    for name, levels in loud.items():
        assert levels <= explained[name], name

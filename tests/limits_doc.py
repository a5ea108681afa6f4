"""Writes ``docs/limits.md`` from the code: ``python tests/limits_doc.py``."""

from __future__ import annotations

import ast
import inspect
import itertools
import re
from pathlib import Path

import attrs

from gogate_trio import limits
from gogate_trio.config import Settings
from gogate_trio.config.allowances import OrAuto, RateKind
from gogate_trio.config.declare import entries
from gogate_trio.config.kinds import Duration, Whole
from limits_rows import INSIDE, MET

DOCUMENT = Path(__file__).parents[1] / "docs" / "limits.md"
NO_LIMITS = {"PORT"}
"""Settings that are numbers and bound nothing."""

_HEAD = """\
# Limits

Whatever a client does, something here stops it, and tells it why. This page is written from the
code by `python tests/limits_doc.py`; a test keeps the two equal.

What is called `limits.…` is fixed, and named as in `src/gogate_trio/limits.py`. All else is a
[setting](../README.md#settings). The codes are explained in [the protocol](protocol.md).

## What a client can meet

Each row has a test that runs into it through a real socket.

| limit | default | what is counted, and why so many | what the client sees | proof |
|---|---|---|---|---|
"""

_INSIDE = """
## Inside

These bound the gateway's own work. No client meets them.

| limit | default | what is counted, and why so many | proof |
|---|---|---|---|
"""


@attrs.frozen
class Limit:
    """One number that bounds something."""

    name: str
    default: str
    about: str
    is_setting: bool

    @property
    def title(self) -> str:
        """Its name as the document writes it."""
        return f"`{self.name}`" if self.is_setting else f"`limits.{self.name}`"


def all_limits() -> dict[str, Limit]:
    """Every limit there is, by its name: first the settings, then what is fixed."""
    return {one.name: one for one in (*_settings(), *_constants())}


def document() -> str:
    """The whole text of ``docs/limits.md``."""
    known = all_limits()
    met = [
        _row(known[name].title, known[name].default, known[name].about, row.sees, _link(row.proof))
        for name, row in MET.items()
    ]
    inside = [
        _row(known[name].title, known[name].default, known[name].about, _link(proof))
        for name, proof in INSIDE.items()
    ]
    return "".join([_HEAD, *met, _INSIDE, *inside])


def _settings() -> list[Limit]:
    return [
        Limit(entry.setting.name, entry.setting.default_text, entry.setting.help, is_setting=True)
        for entry in entries(Settings)
        if isinstance(entry.setting.kind, Whole | OrAuto | Duration | RateKind)
        and entry.setting.name not in NO_LIMITS
    ]


def _constants() -> list[Limit]:
    """What is fixed, as far as it is in use: a number that nobody reads bounds nothing."""
    body = ast.parse(inspect.getsource(limits)).body
    used = _names_in_use()
    found = []
    for statement, behind in itertools.pairwise(body):
        match statement, behind:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(about))),
            ) if name in used:
                value = _show(getattr(limits, name))
                found.append(Limit(name, value, " ".join(about.split()), is_setting=False))
    return found


def _names_in_use() -> set[str]:
    package = Path(limits.__file__).parent
    texts = [path.read_text() for path in package.rglob("*.py") if path != Path(limits.__file__)]
    return set(re.findall(r"\b[A-Z][A-Z_]+\b", "\n".join(texts)))


def _show(value: float | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_show, value))
    return f"{value:,}" if isinstance(value, int) else f"{value:,g}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |\n"


def _link(proof: str) -> str:
    file, _, name = proof.partition("::")
    return f"[`{name}`](../tests/{file})"


if __name__ == "__main__":
    DOCUMENT.write_text(document())

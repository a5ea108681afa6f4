"""The settings for people: ``.env.example``, the table of the docs, what is in force."""

from __future__ import annotations

import itertools
import textwrap
from typing import TYPE_CHECKING, Final

import attrs

from gogate_trio.config.declare import Entry, Source, entries
from gogate_trio.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

TABLE_START: Final = "<!-- settings -->"
TABLE_END: Final = "<!-- /settings -->"

_WIDTH: Final = 88
_HEAD: Final = """\
# The settings of GoGate. Copy this file to .env, or set the same names in the
# environment, which wins. `gogate config` shows what is in force and why.
# Durations are seconds, or have a unit: 54, 54s, 500ms, 1m30s.
"""


@attrs.frozen
class EffectiveSetting:
    """One setting in force."""

    name: str
    text: str
    """The value as an operator would write it; a secret is ``***``."""
    source: Source


def effective_settings(settings: Settings) -> tuple[EffectiveSetting, ...]:
    """Every setting with its value and where that came from, in the order of the tree."""
    return tuple(
        EffectiveSetting(
            entry.setting.name,
            entry.setting.kind.show(_value(settings, entry)),
            settings.sources.get(entry.setting.name, Source.DEFAULT),
        )
        for entry in entries(Settings)
    )


def env_example() -> str:
    """The text of ``.env.example``: a valid ``.env`` that leaves every default in force."""
    blocks = [_HEAD]
    for title, group in itertools.groupby(entries(Settings), lambda entry: entry.title):
        rule = "─" * (_WIDTH - len(title) - 6)
        blocks.append(f"\n# ── {title} {rule}\n")
        blocks += [f"\n{_example_block(entry)}" for entry in group]
    return "".join(blocks)


def settings_table() -> str:
    """The Markdown table of all settings, without a line break at its end."""
    return "\n".join(_table_lines())


def with_settings_table(document: str) -> str:
    """The Markdown document with the table of today between its two markers.

    Raises:
        ValueError: the document has not exactly one pair of markers.
    """
    before, start, rest = document.partition(TABLE_START)
    _, end, after = rest.partition(TABLE_END)
    if not start or not end or TABLE_START in rest or TABLE_END in after:
        raise ValueError(f"the document needs one {TABLE_START} and one {TABLE_END} after it")
    return f"{before}{start}\n\n{settings_table()}\n\n{end}{after}"


def _value(settings: Settings, entry: Entry) -> object:
    return getattr(getattr(settings, entry.group.name), entry.attribute)


def _example_block(entry: Entry) -> str:
    setting = entry.setting
    about = f"{setting.help} ({'required' if setting.required else setting.kind.bounds})"
    comment = textwrap.fill(
        about, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
    )
    line = f"# {setting.name}={setting.default_text}"
    if setting.example is not None:
        line = f"{setting.name}={setting.example}"
    return f"{comment}\n{line}\n"


def _table_lines() -> Iterator[str]:
    yield "| variable | default | allowed | what it does |"
    yield "|---|---|---|---|"
    for entry in entries(Settings):
        setting = entry.setting
        default = "**required**" if setting.required else _code(setting.default_text)
        # A bare pipe would end the cell, even inside code.
        bounds = _code(setting.kind.bounds.replace("|", "\\|"))
        yield f"| `{setting.name}` | {default} | {bounds} | {setting.help} |"


def _code(text: str) -> str:
    return f"`{text}`" if text else "(empty)"

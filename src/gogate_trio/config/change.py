"""What differs between two trees of settings, and one made of both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gogate_trio.config.declare import Entry, build, entries
from gogate_trio.config.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Collection


def differences(before: Settings, after: Settings) -> list[str]:
    """Return the names of the settings that differ, in the order of their declaration."""
    return [
        entry.setting.name
        for entry in entries(Settings)
        if _value(before, entry) != _value(after, entry)
    ]


def with_values_of(before: Settings, after: Settings, names: Collection[str]) -> Settings:
    """Return the settings of before, with the values of after under these names."""
    values = {
        entry.setting.name: _value(after if entry.setting.name in names else before, entry)
        for entry in entries(Settings)
    }
    return build(Settings, values, sources=after.sources)


def _value(settings: Settings, entry: Entry) -> object:
    value: object = getattr(getattr(settings, entry.group.name), entry.attribute)
    return value

"""What is said about a mistake in the settings: one line each, all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import attrs

from gogate_trio.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterable

QUOTED_CHARACTERS: Final = 60
"""characters of an operator's text that are repeated: enough to recognise it, on one line."""


@attrs.frozen
class Problem:
    """One mistake: the variable it is about and what to do, on one line and without a secret."""

    name: str
    """The variable, or the file when no variable can be named."""
    text: str

    def __str__(self) -> str:
        return f"{self.name}: {self.text}"


class ConfigError(OperatorError):
    """The settings cannot be used. ``str()`` lists every problem, one per line."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Take all problems; there is at least one."""
        self.problems = tuple(problems)
        count = len(self.problems)
        title = "1 problem" if count == 1 else f"{count} problems"
        super().__init__("\n  ".join([f"{title} with the settings:", *map(str, self.problems)]))


class Unusable(ValueError):
    """A text is no value of its kind. The message continues "NAME: …" and is safe to print."""


def quote(text: str) -> str:
    """The operator's text, fit for one line of an error: capped, control characters escaped."""
    return f"'{cleaned(text)}'"


def cleaned(text: str) -> str:
    """As ``quote``, without the quotes: for names."""
    head = text[:QUOTED_CHARACTERS]
    shown = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in head)
    return shown if len(text) <= QUOTED_CHARACTERS else f"{shown}…"

"""A secret that stands in a file: named by a setting, or handed over by systemd.

A variable is seen by everything that sees the process's environment; a file has an owner
and a mode. Docker and Kubernetes mount secrets as files, systemd as credentials.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from gogate_trio.config.declare import Source
from gogate_trio.config.problems import Problem
from gogate_trio.config.secret import KEY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd says where it has put a service's credentials."""

_MOST_BYTES: Final = KEY_CHARACTERS + 3
"""bytes read of a file: the longest key, a line break, and one more to see that it is too long"""


@attrs.frozen
class Raw:
    """A text some source holds for a setting."""

    text: str = attrs.field(repr=False)
    source: Source
    place: str
    """Where the operator finds it."""


@attrs.frozen(kw_only=True)
class KeyFile:
    """The other ways in which a secret may be given."""

    secret: str
    """The setting that holds the secret itself."""
    setting: str
    """The setting that names a file instead."""
    credential: str
    """The systemd credential that serves when neither is set."""

    def find(
        self, raws: Mapping[str, Raw | None], environ: Mapping[str, str]
    ) -> Raw | Problem | None:
        """The secret's text, or why it cannot be had; None: it is nowhere.

        The stronger source wins; the secret and a file from the same source contradict
        each other. ``raws`` is what the sources say about each setting.
        """
        given, named = raws[self.secret], raws[self.setting]
        if named is None or not named.text:
            return given or self._handed_over(environ)
        if given is not None and given.source is named.source:
            return Problem(self.setting, f"is set beside {self.secret}: give one of the two")
        if given is not None and given.source is Source.ENVIRONMENT:
            return given
        where = f"in the file of {self.setting}, {named.place}"
        return self._read(self.setting, Path(named.text), Source.FILE, where)

    def _handed_over(self, environ: Mapping[str, str]) -> Raw | Problem | None:
        folder = environ.get(CREDENTIALS)
        path = Path(folder, self.credential) if folder else None
        if path is None or not path.exists():
            return None
        where = f"in the systemd credential {self.credential}"
        return self._read(self.secret, path, Source.CREDENTIAL, where)

    def _read(self, name: str, path: Path, source: Source, where: str) -> Raw | Problem:
        """The file's text without the line break that editors put at its end."""
        try:
            if path.exists() and not path.is_file():
                # A pipe would be waited for.
                return Problem(name, f"names no regular file ({where})")
            with path.open("rb") as file:
                content = file.read(_MOST_BYTES)
        except (OSError, ValueError) as error:
            reason = (error.strerror if isinstance(error, OSError) else None) or "no such name"
            return Problem(name, f"cannot be read: {reason} ({where})")
        # latin-1 reads anything; what is no key is then refused as any other wrong character.
        return Raw(_without_line_break(content.decode("latin-1")), source, where)


def _without_line_break(text: str) -> str:
    return text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text

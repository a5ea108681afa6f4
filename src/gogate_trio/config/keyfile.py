"""A secret that stands in a file: named by a setting, or handed over by systemd.

A variable is seen by everything that sees the process's environment; a file has an owner
and a mode. Docker and Kubernetes mount secrets as files, systemd as credentials.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from gogate_trio.config.declare import Source
from gogate_trio.config.problems import Problem, Unusable
from gogate_trio.config.secret import KEY_CHARACTERS

if TYPE_CHECKING:
    from collections.abc import Mapping

CREDENTIALS: Final = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd says where it has put a service's credentials."""

_LINE_BREAK: Final = 2
"""bytes of the longest line break an editor leaves at the end"""


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
        self, sources: tuple[Mapping[str, Raw], ...], environ: Mapping[str, str]
    ) -> Raw | Problem | None:
        """What the strongest source says, or what is wrong with it; None: nobody says anything.

        ``sources`` hold the raw settings by name, the strongest source first.
        """
        for source in sources:
            given, named = source.get(self.secret), source.get(self.setting)
            if named and not named.text:
                named = None
            if given and named:
                return Problem(self.setting, f"is set beside {self.secret}: give only one")
            if given:
                return given
            if named:
                return self._read(Path(named.text), named)
            if self.setting in source:
                # Set to nothing on purpose: a weaker source does not name a file either.
                continue
        return self._find_credential(environ)

"""A value that does not print, and the kind of setting that holds one."""

from __future__ import annotations

import hmac
import re
from typing import ClassVar, Final

import attrs

from gogate_trio.config.problems import Unusable

HIDDEN: Final = "***"
"""What is shown instead of a secret. Its length says nothing about the secret's."""

KEY_CHARACTERS: Final = 4096
"""characters of a key: half of what common servers take as one header line."""

_INVISIBLE: Final = re.compile(r"[^!-~]")


class Secret:
    """A text that ``repr``, ``str``, formatting and JSON fall-backs show as ``***``.

    A plain class, not an attrs one: ``attrs.asdict`` and structlog must not look inside.
    """

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The secret itself: for the header it is sent in, and for nothing that prints."""
        return self._value

    def __repr__(self) -> str:
        return HIDDEN

    def __eq__(self, other: object) -> bool:
        """Compare without telling by time how much was right."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(
            self._value.encode("utf-8", "surrogatepass"),
            other._value.encode("utf-8", "surrogatepass"),
        )

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> str:
        """Refuse to be pickled: a pickle is a print."""
        raise TypeError("a secret is not pickled")


@attrs.frozen
class Key:
    """A key that goes into an HTTP header: visible ASCII. Its text is never quoted in an error."""

    bounds: ClassVar[str] = "visible ASCII characters"

    def parse(self, text: str) -> Secret:
        """The key, or a message that says where it is wrong and nothing of what it is."""
        if not text:
            raise Unusable("is empty")
        if len(text) > KEY_CHARACTERS:
            raise Unusable(f"is longer than {KEY_CHARACTERS} characters")
        wrong = _INVISIBLE.search(text)
        if wrong is None:
            return Secret(text)
        if not text[wrong.start() :].strip():
            raise Unusable("ends with a blank or a line break")
        raise Unusable(f"character {wrong.start() + 1} is not visible ASCII")

    def show(self, value: Secret) -> str:
        """Never the key."""
        return repr(value)

"""Kinds of settings: from an operator's text to a checked value, and back to a text.

A kind is strict: what it does not expect it refuses, with a message that names the bounds.
For every kind but a secret, ``parse(show(value)) == value``.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import ClassVar, Final, Generic, Protocol, TypeVar

import attrs

from gogate_trio.config.problems import Unusable, quote

T = TypeVar("T")
Word = TypeVar("Word", bound=str)

_WHOLE: Final = re.compile(r"-?[0-9]{1,18}")
_NUMBER: Final = r"[0-9]{1,12}(?:\.[0-9]{1,9})?"
_PLAIN_SECONDS: Final = re.compile(_NUMBER)
_PARTS: Final = re.compile(rf"(?:{_NUMBER}(?:ms|h|m|s))+")
_PART: Final = re.compile(rf"({_NUMBER})(ms|h|m|s)")
_UNITS: Final = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_TRUE: Final = frozenset({"true", "1", "yes", "on"})
_FALSE: Final = frozenset({"false", "0", "no", "off"})


class Kind(Protocol[T]):
    """What every kind can do."""

    @property
    def bounds(self) -> str:
        """What is allowed, for people: ``0 to 65535``. Empty when the help says it all."""

    def parse(self, text: str) -> T:
        """The value, or ``Unusable`` with the reason."""

    def show(self, value: T) -> str:
        """The value as an operator would write it; never a secret."""


@attrs.frozen
class Whole:
    """A whole number within bounds."""

    minimum: int
    maximum: int

    @property
    def bounds(self) -> str:
        """Both ends, inclusive."""
        return f"{self.minimum} to {self.maximum}"

    def parse(self, text: str) -> int:
        """Digits and nothing else: no blanks, no underscores, no fraction."""
        if not _WHOLE.fullmatch(text):
            raise Unusable(f"{quote(text)} is not a whole number")
        value = int(text)
        if not self.minimum <= value <= self.maximum:
            raise Unusable(f"{value} is out of range: {self.bounds}")
        return value

    def show(self, value: int) -> str:
        """Plain digits."""
        return str(value)


@attrs.frozen
class Duration:
    """A length of time within bounds, in seconds. Written ``54``, ``54s``, ``500ms``, ``1m30s``.

    These are the durations of Go, and a bare number is seconds: whatever the operator of
    the Go program had written stays valid.
    """

    minimum: float
    maximum: float

    @property
    def bounds(self) -> str:
        """Both ends, inclusive."""
        return f"{self.show(self.minimum)} to {self.show(self.maximum)}"

    def parse(self, text: str) -> float:
        """Seconds."""
        if _PLAIN_SECONDS.fullmatch(text):
            value = float(text)
        elif _PARTS.fullmatch(text):
            # Decimal, so that 1m0.1s is the float that a reader expects.
            value = float(sum(Decimal(n) * _UNITS[unit] for n, unit in _PART.findall(text)))
        else:
            raise Unusable(f"{quote(text)} is not a duration such as 54, 54s, 500ms or 1m30s")
        if not self.minimum <= value <= self.maximum:
            raise Unusable(f"{self.show(value)} is out of range: {self.bounds}")
        return value

    def show(self, value: float) -> str:
        """Seconds, or milliseconds below one second: one unit each, so that bounds compare."""
        exact = Decimal(repr(value))
        if 0 < exact < 1:
            return f"{(exact * 1000).normalize():f}ms"
        return f"{exact.normalize():f}s"


@attrs.frozen
class Choice(Generic[Word]):
    """One of a few words."""

    words: tuple[Word, ...]

    @property
    def bounds(self) -> str:
        """All the words."""
        return " | ".join(self.words)

    def parse(self, text: str) -> Word:
        """The word, in whatever case it was written."""
        for word in self.words:
            if text.lower() == word:
                return word
        raise Unusable(f"{quote(text)} is none of {', '.join(self.words)}")

    def show(self, value: Word) -> str:
        """The word."""
        return value


@attrs.frozen
class Switch:
    """On or off."""

    bounds: ClassVar[str] = "true | false"

    def parse(self, text: str) -> bool:
        """What common tools take for a yes or a no."""
        word = text.lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
        raise Unusable(f"{quote(text)} is neither true nor false")

    def show(self, value: bool) -> str:  # noqa: FBT001  # the value of this kind is a boolean
        """``true`` or ``false``."""
        return "true" if value else "false"


@attrs.frozen
class FileName:
    """The name of a file, or nothing. Whether it is there is seen when it is used."""

    bounds: ClassVar[str] = "file name"

    def parse(self, text: str) -> str:
        """The name as it is: blanks and tildes may be part of it."""
        if "\0" in text:
            raise Unusable("holds a NUL")
        return text

    def show(self, value: str) -> str:
        """The name."""
        return value


@attrs.frozen
class Several(Generic[T]):
    """Any number of values of one kind, separated by commas; empty means none."""

    of: Kind[T]

    @property
    def bounds(self) -> str:
        """The bounds of each one."""
        return f"comma separated: {self.of.bounds}" if self.of.bounds else "comma separated"

    def parse(self, text: str) -> tuple[T, ...]:
        """The values in their order. Blanks around a comma do not matter, an empty item does."""
        if not text.strip():
            return ()
        items = [item.strip() for item in text.split(",")]
        if "" in items:
            raise Unusable("has an empty item between its commas")
        return tuple(self.of.parse(item) for item in items)

    def show(self, value: tuple[T, ...]) -> str:
        """One line."""
        return ",".join(self.of.show(item) for item in value)

"""What has happened, in the order in which it did; and a story for who has to understand it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import attrs


@attrs.frozen
class Note:
    """One thing that has happened."""

    at: float
    """Seconds since the beginning."""
    who: str
    what: str
    details: dict[str, Any]

    def __str__(self) -> str:
        told = " ".join(f"{name}={value}" for name, value in self.details.items())
        return f"{self.at:9.3f}  {self.who:<12} {self.what:<12} {told}"


@attrs.define(eq=False)
class Chronicle:
    """Everything that has happened to everybody."""

    clock: Callable[[], float]
    notes: list[Note] = attrs.field(factory=list)
    _began: float | None = None

    def note(self, who: str, what: str, **details: Any) -> None:
        """Write down what happens now."""
        self.notes.append(Note(self.now(), who, what, details))

    def now(self) -> float:
        """Return the seconds since the beginning, which is the first time somebody asks."""
        now = self.clock()
        self._began = now if self._began is None else self._began
        return now - self._began

    def of(self, *whats: str) -> Iterator[Note]:
        """Yield the notes of some kinds, in order."""
        return (note for note in self.notes if note.what in whats)

    def story(self, about: set[str] | None = None) -> str:
        """Return what happened; ``about`` leaves out the messages that are not in it."""
        return "\n".join(
            str(note)
            for note in self.notes
            if about is None or note.details.get("text") in {None, *about}
        )

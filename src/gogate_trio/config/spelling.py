"""Which setting was meant by a name that is none.

``meant_in_file`` guesses freely: a name in our own ``.env`` that is not ours is a mistake
anyway. ``meant_in_environment`` accuses, so it must never hit a name that belongs to
somebody else: it looks at long names only, and at small slips only.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection

SLIP_CHARACTERS: Final = 8
"""characters from which on one slip is no coincidence (LOG_LEVL): PORT and HOST are one slip
away from dozens of other programs' names."""

TWO_SLIPS_CHARACTERS: Final = 11
"""characters from which on two slips are none (PNIG_PEROID)."""

SHORTENED_CHARACTERS: Final = 10
"""characters a name with a word left out must keep (BACKEND_URL): MAX_SIZE could be anybody's."""

SHORTENED_WORDS: Final = 3
"""words a name must have before one in its middle can be left out."""

STRANGERS: Final = frozenset({"LOGLEVEL"})
"""Names within reach that other programs read."""


def meant_in_file(name: str, known: Collection[str]) -> str | None:
    """The closest setting, if any is close."""
    return next(iter(difflib.get_close_matches(name.upper(), known, n=1, cutoff=0.7)), None)


def meant_in_environment(
    name: str, known: Collection[str], *, present: Collection[str]
) -> str | None:
    """The setting that the operator certainly meant by this name, if any.

    ``present`` are the names in the same environment: when BACKEND_API_URL is there too,
    BACKEND_URL is likely to be another program's.
    """
    if name in known or name in STRANGERS:
        return None
    upper = name.upper()
    for candidate in known:
        if _is_slip(upper, candidate):
            return candidate
    for candidate in known:
        if candidate not in present and _is_shortened(upper, candidate):
            return candidate
    return None


def _is_slip(name: str, candidate: str) -> bool:
    """Whether the name is the candidate with a key or two hit wrongly."""
    if min(len(name), len(candidate)) < SLIP_CHARACTERS:
        return False
    allowed = 1 if len(candidate) < TWO_SLIPS_CHARACTERS else 2
    if abs(len(name) - len(candidate)) > allowed:
        return False
    return distance(name, candidate) <= allowed


def _is_shortened(name: str, candidate: str) -> bool:
    """Whether the name is the candidate with one word left out of its middle."""
    words = candidate.split("_")
    if len(words) < SHORTENED_WORDS or len(name) < SHORTENED_CHARACTERS:
        return False
    return any(name == "_".join(words[:i] + words[i + 1 :]) for i in range(1, len(words) - 1))


def distance(left: str, right: str) -> int:
    """Insertions, deletions, replacements and swaps of neighbours from one to the other."""
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, 1):
        current = [i]
        for j, b in enumerate(right, 1):
            best = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                best = min(best, before[j - 2] + 1)
            current.append(best)
        before, previous = previous, current
    return previous[-1]

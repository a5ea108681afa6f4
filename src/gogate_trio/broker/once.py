"""Which keys have been published lately, as far as one node knows."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator

from gogate_trio.limits import ONCE_KEYS, ONCE_SECONDS


class Once:
    """A bounded set of keys that forgets. Time is an argument and never goes back."""

    def __init__(self) -> None:
        self._until: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._until)

    def is_known(self, key: str | None, now: float) -> bool:
        """Whether a key has been noted lately. None never has."""
        return key is not None and self._until.get(key, now) > now

    def forget(self, key: str | None) -> None:
        """Undo ``note``: what was to be published was not."""
        if key is not None:
            self._until.pop(key, None)

    def left(self, now: float) -> Iterator[tuple[str, float]]:
        """Yield each key and for how many seconds it is remembered still, the oldest first."""
        for key, until in self._until.items():
            if until > now:
                yield key, until - now

    def restore(self, keys: Iterable[tuple[str, float]], now: float) -> None:
        """Remember the keys of another process for so many seconds, the oldest first."""
        self._until.update((key, now + left) for key, left in keys if left > 0)

    def note(self, key: str | None, now: float) -> None:
        """Remember a key; the oldest goes when there are too many."""
        if key is None:
            return
        self._until[key] = now + ONCE_SECONDS
        self._until.move_to_end(key)
        while len(self._until) > ONCE_KEYS or next(iter(self._until.values())) <= now:
            self._until.popitem(last=False)

"""What was asked for lately under a key of the caller's choice, so that it is done once."""

from __future__ import annotations

from collections import OrderedDict

from gogate_trio.limits import IDEMPOTENCY_KEYS, IDEMPOTENCY_SECONDS


class OnceKeys:
    """The keys of the last minutes; bounded, the oldest goes first. Time never goes back."""

    def __init__(self, capacity: int = IDEMPOTENCY_KEYS) -> None:
        self._capacity = capacity
        self._since: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Return how many keys are remembered."""
        return len(self._since)

    def claim(self, key: str, now: float) -> bool:
        """Take a key; False when somebody has it."""
        while self._since and now - next(iter(self._since.values())) >= IDEMPOTENCY_SECONDS:
            self._since.popitem(last=False)
        if key in self._since:
            return False
        if len(self._since) >= self._capacity:
            self._since.popitem(last=False)
        self._since[key] = now
        return True

    def release(self, key: str) -> None:
        """Give a key back: what it was taken for has not happened."""
        self._since.pop(key, None)

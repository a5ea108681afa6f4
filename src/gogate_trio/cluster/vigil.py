"""Who does not come back when Redis does.

A node that serves its clients alone, while Redis is away, owes the others what it told them.
One that is killed meanwhile takes that along, and nobody else knows what it was: but that a
node is missing, they see.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet


class Vigil:
    """One node's look at the others over an outage. Time is an argument."""

    def __init__(self, patience: float) -> None:
        """``patience``: seconds after an outage within which a node that lives is seen."""
        self._patience = patience
        self._seen: frozenset[str] = frozenset()
        self._awaited: frozenset[str] = frozenset()
        self._back_at: float | None = None

    def lose_sight(self) -> None:
        """Redis is away: whoever was here is to be here afterwards."""
        self._awaited |= self._seen
        self._back_at = None

    def see(self, nodes: AbstractSet[str], now: float) -> frozenset[str]:
        """Redis is there, and so are these; return who has been missing for too long, once."""
        self._seen = frozenset(nodes)
        if self._back_at is None:
            self._back_at = now
        if now - self._back_at < self._patience:
            return frozenset()
        # Not before: a sign of life from the moment it was killed still counts for a while.
        missing, self._awaited = self._awaited - self._seen, frozenset()
        return missing

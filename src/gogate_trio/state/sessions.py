"""What survives a reconnect: a client's session, and the outcomes of its commands.

A session begins with an ``auth`` that asks for it and ends some time after its last
connection. It belongs to one user. In it, a command's id names one command: its first
outcome is kept for a while and given again to whoever asks again.
"""

from __future__ import annotations

import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Iterator
from enum import Enum
from typing import Final, Generic, TypeVar

import attrs

from gogate_trio.ids import UserId
from gogate_trio.limits import OUTCOME_SECONDS, OUTCOMES, SESSIONS
from gogate_trio.protocol.commands import CommandId
from gogate_trio.state.history import Position

O = TypeVar("O")  # noqa: E741 - the outcome
W = TypeVar("W")


class Claim(Enum):
    """Whose turn it is with a command id."""

    MINE = "do it, then settle it"
    JOINED = "somebody is at it; the outcome will be told"


@attrs.define(eq=False)
class _Kept(Generic[O, W]):
    at: float
    outcome: O | None = None
    waiters: list[W] = attrs.field(factory=list)


class Outcomes(Generic[O, W]):
    """The outcomes of one session's commands; bounded in number and in time.

    ``O`` is an outcome, ``W`` somebody who waits for one.
    """

    def __init__(self, scope: str = "") -> None:
        """``scope`` tells these commands from others': the session's id, or a connection's."""
        self.scope = scope
        self._kept: OrderedDict[CommandId, _Kept[O, W]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many commands are remembered."""
        return len(self._kept)

    def claim(self, command_id: CommandId, waiter: W, now: float) -> Claim | O:
        """Return the outcome if there is one; else join whoever is at it, or go ahead."""
        self._forget(before=now - OUTCOME_SECONDS)
        kept = self._kept.get(command_id)
        if kept is None:
            self._forget(most=OUTCOMES - 1)
            self._kept[command_id] = _Kept(now)
            return Claim.MINE
        if kept.outcome is None:
            kept.waiters.append(waiter)
            return Claim.JOINED
        return kept.outcome

    def settle(self, command_id: CommandId, outcome: O, now: float) -> list[W]:
        """Keep the outcome of a claimed command; return who has joined meanwhile."""
        kept = self._kept.pop(command_id)
        self._kept[command_id] = _Kept(now, outcome)
        return kept.waiters

    def release(self, command_id: CommandId) -> list[W]:
        """Nothing has happened: let the id be claimed again. Return who has joined."""
        return self._kept.pop(command_id).waiters

    def settled(self) -> Iterator[tuple[CommandId, O, float]]:
        """Yield what is kept of commands that are done, oldest first: id, outcome, when."""
        for command_id, kept in self._kept.items():
            if kept.outcome is not None:
                yield command_id, kept.outcome, kept.at

    def restore(self, command_id: CommandId, outcome: O, at: float) -> None:
        """Keep the outcome of a command that was settled in another process, oldest first."""
        self._kept[command_id] = _Kept(at, outcome)

    def _forget(self, *, before: float = -math.inf, most: float = math.inf) -> None:
        """Drop the oldest: what is older than that, and more than so many.

        Never what is under way, nor what was settled after it.
        """
        while self._kept:
            command_id, oldest = next(iter(self._kept.items()))
            is_due = oldest.at < before or len(self._kept) > most
            if oldest.outcome is None or not is_due:
                return
            del self._kept[command_id]


@attrs.define(eq=False)
class Session(Generic[O, W]):
    """One client over all its connections."""

    session_id: str
    user_id: UserId
    outcomes: Outcomes[O, W] = attrs.field(repr=False)
    connections: int = 0
    """Connections it has right now."""
    told_to: int = 0
    """The offset of the newest durable event that was offered to one that has ended."""
    complete_at: Position | None = None
    """Between ``told_to`` and here there was nothing for it: so far it has listened."""
    left_time: float = 0.0
    """When its last connection ended."""


class Sessions(Generic[O, W]):
    """The sessions of one node; bounded in number, and in time once nobody is connected."""

    def __init__(self, window: float) -> None:
        """``window``: seconds a session lives on without a connection.

        It lives at least as long as the outcomes of its commands count.
        """
        self._window = max(window, OUTCOME_SECONDS)
        self._here: dict[str, Session[O, W]] = {}
        self._away: OrderedDict[str, Session[O, W]] = OrderedDict()

    def __len__(self) -> int:
        """Return how many sessions there are."""
        return len(self._here) + len(self._away)

    def open(self, user_id: UserId, now: float, *, name: str | None = None) -> Session[O, W]:
        """Begin a session with one connection.

        ``name``: what the client calls it, that had it of another node or before a restart.
        It keeps that name, and its commands with it: to the backend a repetition is the same
        command as before. A name that is taken, or that no node can have given, is not kept.
        """
        self._forget(now)
        is_free = name is not None and _NAME.fullmatch(name) and not self.is_known(name)
        session_id = name if name is not None and is_free else secrets.token_urlsafe(16)
        session = Session[O, W](session_id, user_id, Outcomes(session_id), connections=1)
        self._here[session_id] = session
        return session

    def resume(self, session_id: str, user_id: UserId, now: float) -> Session[O, W] | None:
        """Add a connection to a session of this user; None when there is none."""
        self._forget(now)
        session = self._here.get(session_id) or self._away.get(session_id)
        if session is None or session.user_id != user_id:
            return None
        self._away.pop(session_id, None)
        self._here[session_id] = session
        session.connections += 1
        return session

    def is_of(self, session_id: str, user_id: UserId) -> bool:
        """Whether there is such a session of this user's."""
        session = self._here.get(session_id) or self._away.get(session_id)
        return session is not None and session.user_id == user_id

    def is_known(self, session_id: str) -> bool:
        """Whether there is such a session, whosever it is."""
        return session_id in self._here or session_id in self._away

    def leave(
        self, session: Session[O, W], *, told_to: int, listened_to: Position | None, now: float
    ) -> None:
        """Take a connection out, to which nothing above ``told_to`` was offered.

        ``listened_to``: up to where it would have been; None when it was not listening, but
        still being told what it had missed: then there may be more for it above ``told_to``.
        """
        session.connections -= 1
        session.told_to = max(session.told_to, told_to)
        if listened_to is not None:
            session.complete_at = listened_to
        if session.connections:
            return
        session.left_time = now
        del self._here[session.session_id]
        self._away[session.session_id] = session

    def away(self) -> Iterator[Session[O, W]]:
        """Yield the sessions that nobody is connected to, the one that was left first first."""
        return iter(self._away.values())

    def restore(self, session: Session[O, W]) -> None:
        """Remember a session of another process, the one that was left first first."""
        self._away[session.session_id] = session

    def _forget(self, now: float) -> None:
        """Drop the sessions that nobody came back for, and the oldest such beyond the bound."""
        while self._away:
            session_id, oldest = next(iter(self._away.items()))
            if now - oldest.left_time <= self._window and len(self) < SESSIONS:
                return
            del self._away[session_id]


_NAME: Final = re.compile(r"[A-Za-z0-9_-]{22}")
"""What ``secrets.token_urlsafe(16)`` returns: 128 random bits, so no two sessions share one."""

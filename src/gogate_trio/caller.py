"""The connection a command came from, as the rooms above the sockets see it."""

from __future__ import annotations

from typing import Protocol

import attrs
import trio

from gogate_trio.backend.base import User
from gogate_trio.calls import Lane
from gogate_trio.ids import ChatId, ConnectionId
from gogate_trio.outbox import Outbox
from gogate_trio.protocol import refusals
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.commands import CommandId
from gogate_trio.protocol.events import Event
from gogate_trio.protocol.refusals import Refusal
from gogate_trio.state.sessions import Outcomes, Session
from gogate_trio.tracing.spans import Span


class Caller(Protocol):
    """One connection. Implemented by ``server.connection``."""

    number: ConnectionId
    user: User | None
    """Who it is, once it has proved it."""
    token: str
    """The user's JWT, for calls in their name."""
    session: CallerSession | None
    """What survives a reconnect, once the client has asked for it."""
    wants_notices: bool
    """Whether it asked to be told when its token is about to end."""
    early: int
    """Commands it sent without being known."""
    hangup: Hangup | None
    """Why it is leaving; None while it is here."""
    lane: Lane
    outbox: Outbox
    typing: dict[ChatId, bool]
    """The latest typing state of each chat that waits to be told."""

    @property
    def outcomes(self) -> CallerOutcomes:
        """The outcomes of its commands that have an id: the session's, if there is one."""

    def reply(self, event: Event, to: CommandId | None = None) -> None:
        """Tell this connection alone; ``to`` is the id of the command it answers."""

    def refuse(self, refusal: Refusal, to: CommandId | None = None) -> None:
        """Tell this connection alone that something was refused."""

    def identify(self, user: User, token: str) -> bool:
        """It is this user from now on. False when it may not come in (any more)."""

    @property
    def is_listening(self) -> bool:
        """Whether it has its user's events."""

    def listen(self) -> None:
        """Let it have its user's events from now on, unless it has them or is leaving."""

    def pause(self) -> None:
        """Let it have none until it listens again."""

    def hang_up(self, hangup: Hangup) -> None:
        """End the connection."""


@attrs.frozen
class Ask:
    """One command's sender, and the id its reply must carry, if it has one."""

    caller: Caller
    command_id: CommandId | None = None
    since: float = attrs.field(factory=trio.current_time)
    """When the command was read: trio's clock, seconds."""
    span: Span | None = None
    """The command in its trace; None when nobody traces it."""

    def answer(self, outcome: Outcome) -> None:
        """Tell the sender how it went: success only where there is an id to name.

        Nor is what its goodbye says said before without an id.
        """
        if self.span is not None:
            _note(self.span, outcome)
        if isinstance(outcome, Refusal):
            hangup = self.caller.hangup
            if self.command_id is not None or hangup is None or hangup.refusal is not outcome:
                self.caller.refuse(outcome, self.command_id)
        elif self.command_id is not None:
            self.caller.reply(outcome, self.command_id)


def _note(span: Span, outcome: Outcome) -> None:
    """Say how a command went; a refusal that is the client's own doing is no failure."""
    if isinstance(outcome, Refusal):
        span.note(outcome.code, failed=outcome.code in _OURS)
    else:
        span.note("ok", failed=False)


_OURS = frozenset(
    {
        refusals.BACKEND_UNAVAILABLE,
        refusals.OUTCOME_UNKNOWN,
        refusals.BUSY.code,
        refusals.INTERNAL_ERROR.code,
    }
)
"""Codes of refusals that are the backend's doing, or ours."""

Outcome = Event | Refusal
"""How a command went: its ``ack``, or why not."""


@attrs.frozen(eq=False)
class Joined:
    """Somebody who asked for what somebody else is at."""

    ask: Ask
    told: trio.Event = attrs.field(factory=trio.Event)
    """Set when the outcome has been told."""


CallerOutcomes = Outcomes[Outcome, Joined]
CallerSession = Session[Outcome, Joined]

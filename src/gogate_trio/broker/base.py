"""The port to the broker: publications in, the same publications out on every node.

Promise: durable publications come out of every node in one total order, and those of one
publisher in the order in which it published them. An ephemeral publication may be missed
and keeps no order with durable ones.

Not promised: that a publication is delivered to anybody. It reaches the hub; who is
connected gets it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import attrs
import trio

from gogate_trio.ids import ChatId, MessageId, UserId
from gogate_trio.state.history import Entry


@attrs.define(eq=False)
class Publication:
    """An event on its way to its audience. Compared by identity."""

    text: bytes
    """The event, one JSON document."""
    audience: Mapping[UserId, str]
    """Who shall get it (the keys). The same object for the same list, where that is known:
    what the hub derives from it is kept for the next publication."""
    is_durable: bool
    """False for what may be missed: typing."""
    except_user: UserId | None = None
    """Whose connections are left out."""
    chat_id: ChatId | None = None
    """Whose members may see it later on, too; None when it is for its audience alone."""
    offset: int = 0
    """Its place among the durable publications of the broker's epoch; the broker sets it."""
    trace: str | None = None
    """The trace it belongs to, as a ``traceparent``; None when nobody traces it."""
    key: str | None = None
    """Names what is published: the same key within ten minutes is published once, whichever
    node it comes to; at most 200 characters. None where nobody repeats it."""
    message_id: MessageId | None = None
    """The message it tells of for the first time, where the backend has numbered it: other nodes
    learn from it which chat the message is in."""
    since: float | None = None
    """When the command behind it was read: trio's clock, seconds; None when nobody noted it."""


@attrs.frozen
class Disconnect:
    """Hang up on all connections of a user."""

    user_id: UserId
    code: int
    """The close code."""
    reason: str
    """At most 123 bytes of UTF-8."""


@attrs.frozen
class Revalidate:
    """Have the backend asked at once whether a user's tokens are still good."""

    user_id: UserId


@attrs.frozen
class ForgetMembers:
    """Forget who is in a chat: it has changed."""

    chat_id: ChatId


Instruction = Disconnect | Revalidate | ForgetMembers
"""What every node is to do once, in its place among the durable publications."""

Learn = Callable[[MessageId, ChatId], None]
"""Notes which chat a message is in. Must not block and raises nothing."""

Obey = Callable[[Instruction], None]
"""Does what an instruction says, on one node. Must not block and raises nothing."""


@attrs.frozen(eq=False)
class Branch:
    """From here on a node is alone: what it tells has places that no other node knows."""

    epoch: str
    """What its part of the stream is called."""


@attrs.frozen(eq=False)
class Rejoin:
    """From here on a node is at one with the stream of all nodes; its clients fetch anew."""

    epoch: str
    window: Sequence[Entry]
    """What was published after ``floor`` and up to ``head``; none of it is told again."""
    floor: int
    head: int


@attrs.frozen
class Step:
    """A place of the stream that holds nothing for clients: who is before it misses nothing."""

    offset: int


Turn = Branch | Rejoin | Step
"""What happens to the stream itself, in its place among the publications."""


@attrs.frozen
class BrokerStatistics:
    """How a broker of several nodes is at one moment."""

    state: str
    """``attached``, ``healing`` (attached, and not yet at one with the others) or ``detached``."""
    is_up: bool
    """Whether Redis did the last thing it was asked."""
    is_heard: bool
    """Whether what this node says on the channel comes back to it."""
    is_followed: bool
    """Whether the stream was heard of lately."""
    behind: int
    """Publications in the stream that we have not read."""
    behind_seconds: float
    """How long ago all was read that was there."""
    backlog: int
    """Publications told here that the others have not heard."""
    backlog_bytes: int
    """Bytes of all that is under way."""
    owes_gap: bool
    """Whether the others are still to be told that something was lost."""


class Receiver(Protocol):
    """Where a broker puts what comes out: the hub."""

    async def accept(self, publication: Publication) -> None:
        """Take a publication, in order, waiting for room."""

    def begin_epoch(self, epoch: str, head: int | None = None) -> None:
        """What comes from now on is of this epoch, and above ``head`` (None: where it is).

        What was before cannot be resumed from; everybody who could is told to fetch anew.
        """

    def accept_nowait(self, publication: Publication) -> bool:
        """Take a publication if there is room; say whether."""

    async def accept_turn(self, turn: Turn) -> None:
        """Take a turn of the stream, in order, waiting for room."""

    async def wait_settled(self) -> None:
        """Wait until everything that was accepted has been offered."""


class Broker(Protocol):
    """Where the router publishes."""

    async def publish(self, publication: Publication) -> bool:
        """Publish; returns when the order is settled. Waits while the hub is overloaded.

        False where its key has been published before: then nothing happened.
        """

    async def instruct(self, instruction: Instruction) -> None:
        """Have every node do something, this one too; returns when its place is settled."""

    def declare_gap(self) -> None:
        """Say that something durable was lost: a new epoch begins, positions so far are void."""

    def publish_ephemeral(self, publication: Publication) -> None:
        """Publish at once or not at all."""

    async def wait_settled(self) -> None:
        """Wait until all that was published so far is with the hub, and on its way elsewhere."""

    async def wait_handed_over(self) -> None:
        """Wait until other nodes can have all of it, too, even if this one is no more.

        Or know that they cannot.
        """

    def statistics(self) -> BrokerStatistics | None:
        """Return how it is; None where there is nothing to be away."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Work, for ever. ``started`` means that clients are welcome."""

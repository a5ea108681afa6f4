"""One client, from the handshake to the goodbye.

A nursery a connection: the reader (this task itself), the writer, and trio-websocket's own
reader. How a connection ends is a value, the first ``Hangup`` named for it; naming one
cancels the reading, and the connection's own task then says goodbye. Nobody else closes.
"""

from __future__ import annotations

import random
import uuid
from functools import partial

import trio
from trio_websocket import ConnectionClosed

from gogate_trio.backend.base import User
from gogate_trio.caller import CallerOutcomes, CallerSession
from gogate_trio.calls import Lane
from gogate_trio.errors import BackendUnavailable
from gogate_trio.ids import ChatId, ConnectionId
from gogate_trio.limits import AWAY_SECONDS
from gogate_trio.log import about
from gogate_trio.outbox import Outbox
from gogate_trio.protocol import close, refusals
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.commands import CommandId
from gogate_trio.protocol.events import Event, Reconnect, error_of
from gogate_trio.protocol.frames import text_frame
from gogate_trio.protocol.handshake import Head, acceptance
from gogate_trio.protocol.refusals import Refusal
from gogate_trio.server.goodbye import last_words, say_goodbye
from gogate_trio.server.house import House, Visit
from gogate_trio.server.reader import Reader
from gogate_trio.server.wire import Wire
from gogate_trio.server.writer import write


class Connection:
    """One client's WebSocket. Implements the router's ``Caller``."""

    def __init__(
        self, number: ConnectionId, stream: trio.abc.Stream, house: House, visit: Visit
    ) -> None:
        direct = stream.send_nowait if isinstance(stream, Wire) else None
        self.number = number
        self.user: User | None = None
        self.token = ""
        self.session: CallerSession | None = None
        self.wants_notices = False
        self.early = 0
        self.typing: dict[ChatId, bool] = {}
        self.outbox = Outbox(self.hang_up, house.busy, direct, house.pending)
        self.lane = Lane(house.calls, number, partial(self.hang_up, close.INTERNAL_ERROR))
        self.heard_at = self.opened_at = trio.current_time()
        """When the last byte came, and the first: trio's clock, seconds."""
        self.address = visit.address
        """Where it came from."""
        self.is_pinged = False
        """Whether a ping waits for its answer."""
        self.is_reading = True
        self.hangup: Hangup | None = None
        self._stream = stream
        self._house = house
        self._ticket = visit.ticket
        self._head: Head | None = visit.head
        self._behind = visit.behind
        self._listed = False
        self._parted = False
        self._outcomes: CallerOutcomes | None = None
        self._reading = trio.CancelScope(
            deadline=self.opened_at + house.settings.websocket.auth_timeout
        )
        self._leaving: trio.Event | None = None
        """Set when it is hung up on while it reads no more: a draining node's connection."""
        self._written = trio.Event()

    @property
    def outcomes(self) -> CallerOutcomes:
        """The outcomes of its commands that have an id: the session's, or its own."""
        if self.session is not None:
            return self.session.outcomes
        if self._outcomes is None:
            self._outcomes = CallerOutcomes(f"connection-{uuid.uuid4().hex}")
        return self._outcomes

    # ── what others may do with it ───────────────────────────────────────────

    def reply(self, event: Event, to: CommandId | None = None) -> None:
        """Tell this client alone. Does nothing once it is gone."""
        self.outbox.offer_later(text_frame(encode_event(event, to)))

    def refuse(self, refusal: Refusal, to: CommandId | None = None) -> None:
        """Tell this client that something was refused."""
        self._house.metrics.errors[refusal.code] += 1
        self.reply(error_of(refusal), to)

    def identify(self, user: User, token: str) -> bool:
        """It is this user from now on; False when it is leaving or one too many."""
        if self.hangup is not None:
            return False
        if self.user is None and not self._house.roster.admit(self, user.user_id):
            self.hang_up(close.TOO_MANY_CONNECTIONS)
            return False
        self.token = token
        self._reading.deadline = float("inf")
        if self.user is None:
            self._house.admission.authenticated(self._ticket)
        self.user = user
        return True

    @property
    def is_leaving(self) -> bool:
        """Whether it has been hung up on."""
        return self.hangup is not None

    @property
    def is_listening(self) -> bool:
        """Whether it has its user's events."""
        return self._listed

    def listen(self) -> None:
        """Let it have its user's events from now on, unless it has them or is leaving."""
        if self.user is not None and self.hangup is None and not self._listed:
            self._listed = True
            self._house.directory.join(self.user.user_id, self.outbox)

    def pause(self) -> None:
        """Let it have none until it listens again: whatever went out now would come too early."""
        if self._listed and self.user is not None:
            self._listed = False
            self._house.directory.leave(self.user.user_id, self.outbox)

    def hang_up(self, hangup: Hangup) -> None:
        """End the connection. The first reason counts; later ones change nothing."""
        if self.hangup is None:
            self.hangup = hangup
            self._part()
            self._reading.cancel()
            if self._leaving is not None:
                self._leaving.set()

    def stop_reading(self) -> None:
        """Take no further message; hear what there is until somebody hangs up."""
        self._reading.cancel()

    def announce(self, hangup: Hangup) -> None:
        """Tell one that asked for notices when to come back, before it is hung up on like this."""
        if self.wants_notices and self.hangup is None and hangup.retry_after_ms is not None:
            self.reply(Reconnect(hangup.retry_after_ms))

    # ── its life ─────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Live from the handshake to the goodbye.

        Raises nothing but bugs of ours, after having told the client 1011. Cancelled, it is
        cut off.
        """
        house = self._house
        about(self)
        house.connections.add(self)
        house.metrics.connections += 1
        try:
            async with trio.open_nursery() as conversation:
                self.outbox.start_writer = partial(conversation.start_soon, self._write)
                try:
                    await self._converse(conversation)
                finally:
                    # From here on no task begins: what still waits for one ends with us.
                    self.outbox.start_writer = None
                conversation.cancel_scope.cancel()
        except* Exception:
            self.hang_up(close.INTERNAL_ERROR)
            self.outbox.finish(last_words(close.INTERNAL_ERROR))
            raise
        finally:
            self._leave()

    async def _converse(self, conversation: trio.Nursery) -> None:
        try:
            self._shake_hands()
            with self._reading:
                behind, self._behind = self._behind, b""
                reading = Reader(self, self._house, conversation).run(self._stream, behind)
                # It may be a whole read, and a connection's life is long.
                del behind
                await reading
        except (ConnectionClosed, trio.BrokenResourceError, trio.ClosedResourceError):
            self.hang_up(close.LOST)
        self.is_reading = False
        hangup = await self._why()
        if hangup.refusal is not None:
            self._house.metrics.errors[hangup.refusal.code] += 1
        patience = self._house.settings.websocket.write_wait
        await say_goodbye(
            self.outbox, self._stream, hangup, written=self._written, patience=patience
        )

    def _shake_hands(self) -> None:
        # The head goes with this frame: a browser's is as large as the rest of a connection.
        head, self._head = self._head, None
        assert head is not None  # noqa: S101 - a connection lives once
        self.outbox.offer_later(acceptance(head))
        if self.hangup is None:
            self._house.greet(self, head)

    async def _why(self) -> Hangup:
        """Return why the connection ends; a draining node's wait here until they are hung up on."""
        if self.hangup is None and self._reading.deadline <= trio.current_time():
            self._run_out_of_time()
        while self.hangup is None:
            self._leaving = trio.Event()
            await self._leaving.wait()
        return self.hangup

    def _run_out_of_time(self) -> None:
        """Send away who did not authenticate in time; for a while if the backend is to blame."""
        if not self.lane.is_busy:
            self.hang_up(close.AUTH_TIMEOUT)
            return
        self.refuse(refusals.failed(refusals.AUTH_FAILED, BackendUnavailable()))
        self.hang_up(close.backend_away(random.uniform(*AWAY_SECONDS)))  # noqa: S311 - no secret

    async def _write(self) -> None:
        gather = self._house.settings.websocket.write_buffer_size
        try:
            await write(self.outbox, self._stream, gather=gather)
        finally:
            self._written.set()

    def _leave(self) -> None:
        house = self._house
        house.connections.discard(self)
        self._part()
        house.metrics.connections -= 1
        house.metrics.shed += self.outbox.shed
        self.outbox.retire()
        house.note_end(self, self.hangup or close.CUT_OFF)

    def _part(self) -> None:
        """Be gone for everybody else, for good.

        At the hang-up and not at the end of the goodbye: what is published meanwhile is not
        offered here, so its session must not count it among what it has been told.
        """
        if not self._parted:
            self._parted = True
            self._house.forget(self)
            self.pause()
            if self.user is not None:
                self._house.roster.leave(self, self.user.user_id)

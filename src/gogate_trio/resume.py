"""Coming back: a client that has been away is told exactly what it missed, or to fetch anew.

A client that knows only the guide gets its ``auth_success`` and its events. One that asks to
resume gets a session and a position, and with the next connection, while the window covers
its position, every durable event it missed, in order and before anything newer.

The replay reads the history in pieces, as fast as the client takes them; when it has reached
the head it joins the directory. Between "nothing is left in the history" and "joined" lies
no checkpoint, and the hub remembers and finds outboxes without one: so each event comes to
the client once, from one of the two.
"""

from __future__ import annotations

from itertools import islice

import attrs
import trio

from gogate_trio.backend.base import User
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.caller import Caller, CallerSession, Joined, Outcome
from gogate_trio.errors import BackendError
from gogate_trio.ids import ChatId
from gogate_trio.limits import REPLAY_ENTRIES
from gogate_trio.metrics import Metrics
from gogate_trio.protocol import close
from gogate_trio.protocol.codec import with_position
from gogate_trio.protocol.commands import Auth, Resume
from gogate_trio.protocol.events import AuthSuccess, Resumed, Resync, resync_of_all
from gogate_trio.protocol.frames import text_frame
from gogate_trio.state.history import Entry, History, Position
from gogate_trio.state.sessions import Sessions


@attrs.define(eq=False)
class Reception:
    """Receives clients that have proved who they are. One serves a node."""

    history: History
    sessions: Sessions[Outcome, Joined]
    membership: MembershipCache
    metrics: Metrics

    async def welcome(self, caller: Caller, user: User, command: Auth) -> None:
        """Tell a client that it is known, and from where it goes on.

        It has been identified. Cancelled, it may lack some of what it missed, and has not
        joined the directory.
        """
        if command.resume is None or caller.session is not None:
            caller.reply(AuthSuccess(user.user_id, user.name, user.phone))
            caller.listen()
            return
        position = Position.read(command.resume.position or "")
        session, is_own = self._session(command.resume, user)
        # Who listens already has had events without a position: nothing can be told again.
        may_recover = is_own and not caller.is_listening
        cursor = self._cursor(position, session) if may_recover else None
        caller.session = session
        caller.pause()
        caller.outbox.wants_positions = True
        at = self.history.place(self.history.head if cursor is None else cursor)
        recovered = cursor is not None
        # What the client said it has seen; if it is told to fetch, it is to see everything.
        caller.outbox.told_to = position.offset if position and recovered else at.offset
        caller.reply(
            Resumed(
                user.user_id,
                user.name,
                user.phone,
                session=session.session_id,
                position=str(at),
                recovered=recovered,
            )
        )
        self._count(command.resume, recovered=recovered)
        if cursor is not None:
            await self._replay(caller, user, at)
            return
        if command.resume != Resume():
            caller.reply(Resync(str(at)))
        caller.listen()

    def knows(self, command: Auth, user: User) -> bool:
        """Whether an ``auth`` names a session of this user's, that is still remembered."""
        resume = command.resume
        return (
            resume is not None
            and resume.session is not None
            and self.sessions.is_of(resume.session, user.user_id)
        )

    def leave(self, caller: Caller) -> None:
        """Note that a connection will be told no more. Once for each."""
        if caller.session is None:
            return
        listened_to = Position(self.history.epoch, self.history.offered)
        self.sessions.leave(
            caller.session,
            told_to=caller.outbox.told_to,
            listened_to=listened_to if caller.is_listening else None,
            now=trio.current_time(),
        )

    def _session(self, resume: Resume, user: User) -> tuple[CallerSession, bool]:
        """Return the session to go on with, and whether the client may go on where it says.

        It may not when the session it names is somebody else's. One that nobody knows is no
        fault: it was another node's, or is long over; then the position alone decides.
        """
        now = trio.current_time()
        if resume.session is None:
            return self.sessions.open(user.user_id, now), resume.position is not None
        session = self.sessions.resume(resume.session, user.user_id, now)
        if session is not None:
            return session, True
        is_foreign = self.sessions.is_known(resume.session)
        return self.sessions.open(user.user_id, now, name=resume.session), not is_foreign

    def _cursor(self, position: Position | None, session: CallerSession) -> int | None:
        """Return the offset from which the client must be told; None when the window is short.

        A client that had been told everything there was for it, when it left, has missed
        nothing of what came before that: its own position may be much older.
        """
        if position is None:
            return None
        complete_at = session.complete_at
        if (
            complete_at is not None
            and complete_at.epoch == position.epoch
            and position.offset >= session.told_to
        ):
            position = max(position, complete_at, key=lambda place: place.offset)
        return position.offset if self.history.covers(position, trio.current_time()) else None

    async def _replay(self, caller: Caller, user: User, at: Position) -> None:
        """Tell a client everything after a position, and let it listen."""
        may_see: dict[ChatId | None, bool] = {None: True}
        while caller.hangup is None:
            if not self.history.knows(at):
                # It has not heard of this: it was not listening yet.
                caller.outbox.told_to = self.history.head
                caller.reply(resync_of_all(str(self.history.position)))
                caller.listen()
                return
            if not self.history.covers(at, trio.current_time()):
                # The client reads more slowly than the window moves on.
                caller.hang_up(close.SLOW_CONSUMER)
                return
            piece = list(islice(self.history.after(at.offset), REPLAY_ENTRIES))
            if not piece:
                caller.listen()
                return
            # Noted before anything waits: a branch that heals gives its offsets to others.
            mine = [
                (entry, self.history.place(entry.offset))
                for entry in piece
                if entry.is_for(user.user_id)
            ]
            at = self.history.place(piece[-1].offset)
            for chat_id in {entry.chat_id for entry, _ in mine} - may_see.keys():
                may_see[chat_id] = await self._may_see(chat_id, user)
            try:
                for entry, position in mine:
                    if may_see[entry.chat_id]:
                        await self._tell_again(caller, entry, position)
            except trio.BrokenResourceError:
                return
            await trio.lowlevel.checkpoint()

    async def _tell_again(self, caller: Caller, entry: Entry, position: Position) -> None:
        await caller.outbox.send(text_frame(with_position(entry.text, str(position))))
        caller.outbox.told_to = entry.offset
        self.metrics.replayed += 1

    async def _may_see(self, chat_id: ChatId | None, user: User) -> bool:
        """Whether the user is a member now. If the backend cannot say, as of then."""
        if chat_id is None:
            return True
        try:
            members = self.membership.cached(chat_id) or await self.membership.get(chat_id)
        except BackendError as error:
            return not error.is_gone
        return user.user_id in members.names

    def _count(self, resume: Resume, *, recovered: bool) -> None:
        outcome = "recovered" if recovered else "new" if resume == Resume() else "resync"
        self.metrics.resumes[outcome] += 1

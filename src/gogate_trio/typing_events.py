"""Typing: told at once, or merged until it may be told. Never waits for the backend's slowness.

Where there are several nodes it waits for their word, a round trip, and no longer than a moment.
"""

from __future__ import annotations

from functools import partial

import attrs
import trio

from gogate_trio.backend.base import Members, User
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.base import Broker, Publication
from gogate_trio.caller import Caller
from gogate_trio.cluster.base import SharedPace
from gogate_trio.errors import BackendError
from gogate_trio.ids import ChatId
from gogate_trio.limits import PENDING_TYPING
from gogate_trio.protocol import close, refusals
from gogate_trio.protocol.codec import encode_event
from gogate_trio.protocol.commands import Typing
from gogate_trio.protocol.events import UserTyping
from gogate_trio.protocol.refusals import Refusal, failed
from gogate_trio.state.throttle import Throttle


@attrs.define(eq=False)
class Typists:
    """Passes on who types. One serves a node."""

    membership: MembershipCache
    broker: Broker
    supervisor: trio.Nursery
    """Where what cannot be told at once waits."""
    throttle: Throttle
    shared: SharedPace | None = None
    """The rates over all nodes; None where there is only this one."""

    def tell(self, caller: Caller, user: User, command: Typing) -> Refusal | None:
        """Tell the other members, now or soon; return why not.

        What comes while an earlier one for the chat waits takes that one's place.
        """
        now = trio.current_time()
        if command.chat_id in caller.typing:
            caller.typing[command.chat_id] = command.is_typing
            self._count_excess(caller, now)
            return None
        wait = self.throttle.wait("typing", user.user_id, now)
        members = self.membership.cached(command.chat_id)
        if members is not None and not wait:
            if self.shared is None:
                return self._tell(user, command, members)
            if user.user_id not in members.names:
                return refusals.NOT_A_MEMBER
        if len(caller.typing) >= PENDING_TYPING:
            self._count_excess(caller, now)
            return refusals.BUSY
        caller.typing[command.chat_id] = command.is_typing
        job = partial(self._tell_later, caller, user, command.chat_id, wait)
        self.supervisor.start_soon(caller.lane.run_beside, job)
        return None

    def _count_excess(self, caller: Caller, now: float) -> None:
        """Hang up on who never stops: what is merged costs little, but it must be read."""
        if self.throttle.excess(caller.number, now):
            caller.hang_up(close.FLOOD)

    async def _tell_later(self, caller: Caller, user: User, chat_id: ChatId, wait: float) -> None:
        try:
            await self._wait_for_turn(user, wait)
            members = await self.membership.get(chat_id)
        except BackendError as error:
            caller.refuse(failed(refusals.TYPING_FAILED, error))
            return
        finally:
            is_typing = caller.typing.pop(chat_id)
        refusal = self._tell(user, Typing(chat_id, is_typing), members)
        if refusal is not None:
            caller.refuse(refusal)

    async def _wait_for_turn(self, user: User, wait: float) -> None:
        """Wait until the user may be told of, here and over all nodes.

        ``wait``: what this node's bucket said. The others' is asked only when this one has had
        one, so Redis is asked at this rate at most.
        """
        while True:
            while wait:
                await trio.sleep(wait)
                wait = self.throttle.wait("typing", user.user_id, trio.current_time())
            if self.shared is None:
                return
            wait = await self.shared.wait("typing", user.user_id)
            if not wait:
                return

    def _tell(self, user: User, command: Typing, members: Members) -> Refusal | None:
        if user.user_id not in members.names:
            return refusals.NOT_A_MEMBER
        event = UserTyping(command.chat_id, user.user_id, user.name, command.is_typing)
        self.broker.publish_ephemeral(
            Publication(
                encode_event(event), members.names, is_durable=False, except_user=user.user_id
            )
        )
        return None

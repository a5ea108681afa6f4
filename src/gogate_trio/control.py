"""What a node does when it is told to: hang up on a user, doubt their tokens, forget a chat.

The backend says so on one node's internal port, and the broker brings it to every node.
"""

from __future__ import annotations

from collections.abc import Callable
from collections.abc import Set as AbstractSet

import attrs

from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.base import Disconnect, ForgetMembers, Instruction, Revalidate
from gogate_trio.caller import Caller
from gogate_trio.ids import ChatId, UserId
from gogate_trio.keeper import Keeper
from gogate_trio.log import get_logger
from gogate_trio.metrics import Metrics
from gogate_trio.protocol.close import disconnected

_log = get_logger(__name__)


@attrs.frozen(eq=False)
class Control:
    """Carries out instructions on one node."""

    connections: AbstractSet[Caller]
    membership: MembershipCache
    keeper: Keeper
    metrics: Metrics
    forget_members: Callable[[ChatId], None] = lambda _chat_id: None
    """Whom else it concerns that the members of a chat have changed. Must not block."""

    def obey(self, instruction: Instruction) -> None:
        """Do what an instruction says. Raises nothing: a bug here must not end the broker."""
        try:
            self._obey(instruction)
        except Exception:  # noqa: BLE001 - the fence
            self.metrics.bugs += 1
            _log.exception("instruction_failed", kind=type(instruction).__name__)

    def _obey(self, instruction: Instruction) -> None:
        match instruction:
            case Disconnect():
                self.keeper.doubt(instruction.user_id)
                hangup = disconnected(instruction.code, instruction.reason)
                for caller in self._of(instruction.user_id):
                    caller.hang_up(hangup)
            case Revalidate():
                self.keeper.doubt(instruction.user_id)
                for caller in self._of(instruction.user_id):
                    self.keeper.suspect(caller)
            case ForgetMembers():
                self.membership.invalidate(instruction.chat_id)
                self.forget_members(instruction.chat_id)

    def _of(self, user_id: UserId) -> list[Caller]:
        """Return a user's connections. A list: who is hung up on leaves the set."""
        return [
            caller
            for caller in self.connections
            if caller.user is not None and caller.user.user_id == user_id
        ]

"""One who waits at the door for the verdict of all nodes."""

from __future__ import annotations

import attrs
import trio

from gogate_trio.ids import UserId


@attrs.define(eq=False)
class Entering:
    """Somebody waits at the door to hear whether one more connection of a user may stay."""

    user_id: UserId
    may_enter: bool | None = None
    """None: nobody has said."""
    heard: trio.Event = attrs.field(factory=trio.Event)
    is_waiting: bool = True

    def settle(self, may_enter: bool | None) -> None:  # noqa: FBT001 - it is the answer
        """Let them know."""
        self.may_enter = may_enter
        self.heard.set()

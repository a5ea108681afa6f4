"""Who says what when, and the waiting for what is still under way.

Messages are due at even intervals, whatever comes back, and their times count from then: a
gateway that stalls is charged for those it kept waiting.
"""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Final

import attrs
import trio

from gogate_trio.bench.crowd import saying

if TYPE_CHECKING:
    from gogate_trio.bench.crowd import Crowd

STALL_SECONDS: Final = 5.0
"""seconds without any news, and what is missing is lost. A backend call may take as long."""

LOOK_SECONDS: Final = 0.05
"""seconds between looks whether all has arrived: each look goes through all listeners."""


@attrs.define(eq=False)
class Traffic:
    """The messages of one run, sent by everybody who is inside in turn."""

    crowd: Crowd
    unsent: int = 0
    """Messages a gateway did not take: its socket was full, or nobody was left to send them."""
    seconds: float = 0.0
    """from the first message to the last answer or delivery"""
    total: int = attrs.field(init=False)
    cut_short: bool = False
    _talking: trio.CancelScope = attrs.field(factory=trio.CancelScope)

    def __attrs_post_init__(self) -> None:
        plan = self.crowd.plan
        self.total = round(plan.rate * plan.duration)

    async def run(self) -> None:
        """Say everything, and wait until it has arrived or nothing comes any more."""
        began = perf_counter()
        with self._talking:
            if self.total == 0:
                await trio.sleep(self.crowd.plan.duration)
            await self._talk(began)
        await self._settle()
        self.seconds = perf_counter() - began

    def stop(self) -> None:
        """Say no more. What is under way is still waited for."""
        self.cut_short = True
        self._talking.cancel()

    async def _talk(self, began: float) -> None:
        crowd = self.crowd
        senders = list(crowd.inside)
        turn = 0
        for number in range(self.total):
            due = began + number / crowd.plan.rate
            await trio.sleep(max(due - perf_counter(), 0))
            for _ in senders:
                sender = senders[turn]
                turn = (turn + 1) % len(senders)
                if sender in crowd.inside:
                    self._say(sender, due)
                    break
            else:
                self.unsent += self.total - number
                return

    def _say(self, sender: int, due: float) -> None:
        ledger = self.crowd.ledger
        number = ledger.send(sender, due)
        text = saying(number, ledger.chat_of(number), ledger.text_of(number))
        if not self.crowd.inside[sender].say(text):
            ledger.refuse(number)
            self.unsent += 1

    async def _settle(self) -> None:
        seen, since = -1, trio.current_time()
        while not self.crowd.ledger.complete():
            news = self.crowd.deliveries.total + self.crowd.acks.total + self.crowd.ledger.refused
            if news != seen:
                seen, since = news, trio.current_time()
            elif trio.current_time() - since > STALL_SECONDS:
                return
            await trio.sleep(LOOK_SECONDS)

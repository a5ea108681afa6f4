"""What becomes of an entry of the stream on one node: told, or known already; and of itself.

A node is either at one with the stream: then its window is the stream's, offset for offset.
Or it is alone, on a branch: it tells what comes in an order of its own, and puts aside how
the stream has it, until everything it told by itself is in the stream, too. Then it rejoins,
and whoever has a position fetches anew.

Every node numbers its publications, and they come through in that order. So an entry whose
number is above the last one of its node is news, and any other has been told here before:
by this node without Redis, or out of a stream that a failover has shortened. Neither is news
what has a key that has been told here: a client may say a thing again on another node while
the two cannot know of each other.
"""

from __future__ import annotations

from collections import OrderedDict, deque

import trio

from gogate_trio.broker.base import Branch, Instruction, Obey, Publication, Receiver, Rejoin, Step
from gogate_trio.broker.once import Once
from gogate_trio.broker.packing import Header
from gogate_trio.ids import NodeId
from gogate_trio.limits import HISTORY_BYTES, KNOWN_EPOCHS, KNOWN_NODES
from gogate_trio.metrics import Metrics
from gogate_trio.state.history import Entry, new_epoch


class Teller:
    """Tells one node's hub. Whoever tells holds the lock."""

    def __init__(
        self, node: NodeId, receiver: Receiver, obey: Obey, events: int, metrics: Metrics
    ) -> None:
        """``events``: how many are kept for clients that come back."""
        self._node = node
        self._receiver = receiver
        self._obey = obey
        self._events = events
        self._metrics = metrics
        self._told = Once()
        self._seen: OrderedDict[NodeId, int] = OrderedDict()
        self._aside: OrderedDict[tuple[NodeId, int], Entry] = OrderedDict()
        """What the stream has had since ``_floor``; kept while this node is alone."""
        self._size = 0
        self._floor = 0
        self._tip = 0
        """The offset told last, on the branch while there is one."""
        self.lock = trio.Lock()
        self.is_alone = True
        """Whether the node is on a branch, as it is from its start."""
        self.epoch = ""
        """The stream's; empty before it is known."""
        self._epochs: deque[str] = deque(maxlen=KNOWN_EPOCHS)
        """All that it was, the latest last."""
        self.last = 0
        """The offset read last."""
        self.clock = 0.0
        """What to add to Redis's clock to have trio's."""

    async def tell(self, header: Header, what: Publication | Instruction | None) -> None:
        """Take the next entry of the stream; None is one that makes no sense."""
        is_news = self._is_news(header, what)
        if self.is_alone:
            self._put_aside(header, what)
        elif not (is_news and isinstance(what, Publication)):
            # Nobody hears of it, but others give this place to their clients.
            await self._receiver.accept_turn(Step(header.offset))
        if is_news:
            await self._pass_on(what, header.offset)
        self._note(header)

    async def tell_off_stream(self, header: Header, what: Publication | Instruction | None) -> None:
        """Take an entry of an epoch that is over: for whoever is here, and for no window."""
        if self._is_news(header, what):
            await self._pass_on(what, header.offset)
        self._note_number(header)

    def learn(self, header: Header, what: Publication | Instruction | None) -> None:
        """Take an entry from before this node's time: for the window alone."""
        self._put_aside(header, what)
        self.learn_off_stream(header, what)
        self.last = header.offset

    def learn_off_stream(self, header: Header, what: Publication | Instruction | None) -> None:
        """Take one that is of an epoch that is over, too: for nobody, and never to be news."""
        if isinstance(what, Publication):
            self._told.note(what.key, trio.current_time())
        self._note_number(header)

    async def tell_alone(self, what: Publication | Instruction, number: int) -> None:
        """Tell what this node has published, without the stream."""
        if not isinstance(what, Publication):
            await self._pass_on(what, 0)
        elif not self.knows(what.key):
            await self.branch_off()
            await self._pass_on(what, 0)
        self._note_number(Header(self.epoch, 0, 0, self._node, number))

    async def branch_off(self) -> None:
        """Be alone from here on."""
        if self.is_alone:
            return
        await self._receiver.accept_turn(Branch(new_epoch()))
        self.is_alone = True
        # Not below what has been told, where all of the stream is to be read anew.
        self._tip = max(self._tip, self.last)
        self.begin_window(self.last)

    def declare_gap_alone(self) -> None:
        """Have the clients of this node fetch anew at once, before the gap is in the stream.

        It is no branch: what waits in the hub may turn the node back to the stream's epoch.
        """
        self._receiver.begin_epoch(new_epoch())

    def begin(self, epoch: str, head: int) -> None:
        """Begin to read another stream, or all of this one anew."""
        self.last = 0
        self._enter(epoch)
        self.begin_window(head)

    def begin_window(self, floor: int) -> None:
        """Put aside what follows an offset, and forget what was."""
        self._aside.clear()
        self._size = 0
        self._floor = floor

    async def begin_epoch(self, header: Header) -> None:
        """Take an entry that begins another epoch in its place in the stream."""
        self._metrics.gaps += 1
        if not self.is_alone:
            await self._receiver.accept_turn(
                Rejoin(header.epoch, (), floor=header.offset, head=header.offset)
            )
            self._tip = header.offset
        self.begin_window(header.offset)
        self._enter(header.epoch)
        self.last = header.offset

    def is_over(self, epoch: str) -> bool:
        """Whether another epoch has followed on that one: then it cannot be the stream's now."""
        return epoch in self._epochs and epoch != self._epochs[-1]

    async def rejoin(self) -> None:
        """Be at one with the stream again, as far as it has been read."""
        window = tuple(self._aside.values())
        await self._receiver.accept_turn(
            Rejoin(self.epoch, window, floor=self._floor, head=self.last)
        )
        self.is_alone = False
        self._tip = self.last
        self.begin_window(self.last)

    async def _pass_on(self, what: Publication | Instruction | None, offset: int) -> None:
        match what:
            case None:
                return
            case Publication():
                what.offset = self._tip + 1 if self.is_alone else offset
                if not self._receiver.accept_nowait(what):
                    await self._receiver.accept(what)
                self._tip = what.offset
                self._told.note(what.key, trio.current_time())
                self._metrics.publications += 1
            case _:
                self._obey(what)

    def knows(self, key: str | None) -> bool:
        """Whether something with this key has been told here lately."""
        return self._told.is_known(key, trio.current_time())

    def _is_news(self, header: Header, what: Publication | Instruction | None) -> bool:
        is_known = isinstance(what, Publication) and self.knows(what.key)
        return header.number > self._seen.get(header.node, 0) and not is_known

    def _enter(self, epoch: str) -> None:
        self.epoch = epoch
        if epoch not in self._epochs:
            self._epochs.append(epoch)

    def _note(self, header: Header) -> None:
        self.last = header.offset
        self._note_number(header)

    def _note_number(self, header: Header) -> None:
        self._seen[header.node] = max(header.number, self._seen.get(header.node, 0))
        self._seen.move_to_end(header.node)
        if len(self._seen) > KNOWN_NODES:
            self._seen.popitem(last=False)

    def _put_aside(self, header: Header, what: Publication | Instruction | None) -> None:
        name = header.node, header.number
        if not isinstance(what, Publication) or name in self._aside:
            return
        at = min(header.at / 1000 + self.clock, trio.current_time())
        entry = self._aside[name] = Entry(
            header.offset, what.text, what.audience, what.chat_id, at, what.except_user
        )
        self._size += entry.weight
        while len(self._aside) > max(self._events, 1) or self._size > HISTORY_BYTES:
            _, gone = self._aside.popitem(last=False)
            self._size -= gone.weight
            self._floor = gone.offset

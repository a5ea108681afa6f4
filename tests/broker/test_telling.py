"""Laws of what becomes of an entry of the stream on a node."""

from __future__ import annotations

import attrs
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from fakes.nodes import event
from gogate_trio.broker.base import Branch, Rejoin, Revalidate, Step
from gogate_trio.broker.packing import Header
from gogate_trio.broker.telling import Teller
from gogate_trio.hub import Hub
from gogate_trio.limits import KNOWN_EPOCHS, KNOWN_NODES
from gogate_trio.metrics import Metrics
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import History, Window


@attrs.define(eq=False)
class Ear:
    """A hub that notes what it gets."""

    heard: list[object] = attrs.field(factory=list)

    def accept_nowait(self, publication):
        """Note the text and the offset."""
        self.heard.append((publication.text, publication.offset))
        return True

    async def accept_turn(self, turn):
        """Note the turn."""
        self.heard.append(turn)

    def begin_epoch(self, epoch, head=None):
        """Note that it began."""
        self.heard.append((epoch, head))


@pytest.fixture
def ear():
    """Where it is told."""
    return Ear()


@pytest.fixture
async def teller(ear):
    """One that is at one with a stream of five entries."""
    found = Teller("me", ear, ear.heard.append, 1000, Metrics())
    found.begin("e", 5)
    found.last = 5
    await found.rejoin()
    ear.heard.clear()
    return found


def header(offset, number, node="other", epoch="e"):
    """What Redis notes."""
    return Header(epoch, offset, 0, node, number)


async def test_at_one_with_the_stream_offsets_are_the_streams(teller, ear):
    """Entries are told in order; an instruction is obeyed and has a place, too."""
    await teller.tell(header(6, 1), one := event("a"))
    await teller.tell(header(7, 2), Revalidate(1))
    await teller.tell(header(8, 3), two := event("b"))

    assert ear.heard == [(one.text, 6), Step(7), Revalidate(1), (two.text, 8)]
    assert teller.last == 8


async def test_what_was_told_before_is_not_told_again(teller, ear):
    """By its number, or by its key whatever its number is; nonsense is passed over.

    But each has a place, which others give to their clients.
    """
    await teller.tell(header(6, 1), event("a", key="k"))
    await teller.tell(header(7, 1), event("a"))
    await teller.tell(header(8, 1, node="third"), event("a", key="k"))
    await teller.tell(header(9, 2), None)

    assert ear.heard[1:] == [Step(7), Step(8), Step(9)]
    assert teller.last == 9


async def test_what_a_node_told_alone_is_put_in_its_place_when_it_rejoins(teller, ear):
    """Told once, at once; the window it rejoins with is the stream's."""
    alone, other = event("alone"), event("other")
    await teller.tell_alone(alone, 1)
    assert teller.is_alone
    await teller.tell(header(6, 4), other)
    await teller.tell(header(7, 1, node="me"), alone)
    await teller.rejoin()

    branch, first, second, rejoin = ear.heard
    assert isinstance(branch, Branch)
    assert (first, second) == ((alone.text, 6), (other.text, 7))
    assert isinstance(rejoin, Rejoin)
    assert (rejoin.epoch, rejoin.floor, rejoin.head) == ("e", 5, 7)
    assert [(entry.offset, entry.text) for entry in rejoin.window] == [
        (6, other.text),
        (7, alone.text),
    ]
    assert not teller.is_alone


async def test_an_instruction_alone_needs_no_branch(teller, ear):
    """It is obeyed at once and not again, and nobody has to fetch anything for it."""
    await teller.tell_alone(Revalidate(1), 1)
    await teller.tell(header(6, 1, node="me"), Revalidate(1))

    assert ear.heard == [Revalidate(1), Step(6)]


async def test_what_two_nodes_told_under_one_key_is_told_once(teller, ear):
    """A client said it here and there while they could not know of each other."""
    await teller.tell_alone(mine := event("x", key="k"), 1)
    await teller.tell(header(6, 9), event("x", key="k"))
    await teller.tell_alone(event("x", key="k"), 2)

    assert ear.heard[1:] == [(mine.text, 6)]


async def test_another_epoch_in_its_place_is_a_resync_and_voids_the_window(teller, ear):
    """At one with the stream or alone."""
    await teller.begin_epoch(header(6, 0, epoch="f"))
    assert ear.heard == [Rejoin("f", (), floor=6, head=6)] or ear.heard[0].head == 6
    assert (teller.epoch, teller.last) == ("f", 6)

    await teller.tell_alone(event("x"), 1)
    await teller.tell(header(7, 5, epoch="f"), event("y"))
    await teller.begin_epoch(header(8, 0, epoch="g"))
    await teller.rejoin()
    assert (ear.heard[-1].epoch, ear.heard[-1].window, ear.heard[-1].floor) == ("g", (), 8)


async def test_what_is_told_alone_never_goes_back_to_an_earlier_place(teller, ear):
    """Not for an epoch that others begin meanwhile, which counts from where the stream is."""
    for number in range(1, 4):
        await teller.tell_alone(event("alone"), number)
    await teller.begin_epoch(header(6, 0, epoch="f"))
    await teller.tell(header(7, 1, epoch="f"), event("other"))
    await teller.tell_alone(event("alone"), 4)

    assert [offset for _, offset in ear.heard[1:]] == [6, 7, 8, 9, 10]


async def test_nor_when_all_is_to_be_read_anew(teller, ear):
    """As after a bug: what has been told keeps its places, and what is told next is above."""
    await teller.tell(header(6, 1), event("a"))
    teller.begin("e", 6)
    await teller.tell_alone(event("b"), 1)

    assert [ear.heard[0][1], ear.heard[2][1]] == [6, 7]


async def test_the_window_knows_who_was_left_out(ear):
    """What was not for a user is not for them when they come back to another node, either."""
    teller = Teller("me", ear, ear.heard.append, 1000, Metrics())
    teller.begin("e", 0)
    teller.begin_window(0)
    teller.learn(header(1, 1), event("1", except_user=1))
    await teller.rejoin()

    (entry,) = ear.heard[-1].window
    assert [entry.is_for(user) for user in (1, 2)] == [False, True]


async def test_the_window_of_a_start_is_told_to_nobody(ear):
    """And what it holds is not told later either."""
    teller = Teller("me", ear, ear.heard.append, 2, Metrics())
    teller.begin("e", 9)
    teller.begin_window(0)
    for number in range(1, 5):
        teller.learn(header(number, number), event(f"{number}", key=f"k{number}"))
    await teller.rejoin()
    await teller.tell(header(5, 4), event("again"))
    await teller.tell(header(6, 1, node="third"), event("again", key="k2"))

    rejoin, *steps = ear.heard
    assert steps == [Step(5), Step(6)]
    # Two are kept; what is before them is not claimed.
    assert [entry.offset for entry in rejoin.window] == [3, 4]
    assert (rejoin.floor, rejoin.head) == (2, 4)


@given(st.lists(st.integers(1, 3), max_size=30))
async def test_each_nodes_publications_are_told_once_in_their_order(nodes):
    """Whatever comes twice."""
    ear = Ear()
    teller = Teller("me", ear, ear.heard.append, 1000, Metrics())
    teller.begin("e", 0)
    await teller.rejoin()
    numbers, offset = dict.fromkeys(nodes, 0), 0
    for node in nodes:
        numbers[node] += 1
        for _ in range(2):
            offset += 1
            await teller.tell(
                header(offset, numbers[node], node=str(node)), event(f"{node}.{numbers[node]}")
            )

    told = [each[0] for each in ear.heard if isinstance(each, tuple)]
    assert len(told) == len({*told}) == len(nodes)


async def test_the_nodes_that_are_remembered_are_bounded(teller):
    """The one longest silent goes first."""
    for number in range(KNOWN_NODES + 5):
        await teller.tell(header(6 + number, 1, node=str(number)), None)

    assert len(teller._seen) == KNOWN_NODES
    assert "5" in teller._seen
    assert "4" not in teller._seen


async def test_an_epoch_is_over_when_another_has_followed(teller):
    """However it was begun, also when all is read anew; those that are remembered are bounded."""
    assert not teller.is_over("e")
    teller.begin("e", 5)
    assert not teller.is_over("e")
    await teller.begin_epoch(header(6, 0, epoch="f"))
    assert [teller.is_over(epoch) for epoch in ("e", "f", "g")] == [True, False, False]

    for number in range(KNOWN_EPOCHS):
        teller.begin(f"{number}", 0)
    assert [teller.is_over(epoch) for epoch in ("f", "0")] == [False, True]
    teller.begin("0", 0)
    assert teller.is_over("0")


async def test_a_gap_alone_leaves_no_place_in_the_streams_epoch_to_what_is_told_alone():
    """Even where the hub has still to be told that the node was at one with the stream."""
    history = History("own", Window(seconds=600, events=100, size=1 << 20))
    hub = Hub(Directory(), history, Metrics(), set())
    teller = Teller("me", hub, [].append, 1000, Metrics())
    teller.begin("e", 5)
    teller.last = 5
    await teller.rejoin()
    teller.declare_gap_alone()
    await teller.tell_alone(event("alone"), 1)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(hub.run)
        await hub.wait_settled()
        nursery.cancel_scope.cancel()

    assert history.epoch != "e"
    assert history.head == 6


async def test_after_a_gap_alone_the_stream_goes_on_and_the_next_epoch_is_its_own(teller, ear):
    """Nothing was told alone: what follows has the stream's places, until the gap is in it."""
    teller.declare_gap_alone()
    await teller.tell(header(6, 1), event("a"))
    await teller.begin_epoch(header(7, 0, epoch="f"))

    assert [offset for _, offset in ear.heard[1:2]] == [6]
    assert (ear.heard[2].epoch, ear.heard[2].floor, ear.heard[2].head) == ("f", 7, 7)

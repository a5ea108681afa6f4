"""The bounded mailbox of one connection, law by law."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.peer import Peer, Writer
from fakes.turns import crowd
from gogate_trio.limits import OUTBOX_BYTES, OUTBOX_FRAMES
from gogate_trio.protocol import close


@pytest.fixture
def peer():
    """A client that takes everything at once."""
    return Peer()


@pytest.fixture
async def outbox(peer):
    """Its mailbox."""
    return peer.outbox()


@pytest.fixture
async def writer(outbox, peer, nursery):
    """The task that writes what waits; parked, as it is while nothing does."""
    writer = Writer(outbox, peer)
    nursery.start_soon(writer.run)
    await wait_all_tasks_blocked()
    return writer


# ── one road, two lanes ──────────────────────────────────────────────────────


async def test_an_idle_outbox_sends_at_once(outbox, peer):
    """No task takes part."""
    outbox.offer(b"one")
    outbox.offer(b"two")

    assert peer.got == b"onetwo"
    assert not outbox.is_waiting


async def test_what_may_wait_goes_at_the_end_of_the_turn_and_keeps_its_place(outbox, peer):
    """Whatever is offered before takes it along; the hub is kept from writing past it."""
    await crowd()
    outbox.offer_later(b"one")
    assert peer.got == b""
    assert outbox in peer.busy
    outbox.offer(b"two")
    assert peer.got == b"onetwo"
    assert outbox not in peer.busy
    outbox.offer_later(b"three")
    await trio.lowlevel.checkpoint()
    assert peer.got == b"onetwothree"
    assert outbox not in peer.busy


@pytest.mark.parametrize("room", [0, 1, 2])
@pytest.mark.parametrize("turns", [0, 1, 5])
async def test_what_the_kernel_does_not_take_at_the_end_of_the_turn_waits_as_well(
    outbox, peer, writer, room, turns
):
    """Nothing of it is lost, and nothing overtakes it."""
    await crowd()
    peer.room = room
    outbox.offer_later(b"one")
    for _ in range(turns):
        await trio.lowlevel.checkpoint()
    assert peer.got == (b"one"[:room] if turns else b"")
    assert outbox in peer.busy
    outbox.offer(b"two")
    peer.room = 1 << 30
    await writer.write(2)
    assert peer.got == b"onetwo"
    assert outbox not in peer.busy


async def test_last_words_find_room_behind_the_longest_frame_that_was_put_off(outbox, peer, writer):
    """It is offered first, and only then is there something to be behind of."""
    await crowd()
    peer.room = 1
    outbox.offer_later(bytes(OUTBOX_BYTES + 1))
    outbox.finish((b"first", b"last"))
    await writer.write(3)

    assert peer.got == bytes(OUTBOX_BYTES + 1) + b"firstlast"
    assert peer.hangups == []


@pytest.mark.parametrize("end", ["shut", "fail", "finish"])
async def test_what_may_wait_is_said_before_the_end(outbox, peer, end):
    """It was offered while the client was there."""
    await crowd()
    outbox.offer_later(b"one")
    if end == "finish":
        outbox.finish((b"bye",))
    else:
        getattr(outbox, end)()

    assert peer.got == (b"onebye" if end == "finish" else b"one")


@pytest.mark.parametrize("room", [0, 1, 2])
async def test_what_the_kernel_does_not_take_waits_and_the_rest_behind_it(
    outbox, peer, writer, room
):
    """A frame is never torn by a later one, and nothing overtakes, however much room there is."""
    peer.room = room
    outbox.offer(b"one")
    peer.room = 1 << 30
    outbox.offer(b"two")

    assert peer.got == b"one"[:room]
    assert outbox.is_waiting
    await writer.write(2)
    assert peer.got == b"onetwo"


async def test_a_drained_outbox_is_idle_again(outbox, peer, writer):
    """Once the last byte is written, the next offer goes straight to the socket."""
    peer.room = 0
    outbox.offer(b"one")
    await writer.write()
    peer.room = 1 << 30
    outbox.offer(b"two")

    assert peer.got == b"onetwo"
    assert writer.chunks == [b"one"]


async def test_what_the_writer_holds_still_waits(outbox, peer, writer):
    """Between taking a chunk and having written it, nothing may be sent beside it."""
    peer.room = 0
    outbox.offer(b"one")
    await wait_all_tasks_blocked()
    peer.room = 1 << 30
    sends = peer.sends
    outbox.offer(b"two")

    assert outbox.is_waiting
    assert peer.sends == sends
    await writer.write(2)
    assert peer.got == b"onetwo"


async def test_without_direct_sends_all_goes_through_the_writer(peer, nursery):
    """A TLS stream cannot be written to without waiting."""
    outbox = peer.outbox(direct=False)
    writer = Writer(outbox, peer)
    nursery.start_soon(writer.run)
    for frame in (b"one", b"two"):
        outbox.offer(frame)
        assert outbox.is_waiting
        await writer.write()

    assert writer.chunks == [b"one", b"two"]
    assert peer.sends == 0


@pytest.mark.parametrize(
    ("gather", "chunks"), [(1, [b"aa", b"bb", b"cc"]), (3, [b"aabb", b"cc"]), (9, [b"aabbcc"])]
)
async def test_what_waits_is_joined_up_to_a_size(outbox, peer, nursery, gather, chunks):
    """Whole frames only, until the chunk has reached it."""
    peer.room = 0
    for frame in (b"aa", b"bb", b"cc"):
        outbox.offer(frame)
    writer = Writer(outbox, peer, gather)
    nursery.start_soon(writer.run)
    await writer.write(3)

    assert writer.chunks == chunks
    assert not outbox.is_waiting


async def test_a_lost_peer_is_noticed_by_the_send(outbox, peer):
    """It is hung up on as lost, once, and nothing is kept for it."""
    peer.is_gone = True
    outbox.offer(b"one")
    outbox.offer(b"two")

    assert peer.hangups == [close.LOST]
    assert peer.sends == 1
    assert not outbox.is_waiting


async def test_a_writer_that_fails_loses_the_peer(outbox, peer):
    """Whatever is offered from then on goes nowhere."""
    outbox.fail()
    outbox.offer(b"one")
    outbox.offer_ephemeral(b"two")

    assert peer.hangups == [close.LOST]
    assert peer.sends == 0


async def test_the_time_of_progress_is_when_waiting_began(outbox, peer, mock_clock):
    """The sweeper must not take a client that has just fallen behind for one that is stuck."""
    peer.room = 0
    mock_clock.jump(100)
    outbox.offer(b"one")
    begun = trio.current_time()
    mock_clock.jump(5)
    outbox.offer(b"two")

    assert outbox.progress_at == begun


# ── the bounds ───────────────────────────────────────────────────────────────


async def test_a_slow_consumer_is_hung_up_once(outbox, peer):
    """``OUTBOX_FRAMES`` frames wait; one more is the end, and then nothing is taken."""
    peer.room = 0
    for _ in range(OUTBOX_FRAMES):
        outbox.offer(b"x")
    assert peer.hangups == []
    outbox.offer(b"y")
    outbox.offer(b"z")

    assert peer.hangups == [close.SLOW_CONSUMER]


async def test_joined_frames_count_each(outbox, peer):
    """A run of events in one write is as many frames as it has events."""
    peer.room = 0
    outbox.offer(b"x" * 10, 10)
    outbox.offer(b"x" * (OUTBOX_FRAMES - 10), OUTBOX_FRAMES - 10)
    assert peer.hangups == []
    outbox.offer(b"y")

    assert peer.hangups == [close.SLOW_CONSUMER]


async def test_bytes_are_bounded_as_well(outbox, peer):
    """Long frames fill an outbox before many do; the bound itself still fits."""
    peer.room = 0
    outbox.offer(b"x")
    outbox.offer(b"x" * (OUTBOX_BYTES - 1))
    assert peer.hangups == []
    outbox.offer(b"y")

    assert peer.hangups == [close.SLOW_CONSUMER]


@pytest.mark.parametrize("direct", [True, False])
async def test_an_empty_outbox_takes_any_one_event(peer, nursery, direct):
    """However long: a limit on messages is set elsewhere, and one is not a backlog."""
    event = bytes(OUTBOX_BYTES + 1)
    outbox = peer.outbox(direct=direct)
    writer = Writer(outbox, peer)
    nursery.start_soon(writer.run)
    peer.room = 0
    for _ in range(2):
        outbox.offer(event)
        assert peer.hangups == []
        await writer.write()

    assert peer.got == event * 2


async def test_written_frames_make_room(outbox, peer, writer):
    """A client that reads keeps its place, however often it was nearly full."""
    peer.room = 0
    for _ in range(OUTBOX_FRAMES * 3):
        outbox.offer(b"x" * 5000)
        await writer.write()

    assert peer.hangups == []
    assert not outbox.is_waiting


@pytest.mark.parametrize(
    ("frame", "most"),
    [(b"x", OUTBOX_FRAMES // 2 + 1), (b"x" * 8192, OUTBOX_BYTES // 8192 // 2 + 1)],
)
async def test_ephemeral_events_are_shed_past_half(outbox, peer, frame, most):
    """By frames or by bytes; they are counted, and never a reason to hang up."""
    peer.room = 0
    for _ in range(1000):
        outbox.offer_ephemeral(frame)

    assert peer.hangups == []
    assert outbox.shed == 1000 - most
    outbox.offer(b"durable")
    assert peer.hangups == []


async def test_joined_ephemeral_events_are_shed_and_counted_each(outbox, peer):
    """The count is of events."""
    peer.room = 0
    outbox.offer(b"x" * 200, 200)
    outbox.offer_ephemeral(b"abc", 3)

    assert outbox.shed == 3


# ── who can wait, waits ──────────────────────────────────────────────────────


async def test_sending_waits_for_room(outbox, peer, writer, nursery):
    """A control frame takes its place in the queue as soon as there is one."""
    peer.room = 0
    for _ in range(OUTBOX_FRAMES):
        outbox.offer(b"x")
    for _ in range(2):
        nursery.start_soon(outbox.send, b"pong")
    await wait_all_tasks_blocked()
    assert peer.hangups == []
    await writer.write(OUTBOX_FRAMES + 2)

    assert peer.got == b"x" * OUTBOX_FRAMES + b"pong" * 2
    assert peer.hangups == []


async def test_sending_does_not_wait_where_there_is_room(outbox, peer):
    """The frame is on its way before anybody else can run."""
    peer.room = 0
    outbox.offer(b"x")
    with trio.CancelScope() as scope:
        scope.cancel()
        await outbox.send(b"pong")

    assert not scope.cancelled_caught
    assert outbox.is_waiting


async def test_a_cancelled_send_has_queued_nothing(outbox, peer, writer):
    """Not even when room comes later."""
    peer.room = 0
    for _ in range(OUTBOX_FRAMES):
        outbox.offer(b"x")
    with trio.CancelScope() as scope:
        scope.cancel()
        await outbox.send(b"pong")
    await writer.write(OUTBOX_FRAMES)

    assert scope.cancelled_caught
    assert peer.got == b"x" * OUTBOX_FRAMES


@pytest.mark.parametrize("end", ["shut", "fail", "finish"])
async def test_a_send_that_waits_learns_of_the_end(outbox, peer, end):
    """Before or while it waits: trio-websocket takes it for a broken stream."""
    peer.room = 0
    for _ in range(OUTBOX_FRAMES):
        outbox.offer(b"x")

    async def wait_in_vain() -> None:
        with pytest.raises(trio.BrokenResourceError):
            await outbox.send(b"pong")

    async with trio.open_nursery() as waiting:
        waiting.start_soon(wait_in_vain)
        await wait_all_tasks_blocked()
        {"shut": outbox.shut, "fail": outbox.fail, "finish": lambda: outbox.finish(())}[end]()
    await wait_in_vain()


# ── the end ──────────────────────────────────────────────────────────────────


async def test_last_words_come_last(outbox, peer, writer):
    """What waits goes first; then the writer's work is done."""
    peer.room = 0
    outbox.offer(b"one")
    outbox.offer(b"two")
    outbox.finish((b"error", b"close"))
    await writer.write(9)

    assert peer.got == b"onetwoerrorclose"
    assert writer.is_done


async def test_an_idle_outbox_says_its_last_words_at_once(outbox, peer, writer):
    """And its writer has nothing to do."""
    outbox.finish((b"error", b"close"))
    await writer.write(0)

    assert peer.got == b"errorclose"
    assert writer.is_done


async def test_last_words_that_do_not_fit_are_finished_by_the_writer(outbox, peer, writer):
    """As any other frame."""
    peer.room = 2
    outbox.finish((b"error", b"close"))
    await writer.write(2)

    assert peer.got == b"errorclose"
    assert writer.is_done


async def test_what_waits_can_be_dropped_but_no_frame_torn(outbox, peer, writer):
    """A slow consumer gets the rest of the frame it is at, and then why it ends."""
    peer.room = 2
    for number in range(OUTBOX_FRAMES + 1):
        outbox.offer(b"frame%03d" % number)
    outbox.finish((b"error", b"close"), drop_waiting=True)
    await writer.write(9)

    assert peer.hangups == [close.SLOW_CONSUMER]
    assert peer.got == b"frame000errorclose"
    assert writer.is_done
    assert not outbox.is_waiting


@pytest.mark.parametrize("is_put_off", [True, False])
async def test_nor_is_one_torn_that_the_writer_has_not_got_yet(outbox, peer, nursery, is_put_off):
    """It begins when something waits for the first time, and much may come in that turn."""
    await crowd()
    peer.room = 2
    if is_put_off:
        outbox.offer_later(b"frame000")
        await trio.lowlevel.checkpoint()
    for number in range(is_put_off, OUTBOX_FRAMES + 1):
        outbox.offer(b"frame%03d" % number)
    outbox.finish((b"error", b"close"), drop_waiting=True)
    writer = Writer(outbox, peer)
    nursery.start_soon(writer.run)
    await writer.write(9)

    assert peer.hangups == [close.SLOW_CONSUMER]
    assert peer.got == b"frame000errorclose"
    assert writer.is_done
    assert not outbox.is_waiting


async def test_a_full_outbox_still_has_room_for_last_words(outbox, peer, nursery):
    """An error event and a close frame, also when the writer has not taken anything yet."""
    peer.room = 0
    for _ in range(OUTBOX_FRAMES):
        outbox.offer(b"x")
    outbox.finish((b"error", b"close"))
    writer = Writer(outbox, peer)
    nursery.start_soon(writer.run)
    await writer.write(OUTBOX_FRAMES + 2)

    assert peer.got == b"x" * OUTBOX_FRAMES + b"errorclose"


async def test_only_the_first_last_words_count(outbox, peer, writer):
    """Nor may a second end drop what waits."""
    peer.room = 0
    outbox.offer(b"one")
    outbox.finish((b"first",))
    outbox.finish((b"second",), drop_waiting=True)
    await writer.write(9)

    assert peer.got == b"onefirst"


@pytest.mark.parametrize("is_waiting", [True, False])
async def test_nothing_is_taken_after_the_end(outbox, peer, writer, is_waiting):
    """Shut or finished, and drained: no offer counts, and none is a reason to hang up."""
    peer.room = 0 if is_waiting else 99
    outbox.offer(b"one")
    outbox.shut()
    for _ in range(OUTBOX_FRAMES * 2):
        outbox.offer(b"late")
        outbox.offer_ephemeral(b"late")
    await writer.write(9)
    peer.room = 99
    outbox.offer(b"later")
    outbox.finish(())
    outbox.offer(b"latest")
    await writer.write(9)

    assert peer.got == b"one"
    assert peer.hangups == []
    assert writer.is_done

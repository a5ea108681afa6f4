"""Who hears of a publication: laws of the fan-out."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.turns import crowd
from gogate_trio.broker.base import Publication
from gogate_trio.ids import UserId
from gogate_trio.limits import (
    HUB_INBOX,
    JOINED_BYTES,
    JOINED_FRAMES,
    OUTBOX_FRAMES,
    SENDS_PER_TURN,
)
from gogate_trio.protocol import close
from gogate_trio.protocol.frames import text_frame

JO, AL, KIM = UserId(1), UserId(2), UserId(3)
CHAT = {JO: "Jo", AL: "Al"}
"""An audience; the same object for all publications, as the membership cache keeps it."""


def say(text: str, audience=CHAT, **how) -> Publication:
    """A durable publication, unless told otherwise."""
    return Publication(text.encode(), audience, **{"is_durable": True, **how})


def frames(*texts: str) -> bytes:
    """What a client gets of these events."""
    return b"".join(text_frame(text.encode()) for text in texts)


# ── who gets it ──────────────────────────────────────────────────────────────


async def test_an_event_reaches_every_connection_of_its_audience(running):
    """All of a member's devices, nobody else's, and each once."""
    jo, al, al_too, kim = map(running.join, (JO, AL, AL, KIM))
    await running.tell(say("hello"))

    assert jo.got == al.got == al_too.got == frames("hello")
    assert kim.got == b""
    assert running.metrics.deliveries == 3


async def test_all_own_connections_are_left_out(node, nursery):
    """A user's typing is news on none of that user's devices; what comes in a burst with it is."""
    jo, jo_too, al = map(node.join, (JO, JO, AL))
    for event in (say("typing", except_user=JO), say("hello"), say("typing too", except_user=AL)):
        await node.broker.publish(event)
    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()

    assert jo.got == jo_too.got == frames("hello", "typing too")
    assert al.got == frames("typing", "hello")


async def test_who_joins_hears_what_comes_next_and_who_leaves_nothing_more(running):
    """What was derived from an audience ends with every coming and going."""
    jo = running.join(JO)
    await running.tell(say("one"))
    al = running.join(AL)
    await running.tell(say("two"))
    jo.leave(close.LOST)
    await running.tell(say("three"))

    assert jo.got == frames("one", "two")
    assert al.got == frames("two", "three")


async def test_audiences_are_told_apart(running):
    """Two that are equal, and two that had the same place in memory, one after the other."""
    jo, al = running.join(JO), running.join(AL)
    for number in range(50):
        await running.tell(say(f"jo {number}", {JO: "Jo"}))
        await running.tell(say(f"al {number}", {AL: "Al"}))

    assert jo.got == frames(*(f"jo {number}" for number in range(50)))
    assert al.got == frames(*(f"al {number}" for number in range(50)))


# ── in which order ───────────────────────────────────────────────────────────


async def test_everybody_hears_everything_in_the_order_of_publishing(node, nursery):
    """Over runs of any kind: audiences, exceptions and durability in turns."""
    jo, al = node.join(JO), node.join(AL)
    kinds = [{}, {"audience": {**CHAT}}, {"is_durable": False}, {"except_user": KIM}]
    texts = [f"event {number}" for number in range(200)]
    for number, text in enumerate(texts):
        await node.broker.publish(say(text, **kinds[number * 7 % 11 % len(kinds)]))
    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()

    assert jo.got == al.got == frames(*texts)


async def test_no_event_overtakes_an_answer_that_was_put_off(running, nursery):
    """Though both are of one turn. Which of them has it first is chance."""
    jo, al = running.join(JO), running.join(AL)
    answers = []

    async def answer(text: bytes) -> None:
        answers.append(bytes(jo.got) + text)
        jo.mailbox.offer_later(text)

    for number in range(20):
        await crowd()
        nursery.start_soon(answer, b"answer %d" % number)
        await running.tell(say(f"event {number}"))
        await trio.lowlevel.checkpoint()
        assert jo.got.startswith(answers[number])

    assert len(jo.got) == len(al.got) + sum(len(b"answer %d" % number) for number in range(20))


async def test_a_burst_is_one_write_a_connection(node, nursery):
    """Joined, the events are byte for byte what each would have been: one message each."""
    jo, al = node.join(JO), node.join(AL)
    texts = [f"event {number}" for number in range(JOINED_FRAMES)]
    for text in texts:
        await node.broker.publish(say(text))
    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()

    assert jo.got == al.got == frames(*texts)
    assert jo.sends == al.sends == 1
    assert node.metrics.deliveries == 2 * JOINED_FRAMES


@pytest.mark.parametrize(
    ("texts", "writes"),
    [
        (["x"] * JOINED_FRAMES, 1),
        (["x"] * (JOINED_FRAMES + 1), 2),
        (["x" * (JOINED_BYTES // 2)] * 2, 1),
        (["x" * (JOINED_BYTES // 2), "x" * (JOINED_BYTES // 2 + 1)], 2),
        (["x" * (JOINED_BYTES + 1), "y", "z"], 2),
    ],
)
async def test_joined_writes_are_bounded(node, nursery, texts, writes):
    """In events and in bytes; a longer one goes by itself."""
    jo = node.join(JO)
    for text in texts:
        await node.broker.publish(say(text))
    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()

    assert jo.got == frames(*texts)
    assert jo.sends == writes


async def test_joined_events_count_each_against_an_outbox(node, nursery):
    """A client that reads nothing does not get more room for being told in bursts."""
    jo = node.join(JO)
    jo.room = 0
    nursery.start_soon(node.hub.run)
    for number in range(OUTBOX_FRAMES):
        await node.broker.publish(say(f"{number}"))
    await node.hub.wait_settled()
    assert jo.hangups == []
    await node.tell(say("one too many"))

    assert jo.hangups == [close.SLOW_CONSUMER]


# ── nobody waits for anybody ─────────────────────────────────────────────────


async def test_a_slow_consumer_is_hung_up_and_its_chat_does_not_wait(running):
    """Everyone else gets every event at once."""
    slow, al = running.join(JO), running.join(AL)
    slow.room = 0
    texts = [f"event {number}" for number in range(2 * OUTBOX_FRAMES)]
    await running.tell(*map(say, texts))

    assert slow.hangups == [close.SLOW_CONSUMER]
    assert al.got == frames(*texts)


async def test_ephemeral_events_never_hang_anybody_up(running):
    """They are shed for who has fallen behind."""
    slow, al = running.join(JO), running.join(AL)
    slow.room = 0
    await running.tell(*(say("typing", is_durable=False) for _ in range(2 * OUTBOX_FRAMES)))

    assert slow.hangups == []
    assert slow.mailbox.shed > 0
    assert al.got == frames(*["typing"] * 2 * OUTBOX_FRAMES)


async def test_a_durable_event_is_not_shed_with_an_ephemeral_one(node, nursery):
    """Not even where they come in one burst for the same audience."""
    slow = node.join(JO)
    slow.room = 0
    slow.mailbox.offer(b"x" * 200, 200)
    for event in (say("typing", is_durable=False), say("hello"), say("typing", is_durable=False)):
        await node.broker.publish(event)
    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()

    assert slow.mailbox.shed == 2
    assert slow.mailbox._bytes == 200 + len(frames("hello"))


@pytest.mark.parametrize(
    ("clients", "events", "chats"), [(10 * SENDS_PER_TURN, 1, 1), (100, 100, 100), (1, 1000, 1000)]
)
async def test_others_run_between_so_many_sends(node, nursery, clients, events, chats):
    """However large a chat is, and however many small ones have news at the same time."""
    peers = [node.join(JO) for _ in range(clients)]
    audiences = [{JO: "Jo"} for _ in range(chats)]
    gaps, is_over = [0], trio.Event()

    async def watch() -> None:
        """Note how many sends there were since this task last ran."""
        seen = 0
        while not is_over.is_set():
            await trio.lowlevel.checkpoint()
            sends = sum(peer.sends for peer in peers)
            gaps.append(sends - seen)
            seen = sends

    for number in range(events):
        await node.broker.publish(say("x", audiences[number % chats]))
    nursery.start_soon(watch)
    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()
    is_over.set()

    # Tasks run once a round in no order: two turns may follow each other.
    assert max(gaps) <= 2 * SENDS_PER_TURN
    assert sum(peer.sends for peer in peers) == clients * events


# ── the inbox ────────────────────────────────────────────────────────────────


async def test_a_full_inbox_makes_publishers_wait_and_sheds_typing(node, nursery):
    """Nothing durable is lost and memory is bounded."""
    jo = node.join(JO)
    texts = [f"{number}" for number in range(HUB_INBOX)]
    for text in texts:
        await node.broker.publish(say(text))
    node.broker.publish_ephemeral(say("typing", is_durable=False))
    nursery.start_soon(node.broker.publish, say("last"))
    await wait_all_tasks_blocked()

    assert node.metrics.shed == 1
    jo.room = 1 << 30
    nursery.start_soon(node.hub.run)
    await wait_all_tasks_blocked()
    assert jo.got == frames(*texts, "last")
    assert node.metrics.publications == HUB_INBOX + 2


async def test_ephemeral_publications_take_the_same_road(running):
    """With room in the inbox they arrive, behind what was published before."""
    jo = running.join(JO)
    await running.broker.publish(say("one"))
    running.broker.publish_ephemeral(say("typing", is_durable=False))
    await running.hub.wait_settled()

    assert jo.got == frames("one", "typing")
    assert running.metrics.publications == 2


async def test_settled_means_offered(node, nursery):
    """Who drains a node waits for what was accepted, also while the hub is in the middle of it."""
    peers = [node.join(JO) for _ in range(3 * SENDS_PER_TURN)]
    await node.hub.wait_settled()
    await node.broker.publish(say("x"))
    with trio.move_on_after(0) as waiting:
        await node.hub.wait_settled()
    assert waiting.cancelled_caught

    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()
    assert all(peer.got == frames("x") for peer in peers)

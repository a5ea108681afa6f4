"""Where in the stream a client is: for those who want to know, beside those who do not."""

from __future__ import annotations

import json

from trio.testing import wait_all_tasks_blocked
from wsproto.frame_protocol import FrameProtocol

from gogate_trio.broker.base import Publication, Rejoin
from gogate_trio.ids import ChatId, UserId
from gogate_trio.protocol import close
from gogate_trio.protocol.frames import text_frame

JO, AL = UserId(1), UserId(2)
CHAT = {JO: "Jo", AL: "Al"}


def event(number: int) -> bytes:
    """An event that can be told from the others."""
    return b'{"event":"new_message","data":{"id":%d}}' % number


def say(number: int, **how) -> Publication:
    """Publish it, durable unless told otherwise."""
    return Publication(event(number), CHAT, **{"is_durable": True, "chat_id": ChatId(1), **how})


def heard(guest) -> list[tuple]:
    """What a client got: of each event its name, its id and its position."""
    protocol = FrameProtocol(client=True, extensions=[])
    protocol.receive_bytes(bytes(guest.got))
    events = [json.loads(frame.payload) for frame in protocol.received_frames()]
    return [(each["event"], each["data"].get("id"), each.get("position")) for each in events]


async def test_who_wants_positions_gets_them_and_nobody_else(node, nursery):
    """In single events and in bursts; the old clients get the old bytes."""
    jo, al = node.join(JO, wants_positions=True), node.join(AL)
    for number in (1, 2):
        await node.broker.publish(say(number))
    nursery.start_soon(node.hub.run)
    await node.hub.wait_settled()
    await node.tell(say(3))

    assert heard(jo) == [("new_message", n, f"epoch-{n}") for n in (1, 2, 3)]
    assert al.got == b"".join(text_frame(event(n)) for n in (1, 2, 3))
    assert jo.sends == al.sends == 2


async def test_only_durable_events_have_a_place_in_the_stream(running):
    """Typing moves nobody on, and is not remembered."""
    jo = running.join(JO, wants_positions=True)
    await running.tell(say(1))
    running.broker.publish_ephemeral(say(2, is_durable=False))
    await running.tell(say(3))

    assert heard(jo) == [
        ("new_message", 1, "epoch-1"),
        ("new_message", 2, None),
        ("new_message", 3, "epoch-2"),
    ]
    assert jo.mailbox.told_to == 2
    assert len(running.history) == 2


async def test_what_was_published_is_remembered_without_its_position(running):
    """Also where nobody was there to hear it: that is what it is for."""
    await running.tell(say(1), say(2))

    kept = [(entry.offset, entry.text, entry.chat_id) for entry in running.history.after(0)]
    assert kept == [(1, event(1), 1), (2, event(2), 1)]
    assert all(entry.audience is CHAT for entry in running.history.after(0))


async def test_a_gap_is_told_to_all_who_count_on_positions(running):
    """They must fetch anew; the others never hear of it. Later events are of the new epoch."""
    jo, al = running.join(JO, wants_positions=True), running.join(AL)
    await running.tell(say(1))
    running.broker.declare_gap()
    await running.tell(say(2))

    epoch = running.history.epoch
    assert epoch != "epoch"
    assert [each[::2] for each in heard(jo)] == [
        ("new_message", "epoch-1"),
        ("resync", None),
        ("new_message", f"{epoch}-2"),
    ]
    assert [each[0] for each in heard(al)] == ["new_message", "new_message"]
    assert b'"within_ms":5000' in jo.got
    assert running.metrics.gaps == 1


async def test_a_gap_is_told_also_when_somebody_is_lost_with_it(running):
    """Who is hung up on in the middle of it leaves the directory; the others are told."""
    guests = [running.join(UserId(n), wants_positions=True) for n in range(1, 6)]
    for guest in guests[1::2]:
        guest.is_gone = True
    running.broker.declare_gap()
    await wait_all_tasks_blocked()

    assert [guest.hangups for guest in guests] == [[], [close.LOST], [], [close.LOST], []]
    assert all(heard(guest)[0][0] == "resync" for guest in guests[0::2])


async def test_who_is_told_to_fetch_and_leaves_before_counts_as_told_of_it(running):
    """Else it would come back as one that has missed nothing; also who ends with the offer."""
    jo, al = (running.join(user, wants_positions=True) for user in (JO, AL))
    await running.tell(say(1))
    al.is_gone = True
    await running.hub.accept_turn(Rejoin("epoch", (), floor=9, head=9))
    await running.hub.wait_settled()

    assert al.hangups == [close.LOST]
    assert [guest.mailbox.told_to for guest in (jo, al)] == [9, 9]

"""A stored message whose chat cannot be learnt: late, or a gap that everybody is told of."""

from __future__ import annotations

import pytest
import trio

from gogate_trio.errors import BackendRejected, BackendUnavailable
from gogate_trio.limits import AUDIENCE_RETRY_SECONDS, GAP_SECONDS, LATE_RETRY_SECONDS, LATE_SECONDS


async def test_a_message_whose_chat_stays_unknown_is_put_aside_and_told_later(node, autojump_clock):
    """After some patience the sender's next commands go on; the message comes when it can."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("members", BackendUnavailable())
    jo.say("send_message", chat_id=1, text="late")
    await node.calls.wait_idle()
    assert al.texts() == []
    node.backend.heal("members")
    await trio.sleep(LATE_RETRY_SECONDS + 1)

    assert al.texts() == jo.texts() == ["late"]
    assert node.metrics.lost_audiences == 0
    assert autojump_clock.current_time() < LATE_SECONDS


@pytest.mark.parametrize("status", [401, 429])
async def test_a_refused_look_up_is_no_reason_to_lose_a_message(node, autojump_clock, status):
    """A key that is wrong for a while says nothing about who is in the chat."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("members", BackendRejected(status, "not now"), None)
    began = autojump_clock.current_time()
    jo.say("send_message", chat_id=1, text="hi")
    await node.calls.wait_idle()
    await node.settle()

    assert al.texts() == ["hi"]
    assert autojump_clock.current_time() - began == pytest.approx(AUDIENCE_RETRY_SECONDS[0])


@pytest.mark.parametrize("status", [403, 404])
async def test_in_a_chat_that_is_gone_the_sender_alone_is_told(node, status):
    """The backend has stored it, and says that nobody is there."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("members", BackendRejected(status, None))
    jo.say("send_message", chat_id=1, text="anybody?")
    await node.settle()

    assert jo.texts() == ["anybody?"]
    assert al.heard() == []


async def test_a_message_that_is_never_told_is_a_gap_in_the_stream(node, autojump_clock):
    """It is counted, and nobody is left to believe that nothing is missing."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("members", BackendUnavailable())
    for text in ("lost", "lost too"):
        jo.say("send_message", chat_id=1, text=text)
    await trio.sleep(LATE_SECONDS + 60)

    assert al.texts() == []
    assert node.metrics.lost_audiences == 2
    assert node.metrics.gaps == 1
    assert autojump_clock.current_time() > LATE_SECONDS


async def test_a_bug_while_a_message_is_late_does_not_end_the_node(node, autojump_clock):
    """The message is given up, which is a gap; everybody else is served."""
    jo, al = await node.clients(1, 2)
    tries = len(AUDIENCE_RETRY_SECONDS) + 1
    node.backend.fail("members", *[BackendUnavailable()] * tries, ZeroDivisionError())
    jo.say("send_message", chat_id=1, text="lost")
    await trio.sleep(LATE_RETRY_SECONDS * 2)
    node.backend.heal("members")
    al.say("send_message", chat_id=1, text="undisturbed")
    await trio.sleep(GAP_SECONDS * 2)

    assert jo.texts() == ["undisturbed"]
    assert (node.metrics.bugs, node.metrics.gaps) == (1, 1)
    assert autojump_clock.current_time() < LATE_SECONDS


async def test_what_is_said_behind_a_late_message_is_told_behind_it(node, autojump_clock):
    """Although its chat is known again by then: one sender's messages keep their order."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("members", BackendUnavailable())
    jo.say("send_message", chat_id=1, text="late")
    await node.calls.wait_idle()
    node.backend.heal("members")
    began = autojump_clock.current_time()
    jo.say("send_message", chat_id=1, text="later")
    jo.say("send_message", chat_id=2, text="elsewhere")
    await node.calls.wait_idle()
    await node.settle()
    assert al.texts() == ["elsewhere"]
    assert autojump_clock.current_time() == began
    await trio.sleep(LATE_RETRY_SECONDS + 1)
    jo.say("send_message", chat_id=1, text="at once again")
    await node.settle()

    assert al.texts() == ["late", "later", "at once again"]

"""Typing: to the other members, at once or merged, and in nobody's way."""

from __future__ import annotations

import pytest
import trio

from gogate_trio.errors import BackendRejected, BackendUnavailable
from gogate_trio.limits import PENDING_TYPING
from gogate_trio.state.ratelimit import Rate


def typing(is_typing: bool, chat_id: int = 1) -> dict:  # noqa: FBT001 - the event's one value
    """The event that Jo types."""
    data = {"chat_id": chat_id, "user_id": 1, "name": "Jo", "is_typing": is_typing}
    return {"event": "user_typing", "data": data}


@pytest.fixture
async def known(node):
    """Chat 1, whose members are known already: Jo on two devices, Al, and Kim."""
    people = await node.clients(1, 1, 2, 3)
    await node.membership.get(1)
    return people


async def test_typing_is_told_to_the_other_members(node, known):
    """To none of the typist's own devices; at once, without asking the backend."""
    jo, jo_too, al, kim = known
    calls = len(node.backend.calls)
    jo.say("typing", chat_id=1, is_typing=True)
    jo.say("typing", chat_id=1, is_typing=False)
    await node.settle()

    assert al.heard() == kim.heard() == [typing(True), typing(False)]
    assert jo.heard() == jo_too.heard() == []
    assert len(node.backend.calls) == calls


@pytest.mark.parametrize("is_known", [True, False])
async def test_who_is_no_member_may_not_type(node, is_known):
    """Whether the members are known already or must be looked up."""
    kim, jo = await node.clients(3, 1)
    if is_known:
        await node.membership.get(2)
    kim.say("typing", chat_id=2, is_typing=True)
    await node.settle()

    data = {"message": "Not a member of this chat", "code": "NOT_A_MEMBER"}
    assert kim.heard() == [{"event": "error", "data": data}]
    assert jo.heard() == []


async def test_typing_overtakes_a_slow_call(node, known):
    """It does not wait in the connection's lane."""
    jo, _, al, _ = known
    gate = node.backend.hold("send_message")
    jo.say("send_message", chat_id=1, text="slow")
    await node.settle()
    jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()

    assert al.heard() == [typing(True)]
    gate.set()
    await node.settle()
    assert al.names() == ["new_message"]


async def test_typing_does_not_wait_behind_a_look_up_of_another_chat(node, known):
    """A chat whose members nobody knows holds up itself alone."""
    jo, _, al, _ = known
    gate = node.backend.hold("members")
    jo.say("typing", chat_id=2, is_typing=True)
    jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()

    assert al.heard() == [typing(True)]
    gate.set()
    await node.settle()
    assert al.heard() == [typing(True, chat_id=2)]


async def test_while_members_are_looked_up_the_last_state_counts(node):
    """One look-up, one event: what was typed and stopped meanwhile is no news."""
    jo, al = await node.clients(1, 2)
    gate = node.backend.hold("members")
    for is_typing in (True, False, True, False):
        jo.say("typing", chat_id=1, is_typing=is_typing)
        await node.settle()
    gate.set()
    await node.settle()

    assert al.heard() == [typing(False)]
    assert node.backend.count("members") == 1


async def test_what_comes_as_the_members_become_known_is_not_overtaken(node, monkeypatch):
    """The list may be there a moment before the event that waits for it is told."""
    jo, al = await node.clients(1, 2)
    get = node.membership.get

    async def get_and_stop_typing(chat_id):
        members = await get(chat_id)
        assert node.membership.cached(chat_id) is members
        jo.say("typing", chat_id=1, is_typing=False)
        return members

    monkeypatch.setattr(node.membership, "get", get_and_stop_typing)
    jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()

    assert al.heard()[-1] == typing(False)


async def test_connections_do_not_merge_with_each_other(node):
    """Two people who type wait for the same list, and both are told."""
    jo, al, kim = await node.clients(1, 2, 3)
    gate = node.backend.hold("members")
    jo.say("typing", chat_id=1, is_typing=True)
    al.say("typing", chat_id=1, is_typing=True)
    await node.settle()
    gate.set()
    await node.settle()

    assert sorted(each["data"]["name"] for each in kim.heard()) == ["Al", "Jo"]
    assert node.backend.count("members") == 1


async def test_so_many_chats_may_wait_and_no_more(node):
    """A client that types in chats at random does not fill our memory; known chats still go."""
    jo = await node.client(1)
    gate = node.backend.hold("members")
    for number in range(PENDING_TYPING):
        jo.say("typing", chat_id=100 + number, is_typing=True)
    jo.say("typing", chat_id=100, is_typing=False)
    assert jo.heard() == []
    jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()

    assert jo.names() == ["BUSY"]
    gate.set()
    await node.settle()
    assert jo.typing == {}
    jo.heard()
    jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()
    assert jo.heard() == []


@pytest.mark.parametrize(
    ("failure", "reason", "code"),
    [
        (BackendUnavailable(), "backend unavailable", "BACKEND_UNAVAILABLE"),
        (BackendRejected(404, "No such chat"), "backend error: No such chat", "TYPING_FAILED"),
    ],
)
async def test_typing_whose_chat_cannot_be_learnt_is_answered_with_why(node, failure, reason, code):
    """Once for all that was merged; the next one asks anew."""
    jo, al = await node.clients(1, 2)
    node.backend.fail("members", failure)
    for _ in range(3):
        jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()

    data = {"message": f"Failed to send typing: {reason}", "code": code}
    assert jo.heard() == [{"event": "error", "data": data}]
    assert al.heard() == []
    node.backend.heal("members")
    jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()
    assert al.heard() == [typing(True)]


async def test_typing_of_somebody_who_is_gone_is_no_trouble(node):
    """The others may hear of it; the one who is gone hears nothing."""
    jo, al = await node.clients(1, 2)
    gate = node.backend.hold("members")
    jo.say("typing", chat_id=1, is_typing=True)
    await node.settle()
    jo.vanish()
    gate.set()
    await node.settle()

    assert al.heard() == [typing(True)]
    assert jo.heard() == []
    assert jo.typing == {}


class Pace:
    """The word of all nodes: each wait in its turn, and then none."""

    def __init__(self, *waits: float) -> None:
        self.waits = [*waits]
        self.asked: list[tuple[str, int]] = []

    async def wait(self, name: str, who: int) -> float:
        """Say it, after a round trip."""
        self.asked.append((name, who))
        await trio.sleep(0.001)
        return self.waits.pop(0) if self.waits else 0.0


async def hears(client) -> list[dict]:
    """Return what a client is told next."""
    with trio.fail_after(10):
        while not (heard := client.heard()):  # noqa: ASYNC110 - Redis would tell us as late
            await trio.sleep(0.005)
    return heard


async def test_typing_waits_for_the_word_of_all_nodes(node, known):
    """One round trip; over the rate of all nodes the latest state is told when there is room."""
    jo, _, al, _ = known
    node.router.typists.shared = pace = Pace(0.0, 0.3)
    jo.say("typing", chat_id=1, is_typing=True)
    assert await hears(al) == [typing(True)]
    for is_typing in (True, False):
        jo.say("typing", chat_id=1, is_typing=is_typing)
    began = trio.current_time()

    assert await hears(al) == [typing(False)]
    assert trio.current_time() - began > 0.25
    assert pace.asked == [("typing", 1)] * 3


async def test_what_this_node_refuses_is_never_asked_of_the_others(node, known):
    """Nor is what a stranger types. So Redis is asked at RATE_TYPING at most."""
    jo, _, al, stranger = known
    await node.membership.get(2)
    node.router.throttle.adjust({"typing": Rate(1.0, 1)})
    node.router.typists.shared = pace = Pace()
    for _ in range(5):
        jo.say("typing", chat_id=1, is_typing=True)
        await trio.sleep(0.01)
    stranger.say("typing", chat_id=2, is_typing=True)
    assert await hears(al) == [typing(True)]
    await node.settle()

    assert pace.asked == [("typing", 1)]
    assert "NOT_A_MEMBER" in stranger.names()

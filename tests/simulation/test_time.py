"""The laws of coming back that need time to pass: minutes here take no time at all."""

# ruff: noqa: ARG001 - a test has trio's clock by asking for it

from __future__ import annotations

import random
from collections import Counter

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.memory_backend import MemoryBackend
from gogate_trio.config import ResumeSettings
from gogate_trio.errors import BackendUnavailable
from gogate_trio.limits import LATE_RETRY_SECONDS, LATE_SECONDS, OUTCOME_SECONDS
from simulation.gateway import run_gateway
from simulation.visit import Over, Visit
from simulation.wires import Break, Link, Stall

ROOM = 2000


@attrs.define(eq=False)
class Device:
    """A client that takes in whatever comes, as long as its connection lasts."""

    user_id: int
    link: Link
    visit: Visit
    events: list = attrs.field(factory=list)
    why_over: object = None

    async def live(self):
        """Take in."""
        try:
            while True:
                self.events.append(await self.visit.next())
        except Over as over:
            self.why_over = over.args[0]

    async def say(self, event, command_id=None, **data):
        """Say something, and let everything happen that takes no time."""
        await self.visit.say(event, command_id, **data)
        await wait_all_tasks_blocked()

    def heard(self, name):
        """The data of all events of a name so far."""
        return [each["data"] for each in self.events if each["event"] == name]

    def texts(self):
        """The texts of all messages so far."""
        return [each["text"] for each in self.heard("new_message")]

    @property
    def place(self):
        """What it would name to go on."""
        position = [each["position"] for each in self.events if "position" in each]
        position += [each["position"] for each in self.heard("resync")]
        welcome = self.heard("auth_success")[-1]
        return {"session": welcome["session"], "position": [welcome["position"], *position][-1]}


@attrs.define(eq=False)
class Town:
    """A gateway, its backend, and whoever connects."""

    gateway: object
    backend: MemoryBackend
    nursery: trio.Nursery
    numbers: Counter = attrs.field(factory=Counter)

    async def device(self, user_id, resume=None):
        """Connect a client and log it in."""
        self.numbers["links"] += 1
        link = Link.between(self.numbers["links"], random.Random(1), ROOM)
        self.gateway.dial(link)
        visit = Visit(self.numbers["links"], link.client, 0.0)
        await visit.upgrade()
        device = Device(user_id, link, visit)
        self.nursery.start_soon(device.live)
        asked = {} if resume is None else {"resume": resume}
        await device.say("auth", token=f"token-{user_id}", **asked)
        await self.settle()
        return device

    async def settle(self):
        """Let everything happen that takes no time."""
        await wait_all_tasks_blocked()


@pytest.fixture
def window():
    """What the gateway keeps for who comes back."""
    return ResumeSettings(window=60.0)


@pytest.fixture
async def town(nursery, window):
    """A town with a gateway and nobody in it."""
    backend = MemoryBackend()
    gateway = await nursery.start(run_gateway, backend, window, "seed")
    return Town(gateway, backend, nursery)


# ── the window ───────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("away", "recovered"), [(59.0, True), (61.0, False)])
async def test_the_window_is_as_long_as_it_says(autojump_clock, town, away, recovered):
    """What is older is not told any more. Who left after it has missed nothing, ever."""
    jo, al, kim = [await town.device(user, resume=True) for user in (1, 2, 3)]
    al.link.cut(Break.RESET)
    await town.settle()
    await jo.say("send_message", "x", chat_id=2, text="missed")
    kim.link.cut(Break.RESET)
    await trio.sleep(away)
    al, kim = await town.device(2, al.place), await town.device(3, kim.place)

    assert al.heard("auth_success")[0]["recovered"] is recovered
    assert al.texts() == (["missed"] if recovered else [])
    assert len(al.heard("resync")) == (not recovered)
    assert kim.heard("auth_success")[0]["recovered"]


# ── outcomes ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("after", "stored"), [(-1.0, 1), (1.0, 2)])
async def test_an_outcome_is_remembered_for_five_minutes(autojump_clock, town, after, stored):
    """Also by a session whose window is over long before."""
    jo = await town.device(1, resume=True)
    await jo.say("send_message", "x", chat_id=2, text="once")
    jo.link.cut(Break.RESET)
    await trio.sleep(OUTCOME_SECONDS + after)
    jo = await town.device(1, jo.place)
    await jo.say("send_message", "x", chat_id=2, text="once")

    assert town.backend.count("send_message") == stored
    assert [each["message_id"] for each in jo.heard("ack")] == [stored]
    assert len(set(town.backend.idempotency_keys)) == 1


# ── late ─────────────────────────────────────────────────────────────────────


async def test_a_late_message_reaches_who_was_there_and_who_comes_back(autojump_clock, town):
    """The members are known again after a minute: nobody has to load anything."""
    jo, al = [await town.device(user, resume=True) for user in (1, 2)]
    town.backend.fail("members", BackendUnavailable())
    await jo.say("send_message", "x", chat_id=2, text="late")
    await trio.sleep(10)
    assert jo.heard("ack") == [{"message_id": 1, "chat_id": 2}]
    assert al.texts() == []
    al.link.cut(Break.RESET)
    await trio.sleep(40)
    town.backend.heal("members")
    await trio.sleep(LATE_RETRY_SECONDS)
    again = await town.device(2, al.place)

    assert jo.texts() == again.texts() == ["late"]
    assert again.heard("auth_success")[0]["recovered"]
    assert jo.heard("resync") == again.heard("resync") == []


async def test_a_message_that_is_given_up_is_a_resync_for_everybody_who_resumes(
    autojump_clock, town
):
    """Who is there, and who comes back later, whatever their chats; the guide's hear nothing."""
    jo, al, kim = [await town.device(user, resume=True) for user in (1, 2, 3)]
    guide = await town.device(2)
    kim.link.cut(Break.RESET)
    town.backend.fail("members", BackendUnavailable())
    await jo.say("send_message", "x", chat_id=2, text="lost")
    await trio.sleep(LATE_SECONDS + 10)
    town.backend.heal("members")
    kim = await town.device(3, kim.place)
    told = [jo.heard("resync"), al.heard("resync"), kim.heard("resync")]
    assert [len(each) for each in told] == [1, 1, 1]
    assert len({each[0]["position"] for each in told}) == 1
    assert [each["event"] for each in guide.events] == ["auth_success"]
    al.link.cut(Break.RESET)
    await town.settle()
    await jo.say("send_message", "y", chat_id=2, text="after")
    al = await town.device(2, al.place)

    assert al.heard("auth_success")[0]["recovered"]
    assert jo.texts() == al.texts() == guide.texts() == ["after"]


async def test_who_is_being_told_what_it_missed_hears_of_a_gap_too(autojump_clock, town):
    """It is not listening yet, so nobody else would tell it."""
    jo, al = [await town.device(user, resume=True) for user in (1, 2)]
    al.link.cut(Break.RESET)
    await town.settle()
    await jo.say("send_message", "x", chat_id=2, text="missed")
    await trio.sleep(6)
    gate = town.backend.hold("members")
    al = await town.device(2, al.place)
    assert al.texts() == []
    town.gateway.house.handle.__self__.publisher.broker.declare_gap()
    gate.set()
    await town.settle()

    assert [each["event"] for each in al.events] == ["auth_success", "new_message", "resync"]
    assert al.heard("resync") == jo.heard("resync")


# ── the end of a connection ──────────────────────────────────────────────────


async def test_a_dead_connection_does_not_keep_its_session_from_coming_back(autojump_clock, town):
    """The client is back long before the gateway notices; nothing is lost or told twice."""
    jo, al = [await town.device(user, resume=True) for user in (1, 2)]
    al.link.stall(Stall.DEAD)
    await jo.say("send_message", "x", chat_id=2, text="one")
    await trio.sleep(3)
    again = await town.device(2, al.place)
    await jo.say("send_message", "y", chat_id=2, text="two")
    await trio.sleep(20)
    assert town.gateway.metrics.closed["no pong"] == 1
    again.link.cut(Break.RESET)
    await town.settle()
    await jo.say("send_message", "z", chat_id=2, text="three")
    third = await town.device(2, again.place)

    assert again.texts() == ["one", "two"]
    assert third.texts() == ["three"]

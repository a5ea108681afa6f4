"""Laws of coming back to a node whose place in the stream has changed meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

import attrs
import pytest
import trio

from gogate_trio.backend.base import User
from gogate_trio.broker.base import Publication, Rejoin
from gogate_trio.caller import Joined, Outcome
from gogate_trio.ids import ChatId, UserId
from gogate_trio.outbox import Outbox
from gogate_trio.protocol.commands import Auth, Resume
from gogate_trio.protocol.events import Event, Resumed, Resync, ResyncOfAll
from gogate_trio.resume import Reception
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import Entry, History
from gogate_trio.state.sessions import Session, Sessions

JO, AL = UserId(1), UserId(2)
USER = User(JO, "Jo", "+1", active=True)


@attrs.define(eq=False)
class Comer:
    """A client's connection, all of which may be lost on the way."""

    directory: Directory[Outbox]
    outbox: Outbox = attrs.field(init=False)
    said: list[Event] = attrs.field(factory=list)
    session: Session[Outcome, Joined] | None = None
    hangup: None = None
    is_listening: bool = False

    def __attrs_post_init__(self) -> None:
        self.outbox = Outbox(lambda _: None, set(), len)

    def reply(self, event):
        """Note what it is told."""
        self.said.append(event)

    def listen(self):
        """Have events."""
        self.is_listening = True
        self.directory.join(JO, self.outbox)

    def pause(self):
        """Have none."""

    @property
    def welcome(self) -> Resumed:
        """How it was let in."""
        return next(each for each in self.said if isinstance(each, Resumed))


@attrs.define(eq=False)
class Door:
    """A node's reception, and who comes."""

    reception: Reception
    directory: Directory[Outbox]

    async def comes(self, before: Comer | None = None, position: str | None = None) -> Comer:
        """Let a client in; ``before``: its connection before, ``position``: what it has of that."""
        comer, resume = Comer(self.directory), Resume()
        if before is not None:
            resume = Resume(before.welcome.session, position or before.welcome.position)
        await self.reception.welcome(comer, USER, Auth("token", resume=resume))
        return comer

    def leaves(self, comer: Comer) -> None:
        """Let its connection end."""
        self.reception.leave(comer)
        self.directory.leave(JO, comer.outbox)


@pytest.fixture
def door(running):
    """The reception of a node whose hub runs; nobody is in any chat."""
    sessions = Sessions[Outcome, Joined](60)
    membership = SimpleNamespace(cached=lambda _: None)
    return Door(
        Reception(running.history, sessions, membership, running.metrics), running.directory
    )


def entry(offset: int) -> Entry:
    """An event for Jo."""
    text = b'{"event":"new_message","data":{}}'
    return Entry(offset, text, {JO: ""}, ChatId(1), trio.current_time())


async def test_who_leaves_before_its_resync_has_come_is_told_again(running, door):
    """The stream had been trimmed past the node: nobody here has heard what is gone."""
    jo = await door.comes()
    await running.hub.accept_turn(Rejoin("epoch", (), floor=9, head=9))
    await running.hub.wait_settled()
    door.leaves(jo)
    again = await door.comes(jo)

    assert not again.welcome.recovered
    assert isinstance(again.said[-1], Resync)


async def test_who_has_heard_its_resync_goes_on_from_there(running, door):
    """It has missed nothing since, however far the stream has got without it."""
    jo = await door.comes()
    await running.hub.accept_turn(Rejoin("epoch", (), floor=9, head=9))
    await running.hub.accept(
        Publication(b'{"event":"new_message","data":{}}', {AL: ""}, is_durable=True, offset=10)
    )
    await running.hub.wait_settled()
    door.leaves(jo)
    again = await door.comes(jo, "epoch-9")

    assert (again.welcome.recovered, again.welcome.position) == (True, "epoch-10")


async def test_nor_does_a_resync_in_the_middle_of_a_replay_count_as_heard(running, door):
    """Its node has healed while it asked who may see what came before."""
    history: History = running.history
    jo = await door.comes()
    door.leaves(jo)
    history.branch("branch")
    history.append(entry(1))

    async def heal(_):
        history.load("epoch", [entry(2)], floor=0, head=3)
        return SimpleNamespace(names={})

    door.reception.membership.get = heal
    jo = await door.comes(jo)
    assert isinstance(jo.said[-1], ResyncOfAll)
    door.leaves(jo)
    door.reception.membership.get = None
    door.reception.membership.cached = lambda _: SimpleNamespace(names={JO: ""})
    again = await door.comes(jo, "epoch-0")

    assert again.welcome.recovered
    assert again.outbox.told_to == 2

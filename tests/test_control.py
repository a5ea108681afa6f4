"""What an instruction does on one node."""

from __future__ import annotations

import attrs
import pytest

from gogate_trio.backend.base import User
from gogate_trio.broker.base import Disconnect, ForgetMembers, Revalidate
from gogate_trio.control import Control
from gogate_trio.metrics import Metrics


@attrs.define(eq=False)
class Somebody:
    """A connection, as far as an instruction goes."""

    user: User | None
    hangups: list = attrs.field(factory=list)
    name: str = ""

    def hang_up(self, hangup):
        """Note it."""
        self.hangups.append((hangup.code, hangup.text))
        self.name = hangup.reason


@attrs.define
class Noted:
    """A keeper and a membership cache that only take note."""

    suspects: list = attrs.field(factory=list)
    doubted: list = attrs.field(factory=list)
    forgotten: list = attrs.field(factory=list)
    told: list = attrs.field(factory=list)

    def suspect(self, caller):
        """Note who."""
        self.suspects.append(caller)

    def doubt(self, user_id):
        """Note whom."""
        self.doubted.append(user_id)

    def invalidate(self, chat_id):
        """Note which."""
        self.forgotten.append(chat_id)


@pytest.fixture
def noted():
    """What has been passed on."""
    return Noted()


@pytest.fixture
def crowd():
    """Two connections of user 1, one of user 2, one of nobody yet."""
    one, two = User(1, "a", "", active=True), User(2, "b", "", active=True)
    return [Somebody(user) for user in (one, one, two, None)]


@pytest.fixture
def control(crowd, noted):
    """Control over the crowd."""
    return Control(set(crowd), noted, noted, Metrics(), noted.told.append)


async def test_disconnect_ends_every_connection_of_one_user(control, crowd):
    """With the code and the reason given, and nobody else's."""
    control.obey(Disconnect(1, 4503, "logged out"))

    assert [each.hangups for each in crowd] == [[(4503, "logged out")]] * 2 + [[], []]
    # What the backend says is no name of a metric.
    assert {each.name for each in crowd[:2]} == {"disconnected"}


async def test_revalidate_doubts_the_tokens_of_one_user(control, crowd, noted):
    """All of them, and nobody else's."""
    control.obey(Revalidate(1))

    assert set(noted.suspects) == set(crowd[:2])


@pytest.mark.parametrize("instruction", [Disconnect(1, 4503, "out"), Revalidate(1)])
async def test_whoever_comes_after_it_is_asked_about(control, noted, instruction):
    """What the backend said of the user before counts no more, whoever is here."""
    control.obey(instruction)

    assert noted.doubted == [1]


async def test_forget_members_drops_the_list_of_one_chat(control, noted):
    """The cache is told which, and whoever else goes by it."""
    control.obey(ForgetMembers(7))

    assert noted.forgotten == noted.told == [7]


async def test_a_bug_in_an_instruction_is_counted_and_ends_nothing(crowd):
    """The broker goes on."""
    control = Control(set(crowd), None, None, Metrics())

    control.obey(ForgetMembers(7))

    assert control.metrics.bugs == 1

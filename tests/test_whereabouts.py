"""Laws of finding out where users are, in time that jumps."""

from __future__ import annotations

import attrs
import pytest
import trio

from gogate_trio import limits
from gogate_trio.cluster.base import HERE
from gogate_trio.errors import ClusterUnavailable
from gogate_trio.ids import UserId
from gogate_trio.whereabouts import Pace, Whereabouts

ANN, BOB, EVE = UserId(1), UserId(2), UserId(3)


@attrs.define(eq=False)
class World:
    """Where everybody really is, as this node and as the others have it."""

    here: set[UserId] = attrs.field(factory=set)
    elsewhere: dict[UserId, float] = attrs.field(factory=dict)
    """User → seconds since they left the other nodes, or ``HERE``."""
    is_away: bool = False
    """Whether the others do not answer."""
    asked: list[list[UserId]] = attrs.field(factory=list)
    news: list[UserId] = attrs.field(factory=list)

    def count(self, user_id):
        """Return how many connections of a user are here."""
        return int(user_id in self.here)

    async def standings(self, users):
        """Say how long ago they left the others."""
        self.asked.append(list(users))
        await trio.lowlevel.checkpoint()
        if self.is_away:
            raise ClusterUnavailable("away")
        return [self.elsewhere.get(user) for user in users]

    def hear(self, user_id):
        """Take note of news."""
        self.news.append(user_id)

    def told(self):
        """Return the news since the last look."""
        news, self.news = self.news, []
        return news


@pytest.fixture
def world():
    """Nobody is anywhere."""
    return World()


@pytest.fixture
def whereabouts(world):
    """All about Ann and Bob, and two nodes."""
    wanted = {ANN, BOB}
    return Whereabouts(world, world, Pace(), wanted=wanted, news=world.hear)


@pytest.fixture
async def looking(whereabouts, nursery):
    """The same, with Ann and Bob known and the looks running."""
    await whereabouts.get_to_know([ANN, BOB])
    nursery.start_soon(whereabouts.look_around)
    nursery.start_soon(whereabouts.look_closer)
    return whereabouts


async def test_everybody_is_asked_about_once(whereabouts, world):
    """Who is known is not asked about again by the next one who looks."""
    world.elsewhere[ANN] = HERE

    await whereabouts.get_to_know([ANN, BOB])
    await whereabouts.get_to_know([ANN, BOB])

    assert world.asked == [[ANN, BOB]]
    assert (whereabouts.is_online(ANN), whereabouts.is_online(BOB)) == (True, False)


async def test_a_word_of_another_node_is_looked_into_soon(looking, world, autojump_clock):  # noqa: ARG001
    """Only about those somebody wants to know of, and a storm of words is one question."""
    world.asked.clear()
    world.elsewhere = {BOB: HERE, EVE: HERE}

    for _ in range(10):
        looking.suspect([BOB, EVE])
    await trio.sleep(limits.PRESENCE_TICK_SECONDS)

    assert world.told() == [BOB]
    assert world.asked == [[BOB]]


async def test_a_lost_word_is_noticed_by_the_next_look(looking, world, autojump_clock):  # noqa: ARG001
    """So is a node that died: its users are gone without a time, and have the whole grace."""
    world.elsewhere[BOB] = HERE
    await trio.sleep(limits.PRESENCE_LOOK_SECONDS + 0.1)
    assert world.told() == [BOB]

    world.elsewhere.clear()
    await trio.sleep(limits.PRESENCE_LOOK_SECONDS)
    await trio.sleep(limits.PRESENCE_GRACE_SECONDS - 1)
    looking.expire()
    assert looking.is_online(BOB)
    await trio.sleep(1)
    looking.expire()
    assert world.told() == [BOB]
    assert not looking.is_online(BOB)


async def test_while_the_others_do_not_answer_what_was_known_holds(looking, world, autojump_clock):  # noqa: ARG001
    """Nobody is taken for gone who may be elsewhere; who is here is known all the same."""
    world.elsewhere[BOB] = HERE
    await trio.sleep(limits.PRESENCE_LOOK_SECONDS + 0.1)
    world.is_away = True
    world.here.add(ANN)
    looking.note(ANN, 1)

    await trio.sleep(100)
    looking.expire()

    assert (looking.is_online(ANN), looking.is_online(BOB)) == (True, True)


async def test_who_is_missed_after_an_outage_has_the_whole_grace(looking, world, autojump_clock):  # noqa: ARG001
    """Nobody could say meanwhile that their node lives; and who was offline stays so."""
    world.elsewhere = {ANN: limits.PRESENCE_GRACE_SECONDS + 1, BOB: HERE}
    await trio.sleep(limits.PRESENCE_LOOK_SECONDS + 0.1)
    world.is_away = True
    await trio.sleep(limits.PRESENCE_LOOK_SECONDS)
    world.is_away, world.elsewhere[BOB] = False, limits.PRESENCE_GRACE_SECONDS - 0.1
    await trio.sleep(limits.PRESENCE_LOOK_SECONDS)
    assert world.told() == [BOB]

    await trio.sleep(limits.PRESENCE_GRACE_SECONDS - 1)
    looking.expire()
    assert (looking.is_online(ANN), looking.is_online(BOB)) == (False, True)
    world.elsewhere.clear()
    await trio.sleep(1)
    looking.expire()
    assert world.told() == [BOB]
    assert not looking.is_online(BOB)


async def test_who_leaves_here_for_another_node_was_never_away(looking, world, autojump_clock):  # noqa: ARG001
    """The word of this node's own is looked into as well."""
    world.here.add(ANN)
    looking.note(ANN, 1)
    world.here.clear()
    world.elsewhere[ANN] = HERE
    looking.note(ANN, 0)
    await trio.sleep(100)
    looking.expire()

    assert looking.is_online(ANN)
    assert world.told() == [ANN]


async def test_who_just_left_is_online_to_who_looks_only_now(whereabouts, world, autojump_clock):  # noqa: ARG001
    """Whichever node it was; the grace runs from when they left."""
    whereabouts.note(ANN, 0)
    world.elsewhere[BOB] = limits.PRESENCE_GRACE_SECONDS - 5
    await trio.sleep(5)
    await whereabouts.get_to_know([ANN, BOB])
    assert (whereabouts.is_online(ANN), whereabouts.is_online(BOB)) == (True, True)

    await trio.sleep(5)
    whereabouts.expire()
    assert (whereabouts.is_online(ANN), whereabouts.is_online(BOB)) == (True, False)
    await trio.sleep(5)
    whereabouts.expire()
    assert not whereabouts.is_online(ANN)


async def test_anybody_may_be_asked_about(whereabouts, world):
    """Also those nobody looks at; whoever asks learns when the others do not answer."""
    world.here.add(ANN)
    world.elsewhere = {BOB: 3.0, EVE: 30.0}

    assert await whereabouts.online_of([ANN, BOB, EVE]) == [ANN, BOB]
    assert world.asked == [[BOB, EVE]]
    world.is_away = True
    with pytest.raises(ClusterUnavailable):
        await whereabouts.online_of([EVE])


async def test_so_many_who_left_are_remembered(whereabouts, monkeypatch, autojump_clock):  # noqa: ARG001
    """Whoever left first is forgotten first: at worst they are offline without a grace."""
    monkeypatch.setattr(limits, "PRESENCE_LEAVERS", 2)
    for user in (ANN, BOB, EVE):
        whereabouts.note(user, 0)

    assert await whereabouts.online_of([ANN, BOB, EVE]) == [BOB, EVE]
    await trio.sleep(limits.PRESENCE_GRACE_SECONDS)
    assert await whereabouts.online_of([ANN, BOB, EVE]) == []

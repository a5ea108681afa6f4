"""The remembered member lists: fresh, stale, shared, bounded."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import attrs
import pytest
import trio
from trio.testing import assert_checkpoints, wait_all_tasks_blocked

from gogate_trio.backend import membership
from gogate_trio.backend.base import Members
from gogate_trio.backend.membership import MembershipCache
from gogate_trio.errors import BackendError, BackendRejected, BackendUnavailable
from gogate_trio.ids import ChatId, UserId

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CHAT = ChatId(1)
TTL, STALE = 10.0, 60.0


@attrs.define(eq=False)
class Listing:
    """A backend that only knows members, and the time."""

    people: dict[UserId, str] = attrs.field(factory=lambda: {UserId(1): "Jo", UserId(2): "Al"})
    error: Exception | None = None
    asked: int = 0
    now: float = 1000.0
    gate: trio.Event = attrs.field(factory=trio.Event)
    """Answers wait for it; open unless a test puts a closed one in its place."""

    def __attrs_post_init__(self) -> None:
        self.gate.set()

    async def members(self, chat_id: ChatId) -> Members:
        """Answer with a new object each time: who was there when the question came."""
        self.asked += 1
        people = dict(self.people)
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Members(chat_id, people)

    def hold(self) -> trio.Event:
        """Let answers wait until the event returned is set."""
        self.gate = trio.Event()
        return self.gate


@pytest.fixture
def listing():
    """Whom the cache asks."""
    return Listing()


@pytest.fixture
async def cache(listing) -> AsyncIterator[MembershipCache]:
    """A cache over it, on its time."""
    async with trio.open_nursery() as lookups:
        yield MembershipCache(listing, lookups, ttl=TTL, stale=STALE, clock=lambda: listing.now)
        lookups.cancel_scope.cancel()


async def test_a_fresh_list_is_not_asked_for_again(cache, listing):
    """Within its ttl a list serves without a call, waiting or not."""
    members = await cache.get(CHAT)
    listing.now += TTL - 0.1

    with assert_checkpoints():
        assert await cache.get(CHAT) is members
    assert cache.cached(CHAT) is members
    assert listing.asked == 1


async def test_a_list_past_its_ttl_is_asked_for_again(cache, listing):
    """The ttl counts from the fetch; use does not prolong it."""
    await cache.get(CHAT)
    listing.now += TTL / 2
    await cache.get(CHAT)
    listing.now += TTL / 2

    assert cache.cached(CHAT) is None
    listing.people[UserId(3)] = "New"
    assert UserId(3) in (await cache.get(CHAT)).names
    assert listing.asked == 2


async def test_asking_the_cache_alone_never_asks_the_backend(cache, listing):
    """The hot path is told "not known" and nothing happens."""
    assert cache.cached(CHAT) is None
    await wait_all_tasks_blocked()

    assert listing.asked == 0


async def test_an_unchanged_list_stays_the_same_object(cache, listing):
    """What was derived from it stays good; only its age is renewed."""
    members = await cache.get(CHAT)
    listing.now += TTL
    again = await cache.get(CHAT)

    assert again is members
    assert cache.cached(CHAT) is members
    assert listing.asked == 2


@pytest.mark.parametrize("change", [{UserId(2): "Alan"}, {UserId(3): "New"}])
async def test_a_changed_list_is_a_new_object(cache, listing, change):
    """A new name is a change like a new member."""
    members = await cache.get(CHAT)
    listing.now += TTL
    listing.people.update(change)

    assert await cache.get(CHAT) is not members


async def test_many_who_ask_share_one_lookup(cache, listing):
    """A burst in one chat costs one call, and all get the same list."""
    got = []

    async def ask() -> None:
        got.append(await cache.get(CHAT))

    async with trio.open_nursery() as asking:
        gate = listing.hold()
        for _ in range(100):
            asking.start_soon(ask)
        await wait_all_tasks_blocked()
        gate.set()

    assert listing.asked == 1
    assert len(got) == 100
    assert len(set(map(id, got))) == 1


async def test_chats_do_not_wait_for_each_other(cache, listing):
    """A hundred chats are asked for before the first answer comes."""
    async with trio.open_nursery() as asking:
        gate = listing.hold()
        for number in range(1, 101):
            asking.start_soon(cache.get, ChatId(number))
        await wait_all_tasks_blocked()
        assert listing.asked == 100
        gate.set()

    assert cache.statistics().size == 100


async def test_waiters_that_leave_take_nothing_with_them(cache, listing):
    """The look-up goes on for those who stay, whoever began it, and for the next to ask."""
    got = []

    async def ask() -> None:
        got.append(await cache.get(CHAT))

    async with trio.open_nursery() as staying:
        gate = listing.hold()
        async with trio.open_nursery() as leaving:
            leaving.start_soon(cache.get, CHAT)
            await wait_all_tasks_blocked()
            staying.start_soon(ask)
            leaving.start_soon(cache.get, CHAT)
            await wait_all_tasks_blocked()
            leaving.cancel_scope.cancel()
        gate.set()

    assert listing.asked == 1
    assert cache.cached(CHAT) is got[0]


@pytest.mark.parametrize("error", [BackendUnavailable(), BackendRejected(401, None)])
async def test_the_last_known_list_serves_while_the_backend_fails(cache, listing, error):
    """Up to ``stale`` seconds after it was fetched, and no longer."""
    members = await cache.get(CHAT)
    listing.error = error
    for _ in range(2):
        listing.now += STALE / 2
        assert await cache.get(CHAT) is members
    listing.now += 0.1

    with pytest.raises(type(error)):
        await cache.get(CHAT)
    assert cache.statistics().size == 0


async def test_serving_a_stale_list_does_not_make_it_fresh(cache, listing):
    """While the backend fails, each look-up asks it again: the end of the outage is noticed."""
    await cache.get(CHAT)
    listing.error = BackendUnavailable()
    listing.now += TTL
    await cache.get(CHAT)

    assert cache.cached(CHAT) is None
    await cache.get(CHAT)
    assert listing.asked == 3


@pytest.mark.parametrize("status", [403, 404])
async def test_a_chat_that_is_gone_is_forgotten(cache, listing, status):
    """Whoever deletes a chat does not want its old list to go on serving."""
    await cache.get(CHAT)
    listing.now += TTL
    listing.error = BackendRejected(status, "gone")
    with pytest.raises(BackendRejected):
        await cache.get(CHAT)

    listing.error = BackendUnavailable()
    with pytest.raises(BackendUnavailable):
        await cache.get(CHAT)


async def test_a_failure_is_told_to_everyone_who_waits_and_not_remembered(cache, listing):
    """The next to ask asks the backend again."""
    listing.error = BackendUnavailable()
    failures = []

    async def ask() -> None:
        try:
            await cache.get(CHAT)
        except BackendError as error:
            failures.append(error)

    async with trio.open_nursery() as asking:
        gate = listing.hold()
        for _ in range(3):
            asking.start_soon(ask)
        await wait_all_tasks_blocked()
        gate.set()
    listing.error = None

    assert len(failures) == 3
    # One exception raised three times, and no traceback that grows with the crowd.
    assert all(len(traceback.extract_tb(error.__traceback__)) == 2 for error in failures)
    assert (await cache.get(CHAT)).names
    assert listing.asked == 2


async def test_a_bug_in_the_adapter_is_raised_where_somebody_asked(cache, listing):
    """It must not end the nursery in which everybody's look-ups run."""
    listing.error = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        await cache.get(CHAT)
    listing.error = None

    assert (await cache.get(CHAT)).names


async def test_invalidating_forgets_at_once(cache, listing):
    """A list known to be wrong serves nobody, not even when the backend fails."""
    await cache.get(CHAT)
    cache.invalidate(CHAT)

    assert cache.cached(CHAT) is None
    listing.error = BackendUnavailable()
    with pytest.raises(BackendUnavailable):
        await cache.get(CHAT)


async def test_a_lookup_that_was_overtaken_is_not_believed(cache, listing):
    """Who asks after an invalidation gets a list fetched after it."""
    early, late = [], []

    async def ask(got: list[Members]) -> None:
        got.append(await cache.get(CHAT))

    async with trio.open_nursery() as asking:
        gate = listing.hold()
        asking.start_soon(ask, early)
        await wait_all_tasks_blocked()
        listing.people[UserId(3)] = "New"
        cache.invalidate(CHAT)
        asking.start_soon(ask, late)
        await wait_all_tasks_blocked()
        gate.set()

    assert UserId(3) not in early[0].names
    assert UserId(3) in late[0].names
    assert cache.cached(CHAT) is late[0]
    assert listing.asked == 2


async def test_a_lookup_that_was_overtaken_takes_no_list_away(cache, listing):
    """That the chat was gone when it was asked says nothing about the list fetched since."""
    failures = []

    async def ask() -> None:
        try:
            await cache.get(CHAT)
        except BackendRejected as error:
            failures.append(error)

    async with trio.open_nursery() as asking:
        gate = listing.hold()
        asking.start_soon(ask)
        await wait_all_tasks_blocked()
        cache.invalidate(CHAT)
        listing.gate = trio.Event()
        listing.gate.set()
        members = await cache.get(CHAT)
        listing.error = BackendRejected(404, "gone")
        gate.set()

    assert len(failures) == 1
    assert cache.cached(CHAT) is members


async def test_the_end_of_the_nursery_lets_nobody_wait_for_ever(listing):
    """When the gateway ends, who still waits is told that the backend is not available."""
    listing.hold()
    async with trio.open_nursery() as asking, trio.open_nursery() as lookups:
        cache = MembershipCache(listing, lookups, ttl=TTL, stale=STALE)

        async def ask() -> None:
            with pytest.raises(BackendUnavailable):
                await cache.get(CHAT)

        asking.start_soon(ask)
        await wait_all_tasks_blocked()
        lookups.cancel_scope.cancel()


async def test_the_least_recently_used_list_goes_first(cache, monkeypatch):
    """The cache holds so many chats and no more; use keeps a chat in it."""
    monkeypatch.setattr(membership, "MEMBERSHIP_CHATS", 3)
    for number in (1, 2, 3):
        await cache.get(ChatId(number))
    cache.cached(ChatId(1))
    await cache.get(ChatId(4))

    assert [number for number in (1, 2, 3, 4) if cache.cached(ChatId(number))] == [1, 3, 4]
    assert cache.statistics().size == 3


async def test_the_statistics_tell_what_happened(cache, listing):
    """Hits, misses, stale answers and look-ups are counted once each."""
    await cache.get(CHAT)
    await cache.get(CHAT)
    cache.cached(CHAT)
    cache.cached(ChatId(2))
    listing.now += TTL
    listing.error = BackendUnavailable()
    await cache.get(CHAT)

    assert attrs.asdict(cache.statistics()) == {
        "hits": 2,
        "misses": 2,
        "stale_served": 1,
        "lookups": 2,
        "size": 1,
    }

"""A node that ends sends its clients away at an even pace, each with a delay of its own."""

from __future__ import annotations

import attrs
import msgspec
import pytest
import trio

from fakes.clients import CLOSE, open_client
from fakes.node import open_node, within
from fakes.settings import backend_settings
from gogate_trio import publisher
from gogate_trio.config import ClusterSettings, DrainSettings, Settings
from gogate_trio.config.redis import RedisAddress
from gogate_trio.limits import RECONNECT_SECONDS
from gogate_trio.server.drain import least_absence, send_away, spread


@attrs.define(eq=False)
class Leaver:
    """A connection that remembers when it was told what."""

    told_at: float = -1.0
    left_at: float = -1.0
    told: int | None = None
    away: float = 0.0
    """seconds it is asked to stay away"""

    def announce(self, hangup):
        """Hear that it will be hung up on."""
        self.told_at, self.told = trio.current_time(), hangup.retry_after_ms

    def hang_up(self, hangup):
        """Be hung up on, after having been told when to come back."""
        assert self.left_at == -1.0
        assert (hangup.code, hangup.text) == (1012, f"retry={self.told}")
        self.left_at, self.away = trio.current_time(), hangup.retry_after_ms / 1000


async def leave(count, *, over, absence=0.0):
    """Send so many away; return them in the order in which they came, and when it began."""
    leavers, begin = [Leaver() for _ in range(count)], trio.current_time()
    await send_away(leavers, over=over, absence=absence)
    assert all(begin <= each.told_at <= each.left_at for each in leavers)
    return leavers, begin


async def test_clients_leave_at_an_even_pace_and_in_no_order(autojump_clock):  # noqa: ARG001  # time is its own
    """In each tenth of the spread a tenth of them, whenever they had come."""
    leavers, begin = await leave(1000, over=10.0)

    left = [each.left_at - begin for each in leavers]
    assert [sum(second <= each < second + 1 for each in left) for second in range(10)] == (
        pytest.approx([100] * 10, abs=1)
    )
    assert left not in (sorted(left), sorted(left, reverse=True))
    assert trio.current_time() - begin <= 10.0


@pytest.mark.parametrize("door_opens", [0.0, 10.0])
async def test_they_come_back_at_that_pace_to_an_open_door(autojump_clock, door_opens):  # noqa: ARG001  # time is its own
    """A node that is alone is not there before its drain is over; another one is at once."""
    leavers, begin = await leave(1000, over=10.0, absence=door_opens)

    back = [each.left_at + each.away - begin for each in leavers]
    assert min(back) >= door_opens + RECONNECT_SECONDS[0]
    assert max(back) <= door_opens + 10.0 + RECONNECT_SECONDS[1] + 0.001
    busiest = max(sum(at <= each < at + 1 for each in back) for at in range(30))
    assert busiest <= 150
    assert len({each.away for each in leavers}) > 500


@pytest.mark.parametrize(
    ("setting", "clients", "seconds"),
    [(None, 0, 0.0), (None, 300, 0.6), (None, 1_000_000, 10.0), (0.0, 300, 0.0), (30.0, 1, 30.0)],
)
def test_the_spread_follows_the_crowd_unless_it_is_set(setting, clients, seconds):
    """500 clients a second, ten seconds at most: a small node restarts quickly."""
    assert spread(DrainSettings(timeout=60.0, spread=setting), clients) == seconds


async def test_only_who_asked_for_notices_is_told_beforehand(fake):
    """The same delay in the event and in the close frame; a guide's client has the latter alone."""
    async with (
        open_node(fake) as node,
        open_client(node.port) as noticed,
        open_client(node.port, fake.token(2)) as plain,
    ):
        with within():
            await noticed.say("auth", token=fake.token(1), notices=True)
            await noticed.event("auth_success")
            node.stop.set()
            told = await noticed.next_event()

            assert told["event"] == "reconnect"
            assert await noticed.ending() == (1012, f"retry={told['data']['after_ms']}")
            code, reason = await plain.ending()
        assert code == 1012
        assert reason.startswith("retry=")


async def test_who_is_still_here_hears_what_happens(fake, monkeypatch):
    """A message that is told late reaches whoever has not been hung up on yet."""
    monkeypatch.setattr(publisher, "AUDIENCE_RETRY_SECONDS", ())
    monkeypatch.setattr(publisher, "LATE_RETRY_SECONDS", 0.3)
    heard = {1: [], 2: []}

    async def listen(client, number):
        while (got := await client.next_frame()).opcode != CLOSE:
            heard[number].append(msgspec.json.decode(got.payload)["event"])
        await client.stream.aclose()

    async with (
        open_node(fake, drain=DrainSettings(timeout=20.0, spread=4.0)) as node,
        open_client(node.port) as john,
        open_client(node.port) as jane,
        trio.open_nursery() as listening,
    ):
        with within():
            for client, number in ((john, 1), (jane, 2)):
                await client.say("auth", token=fake.token(number), notices=True)
                await client.event("auth_success")
                listening.start_soon(listen, client, number)
            fake.fail("members")
            await john.say("send_message", chat_id=1, text="the last word")
            await fake.wait_for_calls("members", 1)
            node.stop.set()
            await trio.testing.wait_all_tasks_blocked(0.05)
            fake.heal("members")
            await node.stopped.wait()

    assert ["reconnect", "new_message"] in heard.values()


async def test_the_spread_shrinks_to_what_the_drain_has_left(fake):
    """An answer that took its time leaves less of it for goodbyes; everybody gets one."""
    fake.hold("send_message")
    async with (
        open_node(fake, drain=DrainSettings(timeout=1.0, spread=0.9)) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        await john.say("send_message", chat_id=1, text="never answered")
        await fake.wait_for_calls("send_message", 1)
        node.stop.set()

        with within(3):
            assert (await john.ending())[0] == (await jane.ending())[0] == 1012
            await node.stopped.wait()
        assert node.metrics.closed["cut off"] == 0
        assert node.metrics.closed["service restart"] == 2


@pytest.mark.parametrize(
    ("redis", "seconds"), [(None, 30.0), (RedisAddress(hosts=(("redis.example", 6379),)), 0.0)]
)
def test_where_there_are_other_nodes_nobody_waits_for_this_one(redis, seconds):
    """With Redis the delay is each client's own alone; without, the spread comes on top."""
    settings = Settings(backend=backend_settings("http://x"), cluster=ClusterSettings(redis=redis))

    assert least_absence(settings, 30.0) == seconds

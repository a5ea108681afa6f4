"""Waiting for sockets without a scope: who waits is woken, whatever comes in whatever order."""

from __future__ import annotations

import socket
from contextvars import ContextVar

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.node import PATIENCE
from gogate_trio.poller import BOTH, Poller, Source, TimeUp, open_poller


@pytest.fixture
def pair():
    """Two ends of a connection; the first does not block."""
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    with ours, theirs:
        yield ours, theirs


async def read(sock, source, *, minded=True):
    """What is there to read, waiting for it if need be."""
    while True:
        await (source.minded_news() if minded else source.news())
        try:
            data = sock.recv(4)
        except BlockingIOError:
            continue
        if len(data) == 4:
            source.look_again()
        return data


@pytest.mark.parametrize("minded", [True, False])
async def test_all_that_comes_is_read_to_the_end(pair, minded):
    """Also what came before anybody waited, what one read left over, and the end itself."""
    ours, theirs = pair
    theirs.send(b"1234567")
    got = []
    async with open_poller() as poller, trio.open_nursery() as nursery:
        source = poller.add(ours, BOTH)

        async def reader():
            while data := await read(ours, source, minded=minded):
                got.append(data)

        nursery.start_soon(reader)
        await wait_all_tasks_blocked(0.01)
        assert got == [b"1234", b"567"]
        theirs.send(b"89")
        theirs.shutdown(socket.SHUT_WR)

    assert got == [b"1234", b"567", b"89"]


async def test_an_end_that_came_with_the_last_bytes_is_not_waited_for(pair):
    """It is an edge that does not come again."""
    ours, theirs = pair
    async with open_poller() as poller:
        source = poller.add(ours, BOTH)
        with trio.fail_after(PATIENCE):
            await read_after(theirs, ours, source)
            assert await read(ours, source) == b""


async def read_after(theirs, ours, source):
    """Read bytes that come together with the end."""
    async with trio.open_nursery() as nursery:

        async def speak():
            await wait_all_tasks_blocked(0.01)
            theirs.send(b"12")
            theirs.close()

        nursery.start_soon(speak)
        assert await read(ours, source) == b"12"


async def test_an_attempt_has_all_that_comes_to_the_end_and_wakes_nobody_before(pair):
    """The poller calls it in the waiting one's context, also for an end that came with bytes."""
    ours, theirs = pair
    got, callers, whose = [], [], ContextVar("whose")
    async with open_poller() as poller, trio.open_nursery() as nursery:
        source = poller.add(ours)

        def attempt():
            callers.append((trio.lowlevel.current_task(), whose.get()))
            try:
                data = ours.recv(100)
            except BlockingIOError:
                source.is_dry()
                return False
            got.append(data)
            return not data

        async def wait():
            whose.set("ours")
            await source.try_on_news(attempt)
            got.append("woken")

        nursery.start_soon(wait)
        for word in (b"1", b"2"):
            await wait_all_tasks_blocked(0.01)
            theirs.send(word)
        await wait_all_tasks_blocked(0.01)
        assert got == [b"1", b"2"]
        theirs.send(b"3")
        theirs.close()

    assert got == [b"1", b"2", b"3", b"", "woken"]
    assert len(set(callers)) == 1
    task, context = callers[0]
    assert (task.name, context) == (f"{Poller.run.__module__}.Poller.run", "ours")


async def test_what_an_attempt_raises_is_raised_where_it_is_waited_for(pair):
    """The poller goes on for everybody else, and news that came before anybody waited counts."""
    ours, theirs = pair
    theirs.send(b"1")
    async with open_poller() as poller:
        source, raised = poller.add(ours), []

        def fail():
            raise ZeroDivisionError(ours.recv(1))

        async def wait():
            with pytest.raises(ZeroDivisionError) as error:
                await source.try_on_news(fail)
            raised.append(error.value.args[0])

        with trio.fail_after(PATIENCE):
            for word in (b"2", b"3"):
                await wait()
                theirs.send(word)

    assert raised == [b"1", b"2"]


async def test_who_waits_to_send_is_woken_when_there_is_room(pair):
    """The same wait serves both ways."""
    ours, theirs = pair
    sent = fill(ours)
    async with open_poller() as poller, trio.open_nursery() as nursery:
        source = poller.add(ours, BOTH)
        source.until = trio.current_time() + PATIENCE

        async def send():
            while True:
                await source.minded_news()
                try:
                    ours.send(b"last")
                except BlockingIOError:
                    continue
                return

        nursery.start_soon(send)
        await wait_all_tasks_blocked(0.01)
        while sent > 0:
            sent -= len(theirs.recv(1_000_000))

    assert theirs.recv(10) == b"last"


def fill(sock):
    """Send until the kernel takes no more; return how much it took."""
    sent = 0
    while True:
        try:
            sent += sock.send(bytes(100_000))
        except BlockingIOError:
            return sent


async def test_each_wait_ends_at_its_own_time_in_whatever_order_they_began(autojump_clock):
    """An earlier one that comes later is not overlooked; who was woken before is left alone."""
    ended = {}
    began = autojump_clock.current_time()

    async def wait(source, seconds):
        source.until = began + seconds
        with pytest.raises(TimeUp):
            await source.minded_news()
        ended[seconds] = autojump_clock.current_time() - began

    pairs = [socket.socketpair() for _ in range(4)]
    async with open_poller() as poller, trio.open_nursery() as nursery:
        sources = [poller.add(ours, BOTH) for ours, _ in pairs]
        await wait_all_tasks_blocked()
        for source in sources:
            await source.news()  # that it can be written to
        nursery.start_soon(wait, sources[0], 10)
        await wait_all_tasks_blocked()
        nursery.start_soon(wait, sources[1], 2)
        await trio.sleep(5)
        nursery.start_soon(wait, sources[2], 6)
        sources[3].until = began + 7
        nursery.start_soon(sources[3].minded_news)
        await wait_all_tasks_blocked()
        sources[3].wake()
        await trio.lowlevel.checkpoint()
        nursery.start_soon(wait, sources[3], 20)
    for both in pairs:
        for end in both:
            end.close()

    assert ended == {2: 2, 6: 6, 10: 10, 20: 20}


async def test_a_minded_wait_is_not_cancelled_and_the_other_is(pair):
    """Half of an exchange is worth nothing; what is cancelled takes effect behind it."""
    ours, theirs = pair
    steps = []

    async def client(source, *, minded):
        try:
            await read(ours, source, minded=minded)
            steps.append("read")
            await trio.lowlevel.checkpoint()
            steps.append("not reached")
        except trio.Cancelled:
            steps.append("cancelled")
            raise

    async with open_poller() as poller:
        source = poller.add(ours, BOTH)
        source.until = trio.current_time() + PATIENCE
        for minded in (False, True):
            async with trio.open_nursery() as clients:
                clients.start_soon(lambda minded=minded: client(source, minded=minded))
                await wait_all_tasks_blocked(0.01)
                clients.cancel_scope.cancel()
                with trio.CancelScope(shield=True):
                    await wait_all_tasks_blocked(0.01)
                if minded:
                    theirs.send(b"x")

    assert steps == ["cancelled", "read", "cancelled"]


async def test_cutting_ends_what_is_minded_also_what_waits_later(pair):
    """Nobody waits for long at the very end."""
    ours, _theirs = pair
    async with open_poller() as poller, trio.open_nursery() as nursery:
        source = poller.add(ours, BOTH)
        source.until = trio.current_time() + 1000

        async def wait_twice():
            for _ in range(2):
                with pytest.raises(TimeUp):
                    await read(ours, source)

        nursery.start_soon(wait_twice)
        await wait_all_tasks_blocked(0.01)
        poller.cut_all()
        nursery.cancel_scope.deadline = trio.current_time() + PATIENCE
    assert not nursery.cancel_scope.cancelled_caught


async def test_it_serves_on_until_the_block_has_ended_though_it_is_cancelled(pair):
    """What cannot be cancelled would else wait for ever."""
    ours, theirs = pair
    got = []
    with trio.CancelScope() as scope:
        async with open_poller() as poller:
            source = poller.add(ours, BOTH)
            source.until = trio.current_time() + PATIENCE
            scope.cancel()
            async with trio.open_nursery() as nursery:

                async def later():
                    with trio.CancelScope(shield=True):
                        await wait_all_tasks_blocked(0.01)
                        theirs.send(b"x")

                nursery.start_soon(later)
                got.append(await read(ours, source))

    assert got == [b"x"]


async def test_nobody_waits_for_a_poller_that_has_ended(pair):
    """Nor for a socket that is no longer registered."""
    ours, _theirs = pair
    async with open_poller() as poller, trio.open_nursery() as nursery:
        source = poller.add(ours, BOTH)
        await read_nothing(source)

        async def wait():
            with pytest.raises(trio.ClosedResourceError):
                await source.news()

        nursery.start_soon(wait)
        await wait_all_tasks_blocked()
        with pytest.raises(trio.BusyResourceError):
            await source.news()
        source.remove()
        source.remove()
    for wait_again in (source.news, source.minded_news):
        with pytest.raises(TimeUp):
            await wait_again()


async def test_who_comes_second_takes_nothing_from_who_waits(pair):
    """What the first wanted done with news is still done."""
    ours, theirs = pair
    got = []
    async with open_poller() as poller, trio.open_nursery() as nursery:
        source = poller.add(ours)

        def attempt():
            got.append(ours.recv(100))
            return True

        nursery.start_soon(source.try_on_news, attempt)
        await wait_all_tasks_blocked(0.01)
        with pytest.raises(trio.BusyResourceError):
            await source.try_on_news(lambda: got.append(b"second") or True)
        theirs.send(b"1")

    assert got == [b"1"]


async def read_nothing(source):
    """Take note that the socket can be written to, which every new one can."""
    await wait_all_tasks_blocked(0.01)
    await source.news()


@pytest.mark.parametrize("minded", [True, False])
async def test_who_always_has_news_keeps_the_time_and_lets_others_have_their_turns(pair, minded):
    """A backend that never stops talking; where that is cut, the news is still there."""
    ours, _theirs = pair
    turns, end = 0, trio.current_time() + 0.05

    async def take_turns():
        nonlocal turns
        while True:
            await trio.lowlevel.checkpoint()
            turns += 1

    async def wait(source):
        while trio.current_time() < end + 1:
            source.look_again()
            await (source.minded_news() if minded else source.news())
        raise AssertionError("it goes on and on")

    async with open_poller() as poller, trio.open_nursery() as others:
        source = poller.add(ours)
        source.until = end
        others.start_soon(take_turns)
        if minded:
            with pytest.raises(TimeUp):
                await wait(source)
        else:
            with trio.move_on_at(end):
                await wait(source)
            with trio.fail_after(PATIENCE):
                await source.news()
        others.cancel_scope.cancel()

    assert turns > 10


async def test_a_bug_in_it_is_raised_and_ends_every_wait(pair, monkeypatch):
    """Also those that cannot be cancelled: a node that hears nobody must not live on."""
    ours, theirs = pair
    ended = []

    async def wait(source, *, minded):
        try:
            await (source.minded_news() if minded else source.news())
        except TimeUp:
            ended.append("time is up")
        except trio.Cancelled:
            ended.append("cancelled")
            raise

    monkeypatch.setattr(Source, "tell", lambda _source, event: 1 / (event - event))
    our_other, their_other = socket.socketpair()
    began = trio.current_time()
    with our_other, their_other, pytest.RaisesGroup(ZeroDivisionError, flatten_subgroups=True):
        async with open_poller() as poller, trio.open_nursery() as nursery:
            for sock, minded in ((ours, True), (our_other, False)):
                source = poller.add(sock)
                if minded:
                    source.until = began + PATIENCE
                nursery.start_soon(lambda s=source, m=minded: wait(s, minded=m))
            await wait_all_tasks_blocked(0.01)
            theirs.send(b"1")

    assert sorted(ended) == ["cancelled", "time is up"]
    assert trio.current_time() - began < PATIENCE / 2

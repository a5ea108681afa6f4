"""Laws of keys: what is published under one twice, is published once."""

from __future__ import annotations

import trio

from gogate_trio.broker.base import Publication
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.broker.once import Once
from gogate_trio.limits import ONCE_KEYS, ONCE_SECONDS
from gogate_trio.metrics import Metrics


def test_a_key_is_forgotten_after_its_time():
    """A key counts for ten minutes from its last use, and no publication without one."""
    once = Once()
    once.note("a", 0.0)
    once.note(None, 0.0)

    assert once.is_known("a", ONCE_SECONDS - 0.1)
    assert not once.is_known("a", ONCE_SECONDS)
    assert not once.is_known("b", 0.0)
    assert not once.is_known(None, 0.0)

    once.note("b", ONCE_SECONDS)
    assert len(once) == 1


def test_the_oldest_key_goes_first():
    """No more keys are kept than the bound says."""
    once = Once()
    for number in range(ONCE_KEYS + 1):
        once.note(str(number), 0.0)

    assert len(once) == ONCE_KEYS
    assert not once.is_known("0", 1.0)
    assert once.is_known("1", 1.0)


async def test_the_broker_of_one_node_publishes_a_key_once(autojump_clock):
    """The second time nothing happens, and the publisher is told; after its time it counts anew."""
    del autojump_clock
    heard = []

    class Receiver:
        async def accept(self, publication):
            heard.append(publication.text)

    broker = MemoryBroker(Receiver(), lambda _: None, Metrics())

    def publish(text, key):
        return broker.publish(Publication(text, {1: ""}, is_durable=True, key=key))

    assert [await publish(b"1", "k"), await publish(b"2", "k"), await publish(b"3", None)] == [
        *(True, False, True),
    ]
    assert heard == [b"1", b"3"]


async def test_a_publication_that_is_cancelled_leaves_its_key_free():
    """It was not published: whoever tries again is the first."""
    room = trio.Event()

    class Receiver:
        async def accept(self, _publication):
            await room.wait()

    broker = MemoryBroker(Receiver(), lambda _: None, Metrics())
    with trio.move_on_after(0):
        await broker.publish(Publication(b"1", {1: ""}, is_durable=True, key="k"))
    room.set()

    assert await broker.publish(Publication(b"1", {1: ""}, is_durable=True, key="k"))

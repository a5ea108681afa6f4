"""Gateways that are broken on purpose, each in the way one line of it could be.

A checker that finds nothing in any of these would find nothing at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any
from unittest import mock

from gogate_trio import resume
from gogate_trio.broker.base import Publication
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.outbox import Outbox
from gogate_trio.protocol.close import SLOW_CONSUMER
from gogate_trio.protocol.events import Ack
from gogate_trio.router import Router
from gogate_trio.state.history import Entry, History

Mutation = Callable[[], AbstractContextManager[Any]]


def drop_on_full() -> AbstractContextManager[Any]:
    """An outbox that is full forgets the event, and nobody is told."""
    give_up = Outbox._give_up

    def forget(outbox: Outbox, hangup: Any) -> None:
        if hangup is not SLOW_CONSUMER:
            give_up(outbox, hangup)

    return mock.patch.object(Outbox, "_give_up", forget)


def skip_one() -> AbstractContextManager[Any]:
    """A replay leaves its second event out."""
    after = History.after

    def skipping(history: History, offset: int) -> Iterator[Entry]:
        for number, entry in enumerate(after(history, offset)):
            if number != 1:
                yield entry

    return mock.patch.object(History, "after", skipping)


def replay_twice() -> AbstractContextManager[Any]:
    """A replay tells everything twice."""
    tell = resume.Reception._tell_again

    async def tell_twice(reception: Any, *arguments: Any) -> None:
        await tell(reception, *arguments)
        await tell(reception, *arguments)

    return mock.patch.object(resume.Reception, "_tell_again", tell_twice)


def ack_before_store() -> AbstractContextManager[Any]:
    """A message is acknowledged before the backend has it."""
    send = Router._send_message

    async def promise(router: Router, caller: Any, *arguments: Any) -> Any:
        router.publisher.supervisor.start_soon(send, router, caller, *arguments)
        return Ack()

    return mock.patch.object(Router, "_send_message", promise)


def reorder() -> AbstractContextManager[Any]:
    """Two publications change places whenever two are under way."""
    publish = MemoryBroker.publish
    held: list[Publication] = []

    async def swap(broker: MemoryBroker, publication: Publication) -> None:
        if publication.is_durable and publication.chat_id == _CHAT and not held:
            held.append(publication)
            return
        await publish(broker, publication)
        for each in islice(held, 1):
            held.clear()
            await publish(broker, each)

    return mock.patch.object(MemoryBroker, "publish", swap)


MUTATIONS: dict[Mutation, set[str]] = {
    drop_on_full: {"silent gap"},
    skip_one: {"silent gap"},
    replay_twice: {"duplicate"},
    ack_before_store: {"acked but lost"},
    reorder: {"overtaken"},
}
"""Each with the laws that it breaks, by name."""

_CHAT = 2

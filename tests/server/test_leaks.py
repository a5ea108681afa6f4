"""A thousand strangers later the node holds what it held before."""

from __future__ import annotations

import gc

import collector
from fakes.clients import CLOSE, frame, open_client
from fakes.desk import FakeUser
from fakes.leaks import holding, settles
from fakes.node import open_node, undisturbed_chat, within
from fakes.strangers import STRANGERS, illegal_frames, visit
from gogate_trio.server.connection import Connection


async def a_person(port):
    """Somebody who means well: logs in, says something, reads it, and leaves properly."""
    async with open_client(port, "token-3") as client:
        await client.say("send_message", chat_id=3, text="hello")
        await client.event("new_message")
        await client.send(frame(CLOSE, b"\x03\xe8"))
        await client.close_code()


def connections_alive():
    """All connections there are in memory, used or not; other tests may have left some."""
    gc.collect()
    return {each for each in gc.get_objects() if isinstance(each, Connection)}


async def test_people_who_have_left_are_forgotten(fake):
    """What was kept ready for a chat's next message does not keep alive who was in it."""
    # Held, not only counted: the id of one that is freed may be given to a new one.
    others = connections_alive()
    for number in range(1001, 1051):
        fake.users[number] = FakeUser(number, "Number", str(number), "")
        fake.chats[number] = [number]
    async with open_node(fake) as node, undisturbed_chat(node) as chat:
        for number in range(1001, 1051):
            async with open_client(node.port, fake.token(number)) as client:
                with within():
                    await client.say("send_message", chat_id=number, text="hello")
                    await client.event("new_message")
        assert await settles(lambda: node.metrics.connections == 2)
        await chat.goes_on()

        # The sweep may hold on to the one it looked at last until it looks again.
        assert await settles(lambda: len(connections_alive() - others) == 2)


async def test_a_thousand_visits_leave_no_task_and_no_descriptor(fake, logged):
    """Every kind in turn, twenty at a time, while two people chat on."""
    crowd = (*STRANGERS, illegal_frames, a_person)
    async with open_node(fake) as node, undisturbed_chat(node):
        with within(60):
            await visit(node.port, crowd, 50, at_once=10)
            assert await settles(lambda: node.metrics.connections == 2)
            before = holding()

            await visit(node.port, crowd, 1000, at_once=20)

            assert await settles(lambda: holding().is_at_most(before))
            assert await settles(lambda: node.metrics.connections == 2)
        assert node.metrics.bugs == 0
        told = {entry["event"] for entry in logged if entry["log_level"] != "debug"}
        assert told <= {"serving", "connection_closed", "request_refused", "turned_away"}
        assert {entry["log_level"] for entry in logged} <= {"debug", "info"}


def test_a_daemon_keeps_the_collector_off_what_lives_for_ever():
    """It passes over what is there when the node serves, and comes by less often."""
    thresholds, frozen = gc.get_threshold(), gc.get_freeze_count()
    others = [[] for _ in range(100)]
    try:
        collector.settle_memory()

        assert gc.get_freeze_count() >= frozen + len(others)
        assert gc.get_threshold() > thresholds
    finally:
        gc.set_threshold(*thresholds)

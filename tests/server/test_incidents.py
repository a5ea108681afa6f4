"""What is decided against a client is in the log, and nobody can fill the log with it."""

from __future__ import annotations

import pytest
import trio

from fakes.clients import open_client
from fakes.node import open_node, within
from gogate_trio.limits import INCIDENT_LINES, INCIDENT_LINES_PER_SECOND
from gogate_trio.server.incidents import Incidents


@pytest.fixture
def incidents(logged):
    """The incidents of a node, and what they have logged."""
    return Incidents(), logged


async def test_each_kind_has_its_lines_and_the_rest_is_summed_up(incidents, autojump_clock):
    """A flood of one kind costs a bounded number of lines, hides no other kind, and is counted."""
    log, logged = incidents
    for number in range(INCIDENT_LINES + 30):
        log.note("turned_away", "address", peer=str(number))
    log.note("turned_away", "total", peer="another")
    await trio.sleep(1 / INCIDENT_LINES_PER_SECOND)
    log.note("turned_away", "address", peer="the next")

    lines = [each for each in logged if each["event"] == "turned_away"]
    assert len(lines) == INCIDENT_LINES + 2
    assert lines[-2]["peer"] == "another"
    assert (lines[-1]["peer"], lines[-1]["unsaid"]) == ("the next", 30)
    assert autojump_clock.current_time() > 0


async def test_a_hang_up_for_cause_is_a_line_and_a_farewell_is_none(fake, logged):
    """The operator sees who was cut and why; people who come and go leave no line."""
    async with open_node(fake) as node:
        async with open_client(node.port, fake.token(1)):
            pass
        async with open_client(node.port, fake.token(1)) as client:
            with within():
                await client.send(b"\xff\xff")
                code = await client.close_code()

    lines = [each for each in logged if each["event"] == "connection_closed"]
    assert code == 1002
    worth = [each for each in lines if each["log_level"] == "info"]
    assert [(each["kind"], each["code"], each["user"]) for each in worth] == [
        ("protocol error", 1002, 1)
    ]

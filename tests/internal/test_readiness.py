"""``/ready``: 200 only when a client that comes now would be served."""

from __future__ import annotations

import attrs
import pytest

from fakes.clients import open_client
from fakes.leaks import settles
from fakes.node import within
from fakes.watched import open_watched
from gogate_trio.backend.gate import GateStatistics
from gogate_trio.broker.base import BrokerStatistics
from gogate_trio.config import AdmissionSettings
from gogate_trio.internal.readiness import Part, Phase, Readiness
from gogate_trio.state.admission import Admission, Caps
from gogate_trio.state.breaker import Circuit

READY = {
    "ready": True,
    "parts": {
        "node": {"ready": True, "state": "serving"},
        "backend": {"ready": True, "state": "closed"},
    },
}


async def break_circuit(fake, client):
    """Let enough calls fail that the backend counts as away."""
    for endpoint in ("validate", "members", "send_message"):
        fake.fail(endpoint, status=500)
    with within():
        for _ in range(12):
            await client.say("send_message", chat_id=3, text="anybody there?")
            await client.event("error")


ATTACHED = BrokerStatistics(
    "attached",
    is_up=True,
    is_heard=True,
    is_followed=True,
    behind=0,
    behind_seconds=0.0,
    backlog=0,
    backlog_bytes=0,
    owes_gap=False,
)


@attrs.frozen
class Told:
    """A backend's breaker, or a broker, of which only the figures are there."""

    figures: object

    def statistics(self):
        """Return them."""
        return self.figures


def parts_of(circuit=Circuit.CLOSED, broker=ATTACHED):
    """Return the parts of a node with room, as they are said to be."""
    gate = Told(GateStatistics(0, 0, circuit, 0, 0, 0))
    room = Admission(Caps(9, 9, 0, None, spares_loopback=True))
    return Readiness(gate, None, Told(broker), room, Phase.SERVING).parts()


@pytest.mark.parametrize(
    ("circuit", "is_ready"), [(Circuit.CLOSED, True), (Circuit.HALF_OPEN, False)]
)
def test_a_backend_that_is_only_tried_is_not_there_yet(circuit, is_ready):
    """Most calls are held back meanwhile: who comes now would not get in."""
    assert parts_of(circuit=circuit)["backend"] == Part(is_ready, circuit.value)


@pytest.mark.parametrize(
    ("figures", "state"),
    [
        ({}, "attached"),
        ({"is_heard": False}, "silent"),
        ({"is_followed": False}, "silent"),
        ({"state": "healing"}, "healing"),
        ({"state": "healing", "is_heard": False}, "silent"),
        ({"state": "detached", "is_followed": False}, "detached"),
    ],
    ids=str,
)
def test_only_what_comes_back_both_ways_proves_the_way_to_the_others(figures, state):
    """By the stream and by the channel; and the body says what it is."""
    found = parts_of(broker=attrs.evolve(ATTACHED, **figures))["redis"]

    assert found == Part(state == "attached", state)


def test_a_node_alone_has_no_way_to_others():
    """So it is not asked for."""
    assert "redis" not in parts_of(broker=None)


async def test_a_node_that_serves_is_ready(fake):
    """All parts are, and each says so."""
    async with open_watched(fake) as node:
        assert await node.ready() == (200, READY)


async def test_a_draining_node_is_not_ready_but_says_so_to_the_end(fake):
    """A load balancer learns it while calls in flight are still being finished."""
    async with open_watched(fake) as node, open_client(node.port, fake.token(3)) as client:
        gate = fake.hold("send_message")
        await client.say("send_message", chat_id=3, text="hello")
        with within():
            await fake.wait_for_calls("send_message", 1)
            node.stop.set()
            await settles(lambda: False, within=0.05)
            status, body = await node.ready()
            gate.set()
            await node.stopped.wait()

    assert (status, body["ready"]) == (503, False)
    assert body["parts"]["node"] == {"ready": False, "state": "draining"}
    assert body["parts"]["backend"]["ready"]


async def test_a_full_node_is_not_ready_until_somebody_leaves(fake):
    """MAX_CONNECTIONS: who comes now would be turned away."""
    caps = AdmissionSettings(total=2, unauthenticated=2)
    async with open_watched(fake, admission=caps) as node, open_client(node.port):
        assert await node.ready() == (200, READY)
        async with open_client(node.port, fake.token(3)):
            status, body = await node.ready()
        assert (status, body["ready"]) == (503, False)
        assert body["parts"]["node"] == {"ready": False, "state": "full"}
        await node.becomes_ready()


async def test_a_node_whose_backend_is_away_is_not_ready_until_it_is_back(fake):
    """The body names the part; and no client is needed for the node to learn that it is back."""
    async with open_watched(fake) as node, open_client(node.port, fake.token(3)) as client:
        await break_circuit(fake, client)
        status, body = await node.ready()
        assert (status, body["ready"]) == (503, False)
        assert body["parts"]["backend"] == {"ready": False, "state": "open"}
        assert body["parts"]["node"]["ready"]

        for endpoint in ("validate", "members", "send_message"):
            fake.heal(endpoint)
        await node.becomes_ready()
        assert await node.ready() == (200, READY)
        assert (await node.numbers())["gogate_backend_circuit_opened_total",] == 1


async def test_asking_does_not_flood_a_backend_that_is_away(fake):
    """However often it is asked, the breaker alone decides when a probe goes."""
    async with open_watched(fake) as node, open_client(node.port, fake.token(3)) as client:
        await break_circuit(fake, client)
        before = len(fake.calls_to("members"))
        for _ in range(20):
            assert (await node.ready())[0] == 503

        assert len(fake.calls_to("members")) - before <= 3


@pytest.mark.parametrize("status", [401, 404])
async def test_a_backend_that_refuses_the_question_is_there(fake, status):
    """No such chat, or not ours to see: an answer all the same."""
    async with open_watched(fake) as node, open_client(node.port, fake.token(3)) as client:
        await break_circuit(fake, client)
        fake.fail("members", status=status)
        await node.becomes_ready()

"""Histograms, and the durations that a node takes note of."""

from __future__ import annotations

import msgspec
import pytest

from fakes.clients import TEXT, frame, open_client
from fakes.node import open_node, within
from gogate_trio.metrics import Histogram, Metrics


def test_a_value_counts_in_every_bucket_whose_bound_it_does_not_pass():
    """A bound belongs to its own bucket, as Prometheus has it; what is beyond all is in +Inf."""
    histogram = Histogram((0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.observe(value)

    assert list(histogram.cumulated()) == [(0.1, 2), (1.0, 4), (float("inf"), 5)]
    assert (histogram.count, histogram.sum) == (5, pytest.approx(8.65))


def test_an_empty_histogram_has_all_its_buckets():
    """A rate can begin from nothing."""
    assert list(Histogram((0.1,)).cumulated()) == [(0.1, 0), (float("inf"), 0)]


def test_a_call_is_counted_by_endpoint_and_outcome_and_timed_by_endpoint():
    """Failures must not hide in the durations of another endpoint."""
    metrics = Metrics()
    metrics.observe_call("members", "ok", 0.2)
    metrics.observe_call("members", "busy", 0.3)
    metrics.observe_call("validate", "ok", 4.0)

    assert metrics.calls == {("members", "ok"): 1, ("members", "busy"): 1, ("validate", "ok"): 1}
    assert metrics.call_seconds["members"].sum == pytest.approx(0.5)
    assert metrics.call_seconds["validate"].count == 1


@pytest.mark.parametrize("command_id", [None, "mine"])
async def test_a_message_is_timed_from_its_reading_to_its_delivery(fake, command_id):
    """The backend's time is part of what a chat waits, with an id and without."""
    fake.delay = 0.2
    async with open_node(fake) as node, open_client(node.port, fake.token(3)) as client:
        with within():
            message = {"event": "send_message", "data": {"chat_id": 3, "text": "hello"}}
            message |= {"id": command_id} if command_id else {}
            await client.send(frame(TEXT, msgspec.json.encode(message)))
            await client.event("new_message")

        assert node.metrics.told.count == 1
        assert 0.2 <= node.metrics.told.sum < 20
        assert node.metrics.fan_out.count == 1
        assert node.metrics.fan_out.sum < node.metrics.told.sum


async def test_typing_is_fanned_out_and_not_timed(fake):
    """It may be put off on purpose, so its age says nothing."""
    async with (
        open_node(fake) as node,
        open_client(node.port, fake.token(1)) as john,
        open_client(node.port, fake.token(2)) as jane,
    ):
        with within():
            await john.say("typing", chat_id=2, is_typing=True)
            await jane.event("user_typing")

        assert (node.metrics.fan_out.count, node.metrics.told.count) == (1, 0)

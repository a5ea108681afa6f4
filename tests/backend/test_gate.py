"""What a call passes before it may go: slots, the queue for them, the breaker."""

from __future__ import annotations

from collections import Counter

import pytest
import structlog
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.backend import open_fake_backend
from fakes.settings import backend_settings
from gogate_trio.backend.gate import Gate
from gogate_trio.backend.rest import open_backend
from gogate_trio.errors import BackendBusy, BackendUnavailable
from gogate_trio.ids import ChatId
from gogate_trio.limits import BREAKER_CALLS, BREAKER_PAUSE_SECONDS
from gogate_trio.protocol import refusals
from gogate_trio.protocol.commands import SendMessage
from gogate_trio.state.breaker import Verdict

HELLO = SendMessage(ChatId(1), "hello")
FOREVER = 1e9


def gate(*, slots: int = 1, queue: int = 0) -> Gate:
    """A gate whose pauses are as long as they may be."""
    return Gate(slots=slots, queue=queue, spread=lambda _low, high: high)


async def entered(gate: Gate, deadline: float = FOREVER, *, harmless: bool = True) -> int:
    """Go in, where nothing is in the way."""
    era = await gate.enter(deadline, harmless=harmless)
    assert isinstance(era, int)
    return era


async def shut(gate: Gate) -> None:
    """Let calls fail until the backend counts as away."""
    for _ in range(BREAKER_CALLS):
        gate.leave(await entered(gate), Verdict.FAILED)


# ── the queue ────────────────────────────────────────────────────────────────


async def test_a_call_beyond_the_queue_is_turned_away_at_once():
    """One runs, two wait, the fourth is told that the backend is busy."""
    narrow = gate(slots=1, queue=2)
    ends: Counter[str] = Counter()

    async def call() -> None:
        era = await narrow.enter(FOREVER, harmless=True)
        ends[type(era).__name__] += 1
        if isinstance(era, int):
            await trio.lowlevel.checkpoint()
            narrow.leave(era, Verdict.ANSWERED)

    async with trio.open_nursery() as callers:
        first = await entered(narrow)
        for _ in range(4):
            callers.start_soon(call)
        await wait_all_tasks_blocked()
        figures = narrow.statistics()
        assert (figures.running, figures.waiting, figures.turned_away) == (1, 2, 2)
        narrow.leave(first, Verdict.ANSWERED)

    assert ends == {"int": 2, "BackendBusy": 2}
    assert narrow.statistics().waiting == 0


async def test_those_who_wait_go_in_the_order_they_came():
    """Nobody overtakes, not even who comes when a slot is just being freed."""
    narrow = gate(slots=1, queue=10)
    order = []

    async def call(number: int) -> None:
        era = await entered(narrow)
        order.append(number)
        narrow.leave(era, Verdict.ANSWERED)

    async with trio.open_nursery() as callers:
        first = await entered(narrow)
        for number in range(5):
            callers.start_soon(call, number)
            await wait_all_tasks_blocked()
        narrow.leave(first, Verdict.ANSWERED)
        await call(5)

    assert order == [0, 1, 2, 3, 4, 5]


async def test_who_waits_past_its_deadline_has_sent_nothing(autojump_clock):
    """It is told that the backend is not available, on time, and gives up its place."""
    narrow = gate(slots=1, queue=1)
    era = await entered(narrow)
    began = trio.current_time()
    refused = []

    async def call() -> None:
        refused.append(await narrow.enter(began + 3, harmless=True))

    # A task of its own: a slot belongs to a task.
    async with trio.open_nursery() as callers:
        callers.start_soon(call)
        await trio.sleep(3)

    assert type(refused[0]) is BackendUnavailable
    assert autojump_clock.current_time() == began + 3
    narrow.leave(era, Verdict.ANSWERED)
    assert (narrow.statistics().running, narrow.statistics().waiting) == (0, 0)


async def test_a_slot_that_comes_with_the_deadline_comes_too_late(autojump_clock):
    """There would be no time to send, and none to be told what came of it."""
    narrow = gate(slots=1, queue=1)
    refused = []

    async def call() -> None:
        refused.append(await narrow.enter(trio.current_time() + 3, harmless=True))

    async with trio.open_nursery() as callers:
        era = await entered(narrow)
        callers.start_soon(call)
        await wait_all_tasks_blocked()
        # Not a moment in which anybody else runs: the slot is free when time has passed.
        autojump_clock.jump(3)
        narrow.leave(era, Verdict.ANSWERED)

    assert type(refused[0]) is BackendUnavailable
    assert narrow.statistics().running == 0


async def test_a_cancelled_wait_leaves_no_trace():
    """Neither a place in the queue nor a slot is lost."""
    narrow = gate(slots=1, queue=1)
    era = await entered(narrow)
    for _ in range(3):
        async with trio.open_nursery() as callers:
            callers.start_soon(entered, narrow)
            await wait_all_tasks_blocked()
            callers.cancel_scope.cancel()
    narrow.leave(era, Verdict.ANSWERED)

    assert narrow.statistics().turned_away == 0
    narrow.leave(await entered(narrow), Verdict.ANSWERED)


async def test_a_cancelled_call_does_not_begin():
    """Cancelled already, it does not take a slot that is free."""
    free = gate()
    with trio.CancelScope() as scope:
        scope.cancel()
        await free.enter(FOREVER, harmless=False)

    assert scope.cancelled_caught
    assert free.statistics().running == 0


async def test_busy_is_told_as_safe_to_repeat():
    """The client learns that nothing happened, by a code of its own."""
    async with (
        open_fake_backend() as fake,
        open_backend(backend_settings(fake.url, max_calls=1, queue=0)) as backend,
        trio.open_nursery() as callers,
    ):
        held = fake.hold("members")
        callers.start_soon(backend.members, ChatId(1))
        await fake.wait_for_calls("members", 1)
        with pytest.raises(BackendBusy) as raised:
            await backend.send_message("token-1", HELLO)
        held.set()

    refusal = refusals.failed(refusals.SEND_FAILED, raised.value)
    assert (refusal.code, refusal.may_repeat) == ("BUSY", True)
    assert refusal.message == "Failed to send message: backend busy"
    assert fake.calls_to("send_message") == []


# ── the breaker ──────────────────────────────────────────────────────────────


async def test_while_the_backend_is_away_nobody_goes():
    """Calls fail at once, and keep no slot."""
    one = gate(slots=1, queue=10)
    await shut(one)

    assert type(await one.enter(FOREVER, harmless=False)) is BackendUnavailable
    assert one.statistics().running == 0
    assert one.statistics().held_back == 1


async def test_who_waited_while_the_backend_went_away_does_not_go():
    """The queue that an outage has built up is not emptied into it."""
    narrow = gate(slots=BREAKER_CALLS, queue=100)
    refused = []

    async def hang(fails: trio.Event) -> None:
        era = await entered(narrow)
        await fails.wait()
        narrow.leave(era, Verdict.FAILED)

    async def call() -> None:
        refused.append(type(await narrow.enter(FOREVER, harmless=True)))

    fails = trio.Event()
    async with trio.open_nursery() as callers:
        for _ in range(BREAKER_CALLS):
            callers.start_soon(hang, fails)
        await wait_all_tasks_blocked()
        for _ in range(50):
            callers.start_soon(call)
        await wait_all_tasks_blocked()
        fails.set()

    assert refused == [BackendUnavailable] * 50
    assert narrow.statistics().running == 0


async def test_each_change_is_one_log_line(mock_clock):
    """Away (with the pause), asked again, back: and nothing for the calls in between."""
    one = gate()
    with structlog.testing.capture_logs() as events:
        await shut(one)
        for _ in range(5):
            await one.enter(FOREVER, harmless=True)
        mock_clock.jump(BREAKER_PAUSE_SECONDS)
        one.leave(await entered(one), Verdict.ANSWERED)
        one.leave(await entered(one), Verdict.ANSWERED)

    assert events == [
        {"event": "backend_circuit", "state": "open", "pause": 1.0, "log_level": "warning"},
        {"event": "backend_circuit", "state": "half_open", "log_level": "info"},
        {"event": "backend_circuit", "state": "closed", "log_level": "info"},
    ]

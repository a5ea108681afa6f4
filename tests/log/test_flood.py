"""Laws of floods: so many lines of a kind, the rest in one, and no kind hides another."""

from __future__ import annotations

import logging
from contextlib import suppress

import structlog
import trio

from fakes.logged import configured, events
from gogate_trio import log
from gogate_trio.limits import (
    LOG_DEBUG_LINES,
    LOG_DEBUG_LINES_PER_SECOND,
    LOG_KINDS,
    LOG_LINES,
    LOG_LINES_PER_SECOND,
    LOG_SUMMARY_SECONDS,
)
from gogate_trio.log import flood
from gogate_trio.log.counts import COUNTS


class Clock:
    """A clock that stands still unless told otherwise."""

    now = 1000.0

    def __call__(self):
        """Tell the time."""
        return self.now


def guarded(monkeypatch):
    """Let this process's log go by a clock of ours; return the clock and the guard."""
    clock = Clock()
    guard = flood.Guard(clock)
    monkeypatch.setattr("gogate_trio.log.configuring.GUARD", guard)
    return clock, guard


def test_a_flood_of_one_kind_costs_so_many_lines_and_hides_no_other(monkeypatch):
    """Twenty at once and one a second of each kind; another kind, or event, is not in its way."""
    clock, _guard = guarded(monkeypatch)
    stream = configured()
    logger = log.get_logger("server")
    before = COUNTS.held_back

    for number in range(LOG_LINES + 5312):
        logger.info("turned_away", kind="address", peer=str(number))
    logger.info("turned_away", kind="total")
    logger.info("joined")
    clock.now += 3 / LOG_LINES_PER_SECOND
    for _ in range(100):
        logger.info("turned_away", kind="address")

    said = [(event["event"], event.get("kind")) for event in events(stream)]
    assert said.count(("turned_away", "address")) == LOG_LINES + 3
    assert said.count(("turned_away", "total")) == said.count(("joined", None)) == 1
    assert COUNTS.held_back - before == 5312 + 97


def test_what_was_held_back_is_summed_up_once(monkeypatch):
    """One line a kind says how many there were, in how many seconds, at the level they had."""
    clock, guard = guarded(monkeypatch)
    stream = configured(level="warning")
    logger = log.get_logger("server")
    for _ in range(LOG_LINES + 5312):
        logger.warning("audience_unknown", chat=7)
        logger.info("turned_away", kind="address")
    clock.now += 10.04

    log.sum_up(guard)
    log.sum_up(guard)

    *_, last = events(stream)
    assert [event["event"] for event in events(stream)].count("lines_held_back") == 1
    assert (last["of"], last["lines"], last["seconds"]) == ("audience_unknown", 5312, 10.0)
    assert last["level"] == "warning"


def test_debug_has_more_room(monkeypatch):
    """Who asks for level debug gets much of it, and an end of it too."""
    clock, _guard = guarded(monkeypatch)
    stream = configured(level="debug")
    logger = log.get_logger("server")

    for _ in range(LOG_DEBUG_LINES + 10):
        logger.debug("connection_closed")
    clock.now += 1
    for _ in range(500):
        logger.debug("connection_closed")

    assert len(events(stream)) == LOG_DEBUG_LINES + LOG_DEBUG_LINES_PER_SECOND


def test_a_library_cannot_flood_either(monkeypatch):
    """Its lines are told apart by where in its code they come from, whatever they say."""
    _clock, guard = guarded(monkeypatch)
    stream = configured()
    library = logging.getLogger("library")

    for number in range(LOG_LINES + 50):
        library.warning(f"trouble number {number}")
    log.sum_up(guard)

    *said, last = events(stream)
    assert len(said) == LOG_LINES
    assert (last["of"], last["lines"]) == ("library", 50)


def test_the_kinds_that_are_remembered_are_few():
    """Whoever invents kinds fills no memory: what is too many is summed up as one."""
    guard = flood.Guard(Clock())
    for number in range(3 * LOG_KINDS):
        for _ in range(LOG_LINES + 1):
            with suppress(structlog.DropEvent):
                guard(None, "info", {"event": "turned_away", "level": "info", "kind": number})

    _seconds, held = guard.take()

    assert len(held) <= LOG_KINDS + 1
    assert sum(held.values()) == 3 * LOG_KINDS
    assert all(len(pace) <= LOG_KINDS for pace in guard._paces.values())


async def test_summaries_come_by_themselves_and_at_the_end(monkeypatch, nursery, autojump_clock):
    """A flood that is over is told of all the same, within ten seconds or when we leave."""
    _clock, guard = guarded(monkeypatch)
    monkeypatch.setattr(flood, "GUARD", guard)
    stream = configured()
    nursery.start_soon(log.run)
    for _ in range(2):
        for _ in range(LOG_LINES + 7):
            log.get_logger("server").info("turned_away")
        await trio.sleep(LOG_SUMMARY_SECONDS * 1.5)
    nursery.cancel_scope.cancel()

    summaries = [event["lines"] for event in events(stream) if event["event"] == "lines_held_back"]
    assert summaries[0] == 7
    assert sum(summaries) == 7 + LOG_LINES + 7
    assert autojump_clock.current_time() >= LOG_SUMMARY_SECONDS

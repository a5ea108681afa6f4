"""Laws of the log: one event, one line, and nothing in it that should not be there."""

from __future__ import annotations

import io
import json
import logging
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.logged import Gone, Terminal, configured, events
from gogate_trio import log
from gogate_trio.config import LogSettings, Secret
from gogate_trio.log.flood import Guard


def crash(error, *, _token="hunter2"):
    """Raise the error from a frame that has a token in a variable."""
    raise error


HOSTILE = [
    "a\nb",
    "a\r\nb",
    'a"b\n{"event": "forged"}',
    "\x1b[31mred\x1b[0m",
    "\x00\x07\x7f\x9b",
    "line\u2028separator\u2029",
    "\u202eoverride",
    "\udcff",
]


def test_without_a_terminal_events_are_json_lines():
    """An event is one JSON object with its level, its room, the time in UTC and its fields."""
    stream = configured()

    log.get_logger("hub").info("joined", connection=7, chat=None)

    (event,) = events(stream)
    assert event.pop("timestamp").endswith("Z")
    assert event == {
        "event": "joined",
        "level": "info",
        "logger": "hub",
        "node": "n1",
        "connection": 7,
        "chat": None,
    }


def test_on_a_terminal_events_are_for_people():
    """The same event on a terminal is a coloured line; colours are for terminals only."""
    terminal, plain = configured(Terminal()), None
    log.get_logger("hub").info("joined", connection=7)
    plain = configured(format="pretty")
    log.get_logger("hub").info("joined", connection=7)

    assert "\x1b[" in terminal.getvalue()
    assert "\x1b[" not in plain.getvalue()
    assert "connection=7" in plain.getvalue()


def test_the_format_can_be_forced():
    """``json`` means JSON on a terminal too."""
    stream = configured(Terminal(), format="json")

    log.get_logger("hub").info("joined")

    assert events(stream)[0]["event"] == "joined"


@pytest.mark.parametrize("text", HOSTILE, ids=[f"hostile{n}" for n in range(len(HOSTILE))])
@pytest.mark.parametrize("form", ["pretty", "json"])
def test_no_value_forges_a_line_or_paints_the_terminal(form, text):
    """Whatever is in a name, a field or inside a field: one event is one printable line."""
    stream = configured(format=form)

    log.get_logger("hub").warning(text, field=text, nested={"x": [text]}, **{f"key{text}": 1})
    logging.getLogger("library").warning("%s", text)

    written = stream.getvalue()
    lines = written.split("\n")
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)


@given(st.text(st.characters()), st.text(st.characters(), min_size=1), st.text(st.characters()))
@pytest.mark.parametrize("form", ["pretty", "json"])
def test_no_text_at_all_is_more_than_a_field(form, name, key, value):
    """Any name, key and value: still one line, and in JSON exactly what was said."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr("gogate_trio.log.configuring.GUARD", Guard())
        stream = configured(format=form)

    log.get_logger("hub").warning(name, **{f"key{key}": value})

    line = stream.getvalue()
    assert line.count("\n") == 1
    assert line[:-1].isprintable()
    if form == "json":
        assert json.loads(line)[f"key{key}"] == value


@pytest.mark.parametrize("form", ["pretty", "json"])
def test_a_traceback_holds_no_local_variables(form):
    """A crash is logged with its frames and its reason, and without what variables held."""
    stream = configured(format=form)

    try:
        crash(ExceptionGroup("two", [ValueError("first\n2026 forged"), KeyError("second")]))
    except ExceptionGroup:
        log.get_logger("hub").exception("bug")

    written = stream.getvalue()
    assert "hunter2" not in written
    assert "ValueError: first" in written
    assert "KeyError: 'second'" in written
    assert "test_lines.py" in written


def test_a_traceback_for_people_is_set_apart():
    """On a terminal each line of a traceback has a bar before it: none passes for an event."""
    stream = configured(format="pretty")

    try:
        crash(ValueError("first\n2026-01-01T00:00:00Z [info] forged\x1b[2J"))
    except ValueError:
        log.get_logger("hub").exception("bug")

    first, *rest = stream.getvalue().rstrip("\n").split("\n")
    assert "bug" in first
    assert all(line.startswith("  | ") and line.isprintable() for line in rest)


def test_long_values_are_cut():
    """A field and a traceback have a bound; both their ends stay."""
    stream = configured()

    try:
        crash(ValueError("x" * 100_000 + "end"))
    except ValueError:
        log.get_logger("hub").exception("bug", field="y" * 100_000)

    (event,) = events(stream)
    assert len(event["field"]) <= log.VALUE_CHARACTERS + 3
    assert len(event["exception"]) <= log.TRACEBACK_CHARACTERS + 3
    assert event["exception"].endswith("end")


def test_secrets_stay_hidden():
    """A secret that ends up in a field shows as ``***``."""
    for form in ("json", "pretty"):
        stream = configured(format=form)
        log.get_logger("hub").info("started", key=Secret("hunter2"), keys=[Secret("hunter2")])
        assert "hunter2" not in stream.getvalue()
        assert "***" in stream.getvalue()


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_events_below_the_level_are_not_written(level, shown):
    """LOG_LEVEL is the least severe event that comes out."""
    stream = configured(level=level)
    logger = log.get_logger("hub")

    for name in ("debug", "info", "warning", "error"):
        getattr(logger, name)(name)

    assert [event["event"] for event in events(stream)] == shown


def test_libraries_speak_from_warning_on():
    """A library's warning is an event like ours; below, it costs one level check."""
    stream = configured(level="debug")
    library = logging.getLogger("trio-websocket")

    library.info("chatter")
    library.warning("trouble with %s", "x")

    (event,) = events(stream)
    assert not library.isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
    assert not logging.getLogger("httpcore.http11").isEnabledFor(logging.DEBUG)
    assert (event["event"], event["logger"]) == ("trouble with x", "trio-websocket")
    assert event["level"] == "warning"


def test_libraries_keep_to_a_stricter_level():
    """With LOG_LEVEL=error a library's warning is not written either."""
    stream = configured(level="error")

    logging.getLogger("library").warning("trouble")
    logging.getLogger("library").error("worse")

    assert [event["event"] for event in events(stream)] == ["worse"]


def test_a_librarys_traceback_is_an_event_too():
    """An exception that a library logs keeps to the same line."""
    stream = configured()

    try:
        crash(ValueError("why"))
    except ValueError:
        logging.getLogger("library").exception("failed")

    (event,) = events(stream)
    assert "ValueError: why" in event["exception"]


def test_pythons_warnings_are_events():
    """A warning of the interpreter does not break the rows of a JSON log."""
    stream = configured()

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old ways", stacklevel=1)

    (event,) = events(stream)
    assert event["logger"] == "py.warnings"


def test_a_log_nobody_reads_stops_nothing():
    """When standard error is gone, events are lost and the caller goes on."""
    configured(Gone())
    log.get_logger("hub").info("lost")

    closed = configured()
    logger = log.get_logger("hub")
    closed.close()
    logger.info("lost too")


def test_configuring_again_replaces():
    """The last configuration holds: nothing is written twice or to the old stream."""
    old, new = configured(), io.StringIO()
    log.configure(LogSettings(), node="n1", stream=new)

    logging.getLogger("library").warning("once")
    log.get_logger("hub").info("once")

    assert old.getvalue() == ""
    assert len(events(new)) == 2


def test_a_logger_made_before_the_configuration_follows_it():
    """A room may ask for its logger at import."""
    logger = log.get_logger("early")
    stream = configured()

    logger.info("now")

    assert events(stream)[0]["logger"] == "early"


def test_the_level_can_change_while_we_run():
    """Also for rooms that have logged before, and for libraries."""
    stream = configured(level="info")
    logger, library = log.get_logger("hub"), logging.getLogger("library")
    logger.debug("one")
    log.set_level("debug")
    logger.debug("two")
    log.set_level("error")
    logger.warning("three")
    library.warning("four")
    log.set_level("info")
    library.warning("five")

    assert [event["event"] for event in events(stream)] == ["two", "five"]


def test_a_long_list_is_cut_too():
    """Whatever is put into a field: its line has an end."""
    stream = configured()

    log.get_logger("hub").info("token_over", connections=list(range(100_000)))

    assert len(stream.getvalue()) < 2 * log.VALUE_CHARACTERS


def test_what_a_library_garbles_is_one_line_too():
    """A record that cannot be written as it is names its place, and shows none of its arguments."""
    stream = configured()

    logging.getLogger("library").warning("%d", 'x\n{"event": "forged"}')

    (event,) = events(stream)
    assert (event["event"], event["kind"]) == ("record_unreadable", "library")
    assert "forged" not in stream.getvalue()

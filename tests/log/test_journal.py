"""Laws of the journal: an event is one entry with fields, whatever is in it; and nobody waits."""

from __future__ import annotations

import io
import logging
import os
import re
import socket
import struct
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fakes.logged import configured, events
from fakes.secrets import KEY
from gogate_trio import cli, log
from gogate_trio.errors import OperatorError
from gogate_trio.limits import JOURNAL_BYTES
from gogate_trio.log.counts import COUNTS
from gogate_trio.log.journal import Journal, _fields, encode


def crash(error):
    """Raise the error."""
    raise error


class Journald:
    """The journal's end of the socket."""

    def __init__(self, path):
        """Listen."""
        self.path = str(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(self.path)

    def close(self):
        """Be gone."""
        self._socket.close()

    def datagrams(self):
        """Yield what has come."""
        while True:
            try:
                yield self._socket.recv(2**20)
            except BlockingIOError:
                return

    def entries(self):
        """Return what has come, decoded."""
        return [decode(datagram) for datagram in self.datagrams()]


def decode(datagram):
    """Read an entry as journald does: a field twice fails the test."""
    fields = {}
    while datagram:
        line, _, datagram = datagram.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (length,) = struct.unpack_from("<Q", datagram)
            value, end, datagram = (
                datagram[8 : 8 + length],
                datagram[8 + length],
                datagram[9 + length :],
            )
            assert end == ord("\n")
        assert name not in fields
        fields[name.decode()] = value.decode()
    return fields


@pytest.fixture
def journald(tmp_path):
    """A journal."""
    one = Journald(tmp_path / "socket")
    yield one
    one.close()


@contextmanager
def standard_error(path):
    """A file to stand for standard error, and what JOURNAL_STREAM says of it."""
    with path.open("w+") as stream:
        status = os.fstat(stream.fileno())
        yield stream, f"{status.st_dev}:{status.st_ino}"


def test_under_systemd_events_are_entries_of_the_journal(journald, tmp_path):
    """Each with its message for people, its severity, its place in the code, and its fields."""
    with standard_error(tmp_path / "stderr") as (stream, journal_stream):
        configured(stream, journal=journald.path, journal_stream=journal_stream)
        log.get_logger("hub").warning("audience_unknown", chat=7, connection=3)
        stream.seek(0)
        assert stream.read() == ""

    (entry,) = journald.entries()
    assert entry.pop("CODE_FILE") == __file__
    assert int(entry.pop("CODE_LINE")) > 1
    assert entry == {
        "MESSAGE": "audience_unknown chat=7 connection=3 logger=hub node=n1",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "gogate",
        "CODE_FUNC": "test_under_systemd_events_are_entries_of_the_journal",
        "GOGATE_EVENT": "audience_unknown",
        "GOGATE_LOGGER": "hub",
        "GOGATE_NODE": "n1",
        "GOGATE_CHAT": "7",
        "GOGATE_CONNECTION": "3",
    }


def test_elsewhere_they_are_not(journald, tmp_path):
    """Standard error that was led elsewhere gets lines, though systemd's variable is there."""
    with standard_error(tmp_path / "stderr") as (_, journal_stream):
        stream = configured(journal=journald.path, journal_stream=journal_stream)
        log.get_logger("hub").info("joined")

    assert journald.entries() == []
    assert events(stream)[0]["event"] == "joined"


def test_without_a_journal_auto_writes_lines_and_journald_does_not_start(tmp_path):
    """What was asked for in so many words is there, or the operator is told."""
    with standard_error(tmp_path / "stderr") as (stream, journal_stream):
        configured(stream, journal_stream=journal_stream)
        log.get_logger("hub").info("joined")
        stream.seek(0)
        assert '"joined"' in stream.read()
    with pytest.raises(OperatorError, match="LOG_FORMAT"):
        configured(format="journald")


def test_libraries_and_tracebacks_are_entries_too(journald):
    """A traceback is part of the message, line by line, each behind a bar."""
    configured(format="journald", journal=journald.path)
    try:
        crash(ValueError("first\nMESSAGE=forged"))
    except ValueError:
        log.get_logger("hub").exception("command_failed")
        logging.getLogger("library").exception("trouble")

    ours, theirs = journald.entries()
    head, *rest = ours["MESSAGE"].split("\n")
    assert head.startswith("command_failed ")
    assert all(line.startswith("  | ") for line in rest)
    assert "  | MESSAGE=forged" in rest
    assert (ours["PRIORITY"], theirs["PRIORITY"]) == ("3", "3")
    assert theirs["GOGATE_EVENT"] == "trouble"
    assert theirs["CODE_FILE"] == __file__


@given(
    st.text() | st.sampled_from(["a\nPRIORITY=0", "\udcff", "\x1b[2J", "x\u202ey"]),
    st.text(max_size=80),
)
def test_nothing_hostile_forges_a_field_or_paints(text, key):
    """Values come out as they are, each in its field; keys are tamed; the message is printable."""
    event = {"event": text, "level": "info", f"x{key}": text, "nested": [text]}

    fields = decode(encode(_fields(event)))

    assert fields["PRIORITY"] == "6"
    assert fields["MESSAGE"].isprintable()
    assert fields["GOGATE_EVENT"] == text.encode("utf-8", "backslashreplace").decode()
    assert all(re.fullmatch("[A-Z][A-Z0-9_]{0,63}", name) for name in fields)


def test_an_entry_is_bounded(journald):
    """Whatever is too much is left out, and the message and what it is stay."""
    configured(format="journald", journal=journald.path)
    many = {f"field{number}": "\U0001f600" * 100_000 for number in range(200)}
    log.get_logger("hub").error("too_much", **many)

    (datagram,) = journald.datagrams()
    entry = decode(datagram)
    assert len(datagram) <= JOURNAL_BYTES
    assert entry["MESSAGE"].startswith("too_much ")
    assert entry["GOGATE_EVENT"] == "too_much"
    assert "GOGATE_FIELD1" in entry


def test_a_full_journal_or_none_costs_entries_and_no_time(journald):
    """The loop waits for nobody; what is lost is counted; back again, it goes on."""
    journal = Journal(journald.path)
    before = COUNTS.lost
    for _ in range(2000):
        journal.write(f"MESSAGE={'x' * 4000}\n")
    full = COUNTS.lost - before
    journald.close()
    journal.write("MESSAGE=nobody\n")
    away = COUNTS.lost - before - full
    Path(journald.path).unlink()
    again = Journald(journald.path)
    journal.write("MESSAGE=back\n")
    found = again.entries()
    again.close()

    assert full > 0
    assert away == 1
    assert found == [{"MESSAGE": "back"}]


def test_closed_or_strange_streams_are_not_the_journal():
    """What has no file behind it, or is closed, is no stream of systemd's."""
    stream = configured(io.StringIO(), journal_stream="1:2")
    log.get_logger("hub").info("joined")

    assert events(stream)[0]["event"] == "joined"


def test_the_gateway_itself_looks_where_its_standard_error_leads(journald, tmp_path, monkeypatch):
    """``gogate serve`` under systemd: its last words are in the journal, with the node's name."""
    monkeypatch.setitem(log.configure.__kwdefaults__, "journal_socket", journald.path)
    monkeypatch.chdir(tmp_path)
    with standard_error(tmp_path / "stderr") as (stream, journal_stream):
        monkeypatch.setattr("sys.stderr", stream)
        for name, value in {
            "INTERNAL_API_KEY": KEY,
            "JOURNAL_STREAM": journal_stream,
            "NODE_NAME": "left",
        }.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("trio.run", lambda _: crash(RuntimeError("planted")))

        assert cli.run(["serve"]) == cli.FAILURE

    (entry,) = journald.entries()
    assert (entry["GOGATE_EVENT"], entry["PRIORITY"], entry["GOGATE_NODE"]) == (
        "crashed",
        "2",
        "left",
    )

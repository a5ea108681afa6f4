"""An event as an entry of systemd's journal, in its native protocol: fields, not just a line.

Each entry is one datagram; the socket takes it at once or not at all, so the event loop never
waits for the journal. What it does not take is lost and counted.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import struct
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final, TextIO

import structlog
from structlog.processors import CallsiteParameter, CallsiteParameterAdder

from gogate_trio.errors import OperatorError
from gogate_trio.limits import JOURNAL_BYTES
from gogate_trio.log.counts import COUNTS
from gogate_trio.log.printing import barred, cut, printable

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

SOCKET: Final = "/run/systemd/journal/socket"

_PRIORITIES: Final = {"debug": 7, "info": 6, "warning": 4, "error": 3, "critical": 2}
_SEND_BUFFER: Final = 1024 * 1024
"""bytes. Entries of a burst wait in it for the journal; the kernel may allow less."""


def leads_to_journal(stream: TextIO, journal_stream: str) -> bool:
    """Whether a stream is the one that systemd connected to the journal.

    ``journal_stream`` is the variable ``JOURNAL_STREAM``: its device and inode.
    """
    try:
        status = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return journal_stream == f"{status.st_dev}:{status.st_ino}"


class Journal:
    """Writes finished entries to the journal."""

    def __init__(self, path: str) -> None:
        """Raise ``OperatorError`` when there is no journal."""
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        with contextlib.suppress(OSError):
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        try:
            # To see whether it is there. Connected, it would not outlive the journal's restart.
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as trial:
                trial.connect(path)
        except OSError:
            self.close()
            raise OperatorError(f"there is no journal at {path}: set LOG_FORMAT=json") from None

    def write(self, entry: str) -> None:
        """Hand an entry over, or lose it; each of its characters is a byte."""
        try:
            self._socket.sendto(entry.encode("latin-1"), self._path)
        except OSError:
            COUNTS.lost += 1

    def close(self) -> None:
        """Close the socket; what is written behind it is lost."""
        self._socket.close()


def journal_entries() -> list[Processor]:
    """Return what makes an entry of an event."""
    place = CallsiteParameterAdder(_PLACE.keys(), additional_ignores=["gogate_trio.log"])
    return [structlog.processors.format_exc_info, cut, place, _entry]


_PLACE: Final = {
    CallsiteParameter.PATHNAME: "CODE_FILE",
    CallsiteParameter.LINENO: "CODE_LINE",
    CallsiteParameter.FUNC_NAME: "CODE_FUNC",
}


def _entry(_logger: WrappedLogger, _method: str, event: EventDict) -> str:
    """Return an entry as a text, as structlog wants it: a character a byte."""
    return encode(_fields(event)).decode("latin-1")


def _fields(event: EventDict) -> Iterator[tuple[str, str]]:
    """Yield the fields of an entry, the most important first."""
    place = [(field, str(event.pop(key.value, ""))) for key, field in _PLACE.items()]
    # The journal has its own.
    event.pop("timestamp", None)
    traceback = event.pop("exception", None)
    name, level = str(event.pop("event")), event.pop("level")
    said = " ".join([printable(name), *(f"{key}={_text(value)}" for key, value in event.items())])
    said = printable(said)
    message = said if traceback is None else f"{said}\n{barred(traceback)}"
    yield "MESSAGE", message[:_MESSAGE_CHARACTERS]
    yield "PRIORITY", str(_PRIORITIES.get(level, _PRIORITIES["error"]))
    yield "SYSLOG_IDENTIFIER", "gogate"
    yield "GOGATE_EVENT", name
    for key in ("trace_id", "span_id"):
        if key in event:
            yield key.upper(), str(event.pop(key))
    yield from place
    for key, value in event.items():
        yield f"GOGATE_{_NO_FIELD.sub('_', str(key).upper())[:_FIELD_CHARACTERS]}", _text(value)


def _text(value: object) -> str:
    return value if isinstance(value, str) else repr(value)


def encode(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return the datagram of an entry; a field that does not fit any more is left out.

    A value with a line break goes with its length before it: it cannot pass for a field.
    """
    entry = bytearray()
    for name, text in fields:
        value = text.encode("utf-8", "backslashreplace")
        if b"\n" in value:
            field = b"%b\n%b%b\n" % (name.encode(), struct.pack("<Q", len(value)), value)
        else:
            field = b"%b=%b\n" % (name.encode(), value)
        if len(entry) + len(field) <= JOURNAL_BYTES:
            entry += field
    return bytes(entry)


_NO_FIELD: Final = re.compile("[^A-Z0-9_]")
_FIELD_CHARACTERS: Final = 57
"""what journald's 64 leave behind GOGATE_"""
_MESSAGE_CHARACTERS: Final = JOURNAL_BYTES // 5
"""A character has up to four bytes. A traceback as long as may be fits, its end too."""

"""Finished lines to standard error. Who does not read them costs lines, never the loop's time."""

from __future__ import annotations

import os
import select
import stat
import threading
import time
from typing import TYPE_CHECKING, Final

from gogate_trio.limits import LOG_PATIENCE_SECONDS, LOG_WRITE_SECONDS
from gogate_trio.log.counts import COUNTS

if TYPE_CHECKING:
    from typing import TextIO

_AT_ONCE: Final = select.PIPE_BUF
"""bytes that go out without waiting when a pipe, or a socket, says that it has room"""


class Lines:
    """Writes lines to a stream. One that cannot be written is lost; the gateway goes on.

    A terminal or a file takes what it is given. A pipe has a reader, as a container's log has:
    when that one stops, the pipe fills up, and a plain write would wait for ever.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._pipe = _pipe_behind(stream)
        self._poll = select.poll()
        if self._pipe is not None:
            self._poll.register(self._pipe, select.POLLOUT)
        self._patience = LOG_WRITE_SECONDS
        self._waited_at = 0.0
        self._is_torn = False

    def write(self, line: str) -> None:
        """Write in one piece, so that lines of two threads do not mix."""
        with self._lock:
            try:
                if self._pipe is None:
                    self._stream.write(f"{line}\n")
                    self._stream.flush()
                else:
                    self._write_to_pipe(self._pipe, f"{line}\n".encode("utf-8", "backslashreplace"))
            except (OSError, ValueError):
                # Nobody reads any more, or the stream is closed.
                COUNTS.lost += 1

    def _write_to_pipe(self, pipe: int, line: bytes) -> None:
        # What is left of a torn line must not swallow the next one.
        data = b"\n" + line if self._is_torn else line
        for begin in range(0, len(data), _AT_ONCE):
            if not self._has_room():
                COUNTS.lost += 1
                self._is_torn = self._is_torn or begin > 0
                return
            os.write(pipe, data[begin : begin + _AT_ONCE])
        self._is_torn = False

    def _has_room(self) -> bool:
        """Whether a piece can be written without waiting; a hiccup of the reader is waited out.

        All such waits together take ``LOG_WRITE_SECONDS`` in ``LOG_PATIENCE_SECONDS`` at most.
        """
        if self._poll.poll(0):
            return True
        now = time.monotonic()
        rested = (now - self._waited_at) * LOG_WRITE_SECONDS / LOG_PATIENCE_SECONDS
        patience = min(LOG_WRITE_SECONDS, self._patience + rested)
        has_room = patience >= _SHORTEST_WAIT and bool(self._poll.poll(patience * 1000))
        self._waited_at = time.monotonic()
        self._patience = max(0.0, patience - (self._waited_at - now))
        return has_room


_SHORTEST_WAIT: Final = 0.001
"""seconds: what ``poll`` can count"""


def _pipe_behind(stream: TextIO) -> int | None:
    """Return the descriptor of a stream that has a reader; None for all others."""
    try:
        pipe = stream.fileno()
        kind = os.fstat(pipe).st_mode
    except (OSError, ValueError):
        return None
    return pipe if stat.S_ISFIFO(kind) or stat.S_ISSOCK(kind) else None

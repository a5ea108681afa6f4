"""The log: one event per line on standard error, or one entry in systemd's journal.

What an event may hold: a name, and fields with ids, counts and constant words. Never a
message's text, a token or a key. Whatever ends up in a field all the same can neither
forge a line nor paint the terminal: control characters are escaped, long values are cut.
And nobody can fill the disk: so many lines of a kind, the rest is summed up.

- ``configuring``: what is written, and where to.
- ``fields``: what every event says by itself: the node, the connection, the trace.
- ``flood``: so many lines of a kind.
- ``printing``: an event as a line, for people or as JSON.
- ``writing``: a line to standard error, without waiting for a reader.
- ``journal``: an event as an entry of systemd's journal.
"""

from gogate_trio.log.configuring import configure, get_logger, set_level
from gogate_trio.log.fields import about
from gogate_trio.log.flood import run, sum_up
from gogate_trio.log.printing import TRACEBACK_CHARACTERS, VALUE_CHARACTERS

__all__ = [
    "TRACEBACK_CHARACTERS",
    "VALUE_CHARACTERS",
    "about",
    "configure",
    "get_logger",
    "run",
    "set_level",
    "sum_up",
]

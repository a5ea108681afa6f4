"""The kinds of numbers that name things, so that mypy keeps them apart.

All ids a client or a backend may name are whole numbers from 1 to ``MAX_ID``;
they are checked before anything is built from them (a URL, a key, a row).
"""

from typing import Final, NewType

UserId = NewType("UserId", int)
ChatId = NewType("ChatId", int)
MessageId = NewType("MessageId", int)
ConnectionId = NewType("ConnectionId", int)
"""Counts up from 1 in one process: names a connection in the log."""
NodeId = NewType("NodeId", str)
"""Names one life of one node's process among all nodes: 16 random hexadecimal digits."""

MAX_ID: Final = 2**63 - 1
"""The largest id: what a PostgreSQL ``bigint`` and a Go ``int64`` hold."""

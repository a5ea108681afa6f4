"""Where the demo keeps everything: one SQLite database, in memory or in one file.

No statement about chats lives here; rooms that have some hand a function to ``Store.run``.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import sqlite3
from functools import partial
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec, TypeVar

import trio

from gogate_trio.demo import schema, seed
from gogate_trio.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

P = ParamSpec("P")
T = TypeVar("T")

BUSY_SECONDS: Final = 2.0
"""seconds to wait for another process that holds the file."""

SECRET_BYTES: Final = 48
"""bytes of randomness behind the tokens' signatures; HS256 asks for 32 or more."""


class Store:
    """The demo's database, its tables there and its people seeded."""

    def __init__(self, connection: sqlite3.Connection, *, token_secret: str) -> None:
        """Take a connection that nobody else uses (see ``open_store``)."""
        self.token_secret = token_secret
        self._connection = connection
        self._one_at_a_time = trio.CapacityLimiter(1)

    @property
    def epoch(self) -> str:
        """Names this database and no other: ids of another epoch mean other things."""
        return hashlib.sha256(f"epoch {self.token_secret}".encode()).hexdigest()[:16]

    async def run(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call ``work(connection, …)`` in a thread, in a transaction of its own.

        What it raises undoes everything it wrote. A cancelled caller waits for the end of the
        transaction: SQLite's connection must not be left in the middle of one.
        """
        return await trio.to_thread.run_sync(
            _in_transaction,
            self._connection,
            partial(work, self._connection, *args, **kwargs),
            limiter=self._one_at_a_time,
        )


@contextlib.contextmanager
def open_store(path: Path | None) -> Iterator[Store]:
    """Open the data file, or a database in memory, and close it in the end. Blocks.

    A new or empty file is given its tables, people and a fresh secret; one of an earlier run is
    taken up again. ``OperatorError`` for any other file, which stays as it is.
    """
    # One connection, handed to one thread at a time by the limiter of ``Store``.
    try:
        connection = sqlite3.connect(
            path if path is not None else ":memory:",
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
        )
    except sqlite3.Error as error:
        raise OperatorError(f"cannot open the data file {path}") from error
    with contextlib.closing(connection):
        try:
            _prepare(connection, path)
            secret = _token_secret(connection)
        except sqlite3.Error as error:
            raise OperatorError(f"cannot use {path} as the data file: {_reason(error)}") from error
        yield Store(connection, token_secret=secret)


def _in_transaction(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    return result


def _prepare(connection: sqlite3.Connection, path: Path | None) -> None:
    """Make sure that the tables are there and ours, before anything is written."""
    _in_transaction(connection, partial(_fill_or_refuse, connection, path))
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute("PRAGMA foreign_keys = ON")


def _fill_or_refuse(connection: sqlite3.Connection, path: Path | None) -> None:
    if not _is_new(connection):
        _refuse_foreign(connection, path)
        return
    if path is not None:
        path.chmod(0o600)  # it is about to hold the secret that signs tokens
    _fill(connection)


def _is_new(connection: sqlite3.Connection) -> bool:
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return bool(tables == 0 and _pragma(connection, "application_id") == 0)


def _refuse_foreign(connection: sqlite3.Connection, path: Path | None) -> None:
    if _pragma(connection, "application_id") != schema.APPLICATION_ID:
        raise OperatorError(f"{path} is not a data file of gogate demo")
    if _pragma(connection, "user_version") != schema.VERSION:
        raise OperatorError(f"{path} was written by another version of gogate demo")


def _pragma(connection: sqlite3.Connection, name: str) -> object:
    (value,) = connection.execute(f"PRAGMA {name}").fetchone()
    return value


def _fill(connection: sqlite3.Connection) -> None:
    for statement in schema.TABLES.split(";"):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO secrets VALUES ('tokens', ?)", (secrets.token_urlsafe(SECRET_BYTES),)
    )
    seed.plant(connection)
    connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {schema.VERSION}")


def _token_secret(connection: sqlite3.Connection) -> str:
    (secret,) = connection.execute("SELECT value FROM secrets WHERE name = 'tokens'").fetchone()
    return str(secret)


def _reason(error: sqlite3.Error) -> str:
    """SQLite's own short text ("file is not a database", "unable to open database file")."""
    return str(error)

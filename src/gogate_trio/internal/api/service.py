"""From a request to its answer: key, route, body, deadline. Raises nothing a caller could cause."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Protocol

import attrs
import msgspec
import trio

from gogate_trio.internal.api.asked import Asked
from gogate_trio.internal.api.keys import ApiKeys
from gogate_trio.internal.api.problems import (
    BODY_TOO_LARGE,
    BUSY,
    INVALID_PARAMETER,
    JSON,
    NO_JSON,
    TIMED_OUT,
    TOO_SLOW,
    UNAUTHORIZED,
    Problem,
    Refused,
)
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.routing import PREFIX, Found, Missed, Operation, find
from gogate_trio.internal.api.shapes import Nothing
from gogate_trio.limits import (
    API_AT_ONCE,
    API_BODY_BYTES,
    API_SECONDS,
    HANDSHAKE_SECONDS,
    IDEMPOTENCY_KEY_CHARACTERS,
)
from gogate_trio.log import get_logger
from gogate_trio.protocol.handshake import Head
from gogate_trio.server.pages import Page

_log = get_logger(__name__)

_KEY: Final = re.compile(rf"[!-~]{{1,{IDEMPOTENCY_KEY_CHARACTERS}}}")
_PRIVATE: Final = (("Cache-Control", "no-store"),)
_PHRASES: Final = {200: "OK", 202: "Accepted"}
_KEPT_TRACE: Final = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01")
"""A ``traceparent`` (W3C) whose sampled flag is set."""

OTHER: Final = "other"
"""The operation of a request that names none, in the metrics."""


class Body(Protocol):
    """Reads the body of the request."""

    async def read(self, most: int) -> bytes | None:
        """Return the whole body; None when it is larger. Raises ``trio.BrokenResourceError``."""


@attrs.define(eq=False)
class Service:
    """The internal API of one node."""

    rooms: Rooms
    keys: ApiKeys
    operations: Sequence[Operation]
    _working: int = attrs.field(default=0, init=False)

    @staticmethod
    def owns(head: Head) -> bool:
        """Whether a request is for the API."""
        return head.path.startswith(f"{PREFIX}/".encode())

    async def answer(self, head: Head, body: Body, peer: str) -> Page:
        """Answer a request.

        Raises ``trio.BrokenResourceError`` when the caller has gone while sending its body.
        """
        method = head.method.decode("latin-1")
        path = head.path.decode("latin-1").removeprefix(PREFIX)
        found = find(self.operations, method, path)
        name = found.operation.name if isinstance(found, Found) else OTHER
        page = await self._answer(head, body, found, peer)
        self.rooms.house.metrics.api[name, str(page.code)] += 1
        return page

    async def _answer(self, head: Head, body: Body, found: Found | Missed, peer: str) -> Page:
        if not self.keys.admit(head):
            # The path is not told: it may be anything.
            _log.info("api_refused", kind=UNAUTHORIZED.code, peer=peer)
            return UNAUTHORIZED.page()
        if isinstance(found, Missed):
            return found.problem.page(found.field)
        if self._working >= API_AT_ONCE:
            return BUSY.page()
        self._working += 1
        try:
            return await self._perform(head, body, found)
        except Refused as refused:
            return refused.page()
        finally:
            self._working -= 1

    async def _perform(self, head: Head, body: Body, found: Found) -> Page:
        operation = found.operation
        query = head.target.partition(b"?")[2]
        data = await _read_body(head, body, operation)
        asked = Asked(found.ids, query, data, _key_of(head), _trace_of(head))
        asked.read_query(operation.query or Nothing)
        with trio.move_on_after(API_SECONDS):
            answer = await operation.perform(self.rooms, asked)
            phrase = _PHRASES[operation.status]
            return Page(JSON, msgspec.json.encode(answer), _PRIVATE, operation.status, phrase)
        return TOO_SLOW.page()


async def _read_body(head: Head, body: Body, operation: Operation) -> bytes:
    """Return the body of an operation that has one. Raises ``Refused``."""
    if operation.body is None:
        return b""
    data: bytes | Problem | None = TIMED_OUT
    with trio.move_on_after(HANDSHAKE_SECONDS):
        data = await body.read(API_BODY_BYTES)
    if isinstance(data, Problem):
        raise Refused(data)
    if data is None:
        raise Refused(BODY_TOO_LARGE)
    if (data or operation.body_is_required) and not _is_json(head):
        raise Refused(NO_JSON)
    return data


def _is_json(head: Head) -> bool:
    types = head.values(b"content-type")
    return len(types) == 1 and types[0].partition(b";")[0].strip().lower() == JSON.encode()


def _key_of(head: Head) -> str | None:
    """Return the ``Idempotency-Key``, if there is one. Raises ``Refused``."""
    values = [value.decode("latin-1") for value in head.values(b"idempotency-key")]
    if not values:
        return None
    if len(values) > 1 or not _KEY.fullmatch(values[0]):
        raise Refused(
            INVALID_PARAMETER,
            field="header.Idempotency-Key",
            expected=f"1 to {IDEMPOTENCY_KEY_CHARACTERS} visible ASCII characters",
        )
    return values[0]


def _trace_of(head: Head) -> str | None:
    """Return the trace the caller is in, if it is kept; what is no traceparent is passed over."""
    values = head.values(b"traceparent")
    if len(values) != 1 or not _KEPT_TRACE.fullmatch(values[0]):
        return None
    return values[0].decode("ascii")

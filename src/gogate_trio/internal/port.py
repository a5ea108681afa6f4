"""The HTTP server of the internal port: a few pages, made when they are asked for.

Built like the front door, and as hard to upset: a bounded head, a deadline on reading and on
writing, one answer a connection, a fence around each. It answers until the very end of a
drain, so that its last words are true.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import trio

from gogate_trio.limits import HANDSHAKE_SECONDS, LINGER_SECONDS
from gogate_trio.log import get_logger
from gogate_trio.protocol.handshake import TIMED_OUT, UNAVAILABLE, Status
from gogate_trio.server.door import read_head
from gogate_trio.server.farewell import see_off
from gogate_trio.server.pages import Page, find, render
from gogate_trio.server.sockets import open_listener
from gogate_trio.server.wire import Wire

_log = get_logger(__name__)

_AT_ONCE: Final = 32
"""requests under way at once. A few scrapers and probes ask; more is somebody's mistake, and
must not take the files that are kept for clients."""

_REFUSALS_AT_ONCE: Final = 32
"""further ones that are told so; whoever comes then is closed without a word"""

Pages = Mapping[str, Callable[[], Page]]
"""By path, what makes the page. Must not block; must be quick, for it holds up everything."""


async def serve_internal(
    host: str,
    port: int,
    pages: Pages,
    *,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for ever; ``started`` gets the port. Raises ``OperatorError`` when it is not free."""
    listener = open_listener(host, port)
    bound = listener.port
    desk = Desk(pages)
    async with trio.open_nursery() as answering:
        await answering.start(trio.serve_listeners, desk.welcome, [listener])
        _log.info("serving_internal", host=host, port=bound)
        task_status.started(bound)


class Desk:
    """Attends to whoever asks on the internal port."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._attending = 0

    async def welcome(self, wire: Wire) -> None:
        """Answer one request. Raises nothing."""
        self._attending += 1
        try:
            await self._attend(wire)
        except* Exception:  # noqa: BLE001 - the fence: a page's bug is that request's end
            _log.exception("internal_request_failed")
        finally:
            self._attending -= 1
            wire.close()

    async def _attend(self, wire: Wire) -> None:
        if self._attending > _AT_ONCE + _REFUSALS_AT_ONCE:
            return
        if self._attending > _AT_ONCE:
            await self._answer(wire, UNAVAILABLE)
            return
        read: object = TIMED_OUT
        try:
            with trio.move_on_after(HANDSHAKE_SECONDS):
                read = await read_head(wire)
        except trio.BrokenResourceError:
            return
        if isinstance(read, Status):
            await self._answer(wire, read)
        elif isinstance(read, tuple):
            head, _behind = read
            found = find(head, self._pages)
            answer = found if isinstance(found, Status) else found()
            await self._answer(wire, answer, with_body=head.method != b"HEAD")

    async def _answer(self, wire: Wire, answer: Page | Status, *, with_body: bool = True) -> None:
        with trio.move_on_after(LINGER_SECONDS):
            try:
                await wire.send_all(render(answer, with_body=with_body))
            except trio.BrokenResourceError:
                return
            await see_off(wire)

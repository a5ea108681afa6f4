"""The HTTP server of the internal port: a few pages, made when they are asked for, and the API.

Built like the front door, and as hard to upset: a bounded head, a deadline on reading and on
writing, one answer a connection, a fence around each. It answers until the very end of a
drain, so that its last words are true.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

import trio

from gogate_trio.internal.api.problems import page_of
from gogate_trio.internal.intake import Intake
from gogate_trio.limits import HANDSHAKE_SECONDS, LINGER_SECONDS
from gogate_trio.log import get_logger
from gogate_trio.poller import open_poller
from gogate_trio.protocol.handshake import (
    BODY_REFUSED,
    TIMED_OUT,
    UNAVAILABLE,
    Head,
    Status,
)
from gogate_trio.server.farewell import see_off
from gogate_trio.server.pages import Page, find, render
from gogate_trio.server.sockets import Listener, open_listener
from gogate_trio.server.wire import Wire

_log = get_logger(__name__)

_AT_ONCE: Final = 32
"""requests under way at once. A few scrapers and probes ask; more is somebody's mistake, and
must not take the files that are kept for clients."""

_REFUSALS_AT_ONCE: Final = 32
"""further ones that are told so; whoever comes then is closed without a word"""

Pages = Mapping[str, Callable[[], Page]]
"""By path, what makes the page. Must not block; must be quick, for it holds up everything."""


class Api(Protocol):
    """What has paths, methods and bounds of its own."""

    def owns(self, head: Head) -> bool:
        """Whether a request is for it."""

    async def answer(self, head: Head, body: Intake, peer: str) -> Page:
        """Answer one; ``body`` follows the head. May raise ``trio.BrokenResourceError``."""


async def serve_internal(  # noqa: PLR0913 - where, what, and what it is handed
    host: str,
    port: int,
    pages: Pages,
    api: Api | None = None,
    *,
    inherited: Sequence[socket.socket] = (),
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Answer for ever; ``started`` gets the port. Raises ``OperatorError`` when it is not free.

    Sockets that are ``inherited`` are listened on in place of one of our own.
    """
    desk = Desk(pages, api)
    async with open_poller() as poller, trio.open_nursery() as answering:
        listeners = [Listener(each, poller, is_own=False) for each in inherited] or [
            open_listener(host, port, poller)
        ]
        bound = listeners[0].port
        await answering.start(trio.serve_listeners, desk.welcome, listeners)
        _log.info("serving_internal", host=host, port=bound)
        task_status.started(bound)


class Desk:
    """Attends to whoever asks on the internal port."""

    def __init__(self, pages: Pages, api: Api | None) -> None:
        self._pages = pages
        self._api = api
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
            await self._answer(wire, page_of(UNAVAILABLE))
            return
        intake = Intake(wire)
        head: Head | Status | None = TIMED_OUT
        try:
            with trio.move_on_after(HANDSHAKE_SECONDS):
                head = await intake.head()
            if isinstance(head, Head):
                page = await self._page(head, intake, wire.peer)
                await self._answer(wire, page, with_body=head.method != b"HEAD")
            elif head is not None:
                await self._answer(wire, page_of(head))
        except trio.BrokenResourceError:
            return

    async def _page(self, head: Head, intake: Intake, peer: str) -> Page:
        if self._api is not None and self._api.owns(head):
            # The API has bounds of its own: what waits there keeps no probe out.
            self._attending -= 1
            try:
                return await self._api.answer(head, intake, peer)
            finally:
                self._attending += 1
        if intake.has_body:
            return page_of(BODY_REFUSED)
        found = find(head, self._pages)
        return page_of(found) if isinstance(found, Status) else found()

    async def _answer(self, wire: Wire, page: Page, *, with_body: bool = True) -> None:
        with trio.move_on_after(LINGER_SECONDS):
            await wire.send_all(render(page, with_body=with_body))
            await see_off(wire)

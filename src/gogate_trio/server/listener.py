"""One task a client.

An exception out of a client's task would end trio's accept loop and with it every client;
so each task is fenced, and what it raises is logged once as the bug it is.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Mapping
from typing import Final

import trio

from gogate_trio.cluster.base import HANDSHAKES
from gogate_trio.config import OriginSettings, Settings
from gogate_trio.ids import ConnectionId
from gogate_trio.limits import (
    HANDSHAKE_SECONDS,
    LAST_HEAD_SECONDS,
    LINGER_SECONDS,
    RECONNECT_SECONDS,
    REFUSALS_AT_ONCE,
)
from gogate_trio.log import get_logger
from gogate_trio.protocol import close
from gogate_trio.protocol.forwarded import client_address, is_within
from gogate_trio.protocol.handshake import (
    FORBIDDEN,
    NOT_ALLOWED,
    NOT_FOUND,
    ONLY_GET,
    TIMED_OUT,
    UNAVAILABLE,
    Head,
    Status,
    fault_of_upgrade,
)
from gogate_trio.protocol.origins import ANY, OriginPolicy, OriginRule
from gogate_trio.server.connection import Connection
from gogate_trio.server.door import read_head, read_head_at_once
from gogate_trio.server.farewell import see_off
from gogate_trio.server.house import House, Visit
from gogate_trio.server.pages import Page, find, render
from gogate_trio.server.tls import Tls
from gogate_trio.server.tlswire import TlsWire
from gogate_trio.server.wire import Wire
from gogate_trio.state.admission import Full, Ticket

_log = get_logger(__name__)

WEBSOCKET_PATH: Final = b"/ws"

_HARMLESS: Final = frozenset({NOT_FOUND, NOT_ALLOWED, ONLY_GET})
"""Refusals not worth a line in the log: somebody looked for a page."""

Read = tuple[Head, bytes] | Status | None
"""The head and what came behind it; why it is refused; or None: there is nobody to answer."""


class Server:
    """Welcomes clients: answers pages, and gives WebSockets their connection."""

    def __init__(self, house: House, pages: Mapping[str, Page], tls: Tls | None) -> None:
        """``tls`` shakes hands with everybody before the first word; None: nobody is asked to."""
        self._tls = tls
        self._house = house
        self._pages = pages
        self.adjust(house.settings)
        self._turning_away = 0
        self._asking: set[trio.CancelScope] = set()
        self._is_shut = False
        self._numbers = itertools.count(1)

    def adjust(self, settings: Settings) -> None:
        """Go by these origins and proxies from now on."""
        self._origins = origin_policy(settings.origins)
        if self._origins.any_origin:
            _log.warning("any_origin_allowed", setting="ALLOWED_ORIGINS")
        self._proxies = settings.admission.trusted_proxies

    async def welcome(self, wire: Wire) -> None:
        """Attend to one client until it is gone. Raises nothing."""
        self._house.metrics.accepted += 1
        admission = self._house.admission
        ticket = admission.enter(self._address_at_accept(wire), trio.current_time())
        try:
            if isinstance(ticket, Full):
                await self._turn_away(wire, ticket)
            else:
                await self._attend(wire, ticket)
        except* Exception:  # noqa: BLE001 - the fence: a client's bug is that client's end
            self._house.metrics.bugs += 1
            _log.exception("client_failed", peer=wire.peer)
        finally:
            if isinstance(ticket, Ticket):
                admission.leave(ticket)
            wire.close()

    def shut(self) -> None:
        """Let nobody in any more: who asks in a moment is told when to come back, others 503."""
        self._is_shut = True
        soon = trio.current_time() + LAST_HEAD_SECONDS
        for asking in self._asking:
            asking.deadline = min(asking.deadline, soon)

    def _address_at_accept(self, wire: Wire) -> str | None:
        """Return the address to count a socket under; a proxy's clients are counted later."""
        return None if is_within(wire.peer, self._proxies) else wire.peer

    async def _turn_away(self, wire: Wire, full: Full) -> None:
        """Answer pages, and say 503 to WebSockets; not to everybody at once."""
        self._note_full(full, wire.peer)
        if self._turning_away >= REFUSALS_AT_ONCE:
            return
        self._turning_away += 1
        try:
            stream, read = await self._read(wire, LINGER_SECONDS)
            if isinstance(read, tuple):
                read = UNAVAILABLE if read[0].path == WEBSOCKET_PATH else read
            await self._answer_page(stream, read)
        finally:
            self._turning_away -= 1

    async def _attend(self, wire: Wire, ticket: Ticket) -> None:
        connection = await self._receive(wire, ticket)
        if connection is not None:
            await connection.run()

    async def _receive(self, wire: Wire, ticket: Ticket) -> Connection | None:
        """Answer a page, or why there is none; return the connection of a WebSocket."""
        within = LAST_HEAD_SECONDS if self._is_shut else HANDSHAKE_SECONDS
        stream, read = await self._read(wire, within)
        if not isinstance(read, tuple) or read[0].path != WEBSOCKET_PATH:
            await self._answer_page(stream, read)
            return None
        head, behind = read
        fault = self._fault_of(head, wire.peer, ticket) or await self._fault_of_all(ticket)
        if fault is not None:
            await self._answer(stream, fault, with_body=head.method != b"HEAD")
            return None
        number = ConnectionId(next(self._numbers))
        visit = Visit(ticket, head, behind, self._address_of(head, wire.peer))
        connection = Connection(number, stream, self._house, visit)
        if self._is_shut:
            after = random.uniform(*RECONNECT_SECONDS)  # noqa: S311 - no secret
            connection.hang_up(close.restart(round(after * 1000)))
        return connection

    def _address_of(self, head: Head, peer: str) -> str:
        """Return where a request came from, as far as trusted proxies tell."""
        if not is_within(peer, self._proxies):
            return peer
        return client_address(head, peer, self._proxies)

    def _fault_of(self, head: Head, peer: str, ticket: Ticket) -> Status | None:
        """Why this request may not become a WebSocket, if anything."""
        if (fault := fault_of_upgrade(head)) is not None:
            return fault
        if not self._origins.permits(head):
            return FORBIDDEN
        if not is_within(peer, self._proxies):
            return None
        address = client_address(head, peer, self._proxies)
        full = self._house.admission.count_under(ticket, address, trio.current_time())
        if full is None:
            return None
        self._note_full(full, address)
        return UNAVAILABLE

    async def _fault_of_all(self, ticket: Ticket) -> Status | None:
        """Why a client may not come in as all nodes see it, if anything: its address is too fast.

        One round trip, and a moment at most.
        """
        shared = self._house.shared
        if shared is None or ticket.address is None:
            return None
        if not await shared.wait(HANDSHAKES, ticket.address):
            return None
        self._note_full(Full.PACE, ticket.address)
        return UNAVAILABLE

    def _note_full(self, full: Full, address: str) -> None:
        self._house.metrics.turned_away[full.value] += 1
        _log.info("turned_away", kind=full.value, peer=address)

    async def _read(self, wire: Wire, within: float) -> tuple[Wire | TlsWire, Read]:
        """Read the head, in TLS where that is spoken; and the stream on which to answer it.

        What has come is looked at first: the scope for a wait costs more. It has the deadline of it
        all, which ``shut`` may bring forward.
        """
        stream: Wire | TlsWire = wire
        asking = None
        try:
            came = read_head_at_once(wire) if self._tls is None else b""
            if not isinstance(came, bytes):
                return wire, came
            asking = trio.CancelScope(deadline=trio.current_time() + within)
            self._asking.add(asking)
            with asking:
                if self._tls is not None:
                    secured = await self._secure(wire, self._tls)
                    if not isinstance(secured, TlsWire):
                        return wire, secured
                    stream = secured
                return stream, await read_head(stream, came)
        except trio.BrokenResourceError:
            return stream, None
        finally:
            if asking is not None:
                self._asking.discard(asking)
        if self._tls is not None and stream is wire:
            # In the middle of TLS there is no way to say it.
            return wire, None
        return stream, UNAVAILABLE if self._is_shut else TIMED_OUT

    async def _secure(self, wire: Wire, tls: Tls) -> TlsWire | Status | None:
        secured: TlsWire | Status | None = None
        try:
            secured = await tls.shake_hands(wire)
        finally:
            if not isinstance(secured, TlsWire):
                self._house.metrics.tls_failed += 1
        return secured

    async def _answer_page(self, stream: Wire | TlsWire, read: Read) -> None:
        if isinstance(read, Status):
            await self._answer(stream, read)
        elif read is not None:
            head, _behind = read
            await self._answer(stream, find(head, self._pages), with_body=head.method != b"HEAD")

    async def _answer(
        self, stream: Wire | TlsWire, answer: Page | Status, *, with_body: bool = True
    ) -> None:
        if isinstance(answer, Status):
            self._house.metrics.refused[answer.code] += 1
            if answer not in _HARMLESS:
                _log.info("request_refused", kind=str(answer.code), peer=stream.peer)
        with trio.move_on_after(LINGER_SECONDS):
            try:
                await stream.send_all(render(answer, with_body=with_body))
            except trio.BrokenResourceError:
                return
            await see_off(stream)


def origin_policy(settings: OriginSettings) -> OriginPolicy:
    """Return what the settings say about origins."""
    rules = tuple(rule for rule in settings.allowed if isinstance(rule, OriginRule))
    return OriginPolicy(rules, any_origin=ANY in settings.allowed, missing=settings.missing)

"""TLS on the listening port: the certificate in force, and how a new one takes its place.

A certificate is read into a fresh context for the connections to come; those that are open
keep theirs. One that is no good changes nothing but the log.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import trio

from gogate_trio.config import TlsSettings
from gogate_trio.errors import OperatorError
from gogate_trio.limits import TLS_EXPIRY_SECONDS, TLS_LOOK_SECONDS, TLS_RENEWAL_SECONDS
from gogate_trio.log import get_logger
from gogate_trio.protocol.handshake import SPEAK_TLS, Status
from gogate_trio.server.certificate import Certificate, read_certificate
from gogate_trio.server.tlswire import TlsWire
from gogate_trio.server.wire import Wire

_log = get_logger(__name__)

Look = tuple[tuple[int, ...] | None, ...]
"""What a directory says about both files; None for one that is not there."""


class Tls:
    """Shakes hands with the certificate in force, and looks after it."""

    def __init__(
        self,
        settings: TlsSettings,
        *,
        read: Callable[[TlsSettings], Certificate] = read_certificate,
    ) -> None:
        """Read the certificate. Raises ``OperatorError`` when it is no good."""
        self._settings = settings
        self._read = read
        self._loading = trio.Lock()
        self._seen = self._look()
        self._complained = ""
        self._renew_at = 0.0
        self._take(read(settings), cause="start")

    async def shake_hands(self, wire: Wire) -> TlsWire | Status | None:
        """Return the wire with TLS on it; what to answer in the clear; or None: it is no use.

        The deadline is the caller's.
        """
        stream = TlsWire(wire, self._certificate.context)
        try:
            await stream.do_handshake()
        except trio.BrokenResourceError as error:
            _log.debug("tls_handshake_failed", peer=wire.peer)
            cause = error.__cause__
            is_http = isinstance(cause, ssl.SSLError) and cause.reason == "HTTP_REQUEST"
            return SPEAK_TLS if is_http else None
        return stream

    @property
    def expires_at(self) -> float | None:
        """When the certificate in force ends: seconds since 1970, None when it is doubtful."""
        return self._certificate.expires_at

    async def reload(self, cause: str) -> None:
        """Let new connections have the certificate of the files; keep the old if it is no good."""
        async with self._loading:
            # Before the reading: what is written meanwhile is then seen as a change.
            self._seen = await trio.to_thread.run_sync(self._look)
            try:
                certificate = await trio.to_thread.run_sync(self._read, self._settings)
            except OperatorError as error:
                self._complain(str(error), cause)
                return
            self._complained = ""
            self._take(certificate, cause=cause)

    async def watch(self) -> None:
        """Read the files again when they have changed, for ever.

        The two are seldom written in one go, so a change is believed when two looks agree. One
        that is no good is tried again at each look. Once a day they are read in any case: the
        new context brings a new key for session tickets.
        """
        before = self._seen
        while True:
            await trio.sleep(TLS_LOOK_SECONDS)
            look = await trio.to_thread.run_sync(self._look)
            if look == before and (look != self._seen or self._complained):
                await self.reload("files changed")
            elif trio.current_time() >= self._renew_at:
                await self.reload("daily")
            before = look

    def _take(self, certificate: Certificate, *, cause: str) -> None:
        self._certificate = certificate
        self._renew_at = trio.current_time() + TLS_RENEWAL_SECONDS
        _log.info("tls_certificate_loaded", cause=cause, expires=date_of(certificate))
        if doubt := doubt_about(certificate):
            _log.warning("tls_certificate_doubtful", reason=doubt)

    def _complain(self, reason: str, cause: str) -> None:
        """Say it once, and again when somebody asked for the reload."""
        self._renew_at = trio.current_time() + TLS_RENEWAL_SECONDS
        if cause == ON_REQUEST or reason != self._complained:
            _log.error("tls_certificate_kept", cause=cause, reason=reason)
        self._complained = reason

    def _look(self) -> Look:
        return tuple(_look_at(path) for path in (self._settings.cert, self._settings.key))


ON_REQUEST = "request"
"""The cause of a reload that an operator asked for."""


def doubt_about(certificate: Certificate) -> str:
    """Return what an operator must know about a certificate; empty when all is well."""
    if certificate.complaint:
        return certificate.complaint
    left = (certificate.expires_at or 0.0) - time.time()
    return f"it expires in {left / 86_400:.1f} days" if left < TLS_EXPIRY_SECONDS else ""


def date_of(certificate: Certificate) -> str | None:
    """Return the day a certificate ends, if that is known."""
    if certificate.expires_at is None:
        return None
    return datetime.fromtimestamp(certificate.expires_at, UTC).strftime("%Y-%m-%d")


def _look_at(path: str) -> tuple[int, ...] | None:
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns

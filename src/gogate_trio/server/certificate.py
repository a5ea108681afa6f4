"""Reads a certificate and its key, and judges them before any client has to.

What comes out is an ``ssl.SSLContext``: TLS 1.2 or 1.3, forward secrecy and authenticated
ciphers only, HTTP/1.1 inside. Whether the pair works is not guessed from the files: a
handshake is rehearsed in memory, with a client that trusts this certificate alone.
"""

from __future__ import annotations

import contextlib
import ssl
from pathlib import Path
from typing import Final, NoReturn

import attrs

from gogate_trio.config import TlsSettings
from gogate_trio.errors import OperatorError

CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2; those of TLS 1.3 are all of this kind. What every browser since 2014 has."""

_MOST_BYTES: Final = 1024 * 1024
"""bytes of a certificate or key file that are looked at"""
_ROUNDS: Final = 4
"""turns of both sides: a handshake takes two"""
_EXPIRED: Final = 10
_NOT_YET: Final = 9
"""OpenSSL's numbers (X509_V_ERR_…)"""


@attrs.frozen
class Certificate:
    """A pair of certificate and key that can shake hands."""

    context: ssl.SSLContext = attrs.field(repr=False)
    expires_at: float | None
    """Seconds since 1970; None when it could not be learnt, because ``complaint`` says why."""
    complaint: str = ""
    """What clients will hold against it; it is used all the same."""


def read_certificate(settings: TlsSettings) -> Certificate:
    """Read both files anew. Blocks on the disk.

    Raises ``OperatorError`` when no client could shake hands with what they hold.
    """
    _inspect("TLS_CERT", settings.cert, b"CERTIFICATE-----", "certificate")
    _inspect("TLS_KEY", settings.key, b"PRIVATE KEY-----", "private key")
    context = _context()
    try:
        context.load_cert_chain(settings.cert, settings.key, _refuse_to_ask)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise OperatorError("TLS_KEY is not the key of TLS_CERT") from None
        raise OperatorError(f"TLS_CERT, TLS_KEY: cannot be used: {_reason(error)}") from None
    except OSError as error:
        raise OperatorError(f"TLS_CERT, TLS_KEY: cannot be read: {error.strerror}") from None
    try:
        return _rehearse(context, settings.cert)
    except ssl.SSLError as error:
        raise OperatorError(f"TLS_CERT: no handshake is possible: {_reason(error)}") from None


def _inspect(name: str, path: str, mark: bytes, what: str) -> None:
    """Say which of the two files is wrong; OpenSSL does not."""
    try:
        if Path(path).exists() and not Path(path).is_file():
            raise OperatorError(f"{name}: names no regular file")
        with Path(path).open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError as error:
        raise OperatorError(f"{name}: cannot be read: {error.strerror}") from None
    if mark not in content:
        raise OperatorError(f"{name}: the file holds no {what} in PEM form")


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    # A client that offers HTTP/2 as well is told what it gets.
    context.set_alpn_protocols(["http/1.1"])
    # Renegotiation lets a stranger make us work for nothing; compression leaks secrets.
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    return context


def _refuse_to_ask() -> NoReturn:
    # Without this, OpenSSL would wait for a passphrase to be typed.
    raise OperatorError("TLS_KEY: is encrypted, and there is nobody to ask for its passphrase")


def _rehearse(context: ssl.SSLContext, path: str) -> Certificate:
    judge = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    judge.check_hostname = False
    judge.load_verify_locations(path)
    # To trust the certificate itself, whoever has signed it.
    judge.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = judge.wrap_bio(to_client, to_server)
    server = context.wrap_bio(to_server, to_client, server_side=True)
    try:
        for _ in range(_ROUNDS):
            for side in (client, server):
                with contextlib.suppress(ssl.SSLWantReadError):
                    side.do_handshake()
    except ssl.SSLCertVerificationError as error:
        known = {_EXPIRED: "it has expired", _NOT_YET: "it is not valid yet"}
        return Certificate(context, None, known.get(error.verify_code, error.verify_message))
    certificate = client.getpeercert() or {}
    return Certificate(context, float(ssl.cert_time_to_seconds(str(certificate["notAfter"]))))


def _reason(error: ssl.SSLError) -> str:
    """OpenSSL's own word for it, which names no file and holds nothing of a key."""
    return (error.reason or "damaged or cut short").replace("_", " ").lower()

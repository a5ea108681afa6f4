"""Certificates for tests, from an authority that exists for one test only.

Usage::

    files = Files(tmp_path)                # TLS_CERT and TLS_KEY, not yet written
    files.write(Authority().issue())
    async with open_node(fake, tls=files.settings) as node:
        async with open_secure(node.port, authority.trust()) as client:
            ...
"""

from __future__ import annotations

import ssl
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import attrs
import trio
import trustme

from fakes.clients import UPGRADE, Client
from gogate_trio.config import TlsSettings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

NAME = "localhost"


@attrs.frozen
class Pair:
    """A certificate with its chain, and its key, both PEM."""

    chain: bytes
    key: bytes = attrs.field(repr=False)


class Authority:
    """Issues certificates, and is trusted by whom it tells to."""

    def __init__(self) -> None:
        self._ca = trustme.CA()

    def issue(self, *, begin: int | None = None, end: int | None = None) -> Pair:
        """Return a new pair, good from one year to another (both may be left open)."""
        issued = self._ca.issue_cert(NAME, not_before=_new_year(begin), not_after=_new_year(end))
        chain = b"".join(blob.bytes() for blob in issued.cert_chain_pems)
        return Pair(chain, issued.private_key_pem.bytes())

    def trust(self) -> ssl.SSLContext:
        """Return a client's context that trusts this authority and nobody else."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._ca.configure_trust(context)
        return context


@attrs.frozen
class Files:
    """Where a gateway looks for its certificate and key."""

    folder: Path

    @property
    def settings(self) -> TlsSettings:
        """The settings that name both files."""
        return TlsSettings(cert=str(self.folder / "cert.pem"), key=str(self.folder / "key.pem"))

    @property
    def environ(self) -> dict[str, str]:
        """The same as variables for a child process."""
        return {"TLS_CERT": self.settings.cert, "TLS_KEY": self.settings.key}

    def write(self, pair: Pair) -> None:
        """Put a pair in place, one file after the other."""
        self.write_chain(pair.chain)
        self.write_key(pair.key)

    def write_chain(self, chain: bytes) -> None:
        """Put a certificate in place, whole at once, as a good tool does."""
        self._replace("cert.pem", chain)

    def write_key(self, key: bytes) -> None:
        """Put a key in place."""
        self._replace("key.pem", key)

    def _replace(self, name: str, content: bytes) -> None:
        fresh = self.folder / f"{name}.new"
        fresh.write_bytes(content)
        fresh.replace(self.folder / name)


@asynccontextmanager
async def open_secure_raw(
    port: int, trust: ssl.SSLContext, *, pause: float = 0.0
) -> AsyncIterator[Client]:
    """Connect, shake hands after so many seconds, and say nothing yet."""
    stream = await trio.open_tcp_stream("127.0.0.1", port)
    try:
        await trio.sleep(pause)
        secure = trio.SSLStream(stream, trust, server_hostname=NAME, https_compatible=True)
        await secure.do_handshake()
        yield Client(secure)
    finally:
        await trio.aclose_forcefully(stream)


@asynccontextmanager
async def open_secure(port: int, trust: ssl.SSLContext, token: str = "") -> AsyncIterator[Client]:
    """Connect, shake hands, upgrade and, given a token, log in."""
    async with open_secure_raw(port, trust) as client:
        await client.send(UPGRADE + b"\r\n")
        head = await client.read_until(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head
        if token:
            await client.authenticate(token)
        yield client


def fingerprint(client: Client) -> bytes:
    """Return the certificate a client was shown."""
    shown = client.stream.getpeercert(binary_form=True)
    assert shown is not None
    return shown


def _new_year(year: int | None) -> datetime | None:
    return None if year is None else datetime(year, 1, 1, tzinfo=UTC)

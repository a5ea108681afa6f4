"""Who may ask: the keys of the internal API."""

from __future__ import annotations

import hmac
from collections.abc import Iterable

from gogate_trio.config import Secret
from gogate_trio.protocol.handshake import Head

HEADER = b"x-internal-api-key"


class ApiKeys:
    """The keys in force. One object for the life of a node: ``replace`` changes them for all."""

    def __init__(self, keys: Iterable[Secret]) -> None:
        self._keys = tuple(keys)

    def replace(self, keys: Iterable[Secret]) -> None:
        """Let these be the keys from now on."""
        self._keys = tuple(keys)

    def admit(self, head: Head) -> bool:
        """Whether a request brings one of the keys. How long it takes does not tell how nearly."""
        values = head.values(HEADER)
        if len(values) != 1:
            return False
        admitted = False
        for key in self._keys:
            # All are compared, always: which one it was is not to be told by time either.
            admitted |= hmac.compare_digest(values[0], key.reveal().encode())
        return admitted

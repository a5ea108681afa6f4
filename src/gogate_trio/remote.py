"""Asks a running node over its internal port, for the commands of the terminal."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec

from gogate_trio.errors import OperatorError
from gogate_trio.internal.api.routing import PREFIX

if TYPE_CHECKING:
    from gogate_trio.config import Settings

T = TypeVar("T")

PATIENCE: Final = 5.0
"""seconds for one answer. A node that drains answers at once; one that hangs, never."""

_ANSWER_BYTES: Final = 4 * 1024 * 1024
_EVERYWHERE: Final = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}
"""Hosts that stand for all interfaces → where such a node can be asked on this machine."""


class NobodyThereError(OperatorError):
    """Nothing listens on the internal port, or it closed without an answer."""


class SilentError(OperatorError):
    """Something listens on the internal port, and does not answer in time."""


class Remote:
    """The internal API of one running node."""

    def __init__(self, settings: Settings, *, port: int | None = None) -> None:
        """``port`` takes the place of the settings'. Raises ``OperatorError`` without either."""
        found = port or settings.internal.port
        if not found:
            raise OperatorError(
                "INTERNAL_PORT is not set, so a running node cannot be asked: name it by --port"
            )
        self._port = found
        self._host = _EVERYWHERE.get(settings.internal.host, settings.internal.host)
        self._key = settings.internal_api_keys[0]

    def ask(self, method: str, path: str, shape: type[T]) -> T:
        """Return what the node answers. Blocks.

        Raises ``NobodyThereError``, ``SilentError``, and ``OperatorError`` when it refuses.
        """
        connection = http.client.HTTPConnection(self._host, self._port, timeout=PATIENCE)
        try:
            key = {"X-Internal-API-Key": self._key.reveal()}
            connection.request(method, f"{PREFIX}{path}", headers=key)
            answer = connection.getresponse()
            body = answer.read(_ANSWER_BYTES)
        except TimeoutError:
            raise SilentError(
                f"the node on the internal port {self._port} of {self._host} does not answer"
            ) from None
        except (OSError, http.client.HTTPException):
            raise NobodyThereError(
                f"nothing answers on the internal port {self._port} of {self._host}"
            ) from None
        finally:
            connection.close()
        try:
            if answer.status < http.client.MULTIPLE_CHOICES:
                return msgspec.json.decode(body, type=shape)
            problem = msgspec.json.decode(body, type=_Problem)
        except (ValueError, RecursionError):
            raise OperatorError(
                f"what answers on port {self._port} is no GoGate, or another release of it"
            ) from None
        raise OperatorError(f"the node refuses: {problem.error} ({problem.code})")


class _Problem(msgspec.Struct):
    error: str
    code: str

"""What a run shall do: numbers within bounds, an address, the tokens. Anything else is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import SplitResult, urlsplit

import attrs

from gogate_trio.errors import OperatorError

if TYPE_CHECKING:
    from pathlib import Path

MAX_CONNECTIONS: Final = 10_000
"""connections: more than that, and one Python process measures itself."""

MAX_RATE: Final = 10_000.0
"""messages a second."""

MAX_SECONDS: Final = 3600.0
"""seconds of traffic."""

MAX_MESSAGES: Final = 1_000_000
"""messages of a run: some 100 bytes are kept of each."""

TEXT_CHARACTERS: Final = (48, 4000)
"""characters of a message: the number has to fit in, and backends refuse long ones."""

MAX_CHATS: Final = 1000
"""chats that are spoken to in turn."""

MAX_TOKEN_FILE: Final = 16 * 1024 * 1024
"""bytes: 10,000 tokens of more than a kilobyte."""

MAX_TOKEN: Final = 8192
"""characters, as the protocol has it."""

MAX_ID: Final = 2**63 - 1
"""The largest id of the protocol."""

_TOKEN: Final = re.compile(r"[!-~]+")
_PORTS: Final = {"ws": 80, "wss": 443}


class UnusablePlan(OperatorError):
    """The arguments cannot be used; the text names which, and holds none of the tokens."""


@attrs.frozen
class Address:
    """Where the gateway under test is."""

    secure: bool
    host: str
    port: int
    target: str
    """Path and query, as the request line has them."""

    @property
    def authority(self) -> str:
        """The Host header."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            host if self.port == _PORTS["wss" if self.secure else "ws"] else f"{host}:{self.port}"
        )


@attrs.frozen
class Plan:
    """One run. Connection i has token i, and starts anew when there are fewer."""

    address: Address
    tokens: tuple[str, ...] = attrs.field(default=(), repr=False)
    chats: tuple[int, ...] = (1,)
    connections: int = 100
    rate: float = 20.0
    """messages a second in all; 0: nothing is said."""
    duration: float = 10.0
    """seconds of traffic."""
    text_size: int = 64
    """characters of a message."""


def checked(plan: Plan) -> Plan:
    """The same plan, when every number of it is within its bounds. Raises ``UnusablePlan``."""
    _within("--connections", plan.connections, 1, MAX_CONNECTIONS)
    _within("--rate", plan.rate, 0, MAX_RATE)
    _within("--duration", plan.duration, 0.1, MAX_SECONDS)
    _within("--text-size", plan.text_size, *TEXT_CHARACTERS)
    if plan.rate * plan.duration > MAX_MESSAGES:
        raise UnusablePlan(f"--rate times --duration is more than {MAX_MESSAGES:,} messages")
    if not 1 <= len(plan.chats) <= MAX_CHATS or len(set(plan.chats)) != len(plan.chats):
        raise UnusablePlan(f"--chat is given 1 to {MAX_CHATS:,} times, each time another chat")
    if not all(1 <= chat <= MAX_ID for chat in plan.chats):
        raise UnusablePlan("--chat is a whole number from 1")
    return plan


def read_address(url: str) -> Address:
    """The parts of a ``ws://`` or ``wss://`` address. Raises ``UnusablePlan``."""
    refused = UnusablePlan("the address must be like ws://127.0.0.1:8080/ws")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise refused from None
    if parts.scheme not in _PORTS or not parts.hostname or not _is_plain(parts, url):
        raise refused
    path = parts.path or "/ws"
    return Address(
        secure=parts.scheme == "wss",
        host=parts.hostname,
        port=_PORTS[parts.scheme] if port is None else port,
        target=f"{path}?{parts.query}" if parts.query else path,
    )


def _is_plain(parts: SplitResult, url: str) -> bool:
    """No name and password, no fragment, nothing that a request line could not hold."""
    return "@" not in parts.netloc and "#" not in url and bool(_TOKEN.fullmatch(url))


def read_tokens(path: Path) -> tuple[str, ...]:
    """A token a line; empty lines and those that begin with # are passed over.

    Raises ``UnusablePlan``, which names the line and not what stands there.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_TOKEN_FILE + 1)
    except OSError:
        raise UnusablePlan("--token-file cannot be read") from None
    if len(content) > MAX_TOKEN_FILE:
        raise UnusablePlan(f"--token-file is larger than {MAX_TOKEN_FILE:,} bytes")
    tokens = []
    for number, line in enumerate(content.decode("ascii", "replace").splitlines(), 1):
        token = line.strip()
        if not token or token.startswith("#"):
            continue
        if len(token) > MAX_TOKEN or not _TOKEN.fullmatch(token):
            raise UnusablePlan(f"--token-file: line {number} is no token")
        tokens.append(token)
    if not tokens:
        raise UnusablePlan("--token-file holds no token")
    return tuple(tokens)


def _within(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:  # also when it is no number
        raise UnusablePlan(f"{name} is {least:,g} to {most:,g}")

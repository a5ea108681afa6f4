"""The scenarios: what is measured, in which unit, and who takes part.

Users sit in groups of ``chat_size`` neighbours, chat c consists of group c % groups (see
``load/load.h``), so ``clients``, ``chat_size`` and ``chats`` say all about who hears whom.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Unit = Literal["delivery", "message", "connection", "idle"]

EVERYBODY = ("gogate", "floor", "go", "node", "websockets")
FAN_OUT = ("gogate", "floor", "go")
PAIR = ("gogate", "go")

GROWTH_CONNECTIONS = (10, 100, 1000, 10_000)
GROWTH_CHATS = (1, 100, 1000, 5000)


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One load. Numbers not said are those of a plain fan-out."""

    name: str
    title: str
    work: Literal["message", "typing", "storm", "idle", "incoming"] = "message"
    unit: Unit = "delivery"
    """What the server's CPU is divided by."""
    peers: tuple[str, ...] = FAN_OUT
    clients: int
    chat_size: int
    chats: int = 1
    lanes: int = 1
    """Message streams that are busy at the same time."""
    burst: int = 1
    """Messages of one lane that leave together."""
    sync: bool = False
    """All lanes fire together, when everything of the last time has arrived."""
    rate: float = 0.0
    """Messages a second; 0: the next leaves when everybody has the last one."""
    volley: bool = False
    """At a rate: every sender sends one message at each moment."""
    half_of: str = ""
    """The rate is half of what the slower of gateway and Go reached in that scenario."""
    slow: int = 0
    """Members that never read."""
    delay_ms: int = 0
    """How long the backend takes for an answer."""
    text_bytes: int = 64
    warmup: float = 0.3
    speakers: int = 0
    """Of each group, who take turns in all its chats; 0: each chat has one, and another one."""
    every_chat: bool = False
    """The warm-up lasts until every chat had a message: its members are known by then."""
    seconds: float = 1.0
    """Enough for a cost: tens of thousands of deliveries, five times over. Latency needs more."""
    settle: float = 1.2
    window: int = 64
    """Connections that are being opened at the same time."""

    def shortened(self) -> Scenario:
        """The same at a fraction of the time, for ``--quick``."""
        short = replace(self, seconds=min(self.seconds, 0.8), warmup=0.3, settle=0.7)
        if self.work in {"storm", "idle"}:
            return replace(short, clients=self.clients // 5)
        return short


def _fan_out(size: int, peers: tuple[str, ...] = FAN_OUT) -> Scenario:
    title = f"a message to a chat of {size:,}"
    return Scenario(name=f"fanout-{size}", title=title, clients=size, chat_size=size, peers=peers)


def _typing(size: int) -> Scenario:
    return Scenario(
        name=f"typing-{size}",
        title=f"typing in a chat of {size:,}: fan-out with no backend call",
        work="typing",
        clients=size,
        chat_size=size,
    )


def _send_path(delay_ms: int) -> Scenario:
    return Scenario(
        name=f"send-path-{delay_ms}ms",
        title=f"500 pairs, 500 messages a second, backend takes {delay_ms} ms",
        peers=PAIR,
        clients=1000,
        chat_size=2,
        chats=500,
        lanes=500,
        rate=500,
        delay_ms=delay_ms,
        seconds=1.5,
    )


def _growth_connections(clients: int) -> Scenario:
    size = min(clients, 100)
    return Scenario(
        name=f"growth-connections-{clients}",
        title=f"{clients:,} connections in chats of {size}",
        clients=clients,
        chat_size=size,
        chats=clients // size,
        every_chat=True,
        window=128,
    )


def _growth_chats(chats: int) -> Scenario:
    return Scenario(
        name=f"growth-chats-{chats}",
        title=f"{chats:,} chats of the same 100 connections",
        clients=100,
        chat_size=100,
        chats=chats,
        every_chat=True,
    )


def _speakers(speakers: int, chats: int, title: str) -> Scenario:
    return replace(
        _growth_chats(chats),
        name=f"growth-speakers-{speakers}",
        title=title,
        speakers=speakers,
        peers=("gogate", "floor"),
    )


def _slow(count: int) -> Scenario:
    who = f"{count} of them never read" if count else "everybody reads"
    return Scenario(
        name=f"slow-{count}",
        title=f"a chat of 200, 50 messages of 10 kB a second, {who}",
        peers=PAIR,
        clients=200,
        chat_size=200,
        rate=50,
        text_bytes=10_000,
        slow=count,
        seconds=5.0,
    )


ALL = (
    _fan_out(10),
    _fan_out(100, (*EVERYBODY, "trio", "redis")),
    _fan_out(1000, (*EVERYBODY, "redis")),
    _fan_out(5000),
    Scenario(
        name="quiet-1000",
        title="10 messages a second to a chat of 1,000",
        clients=1000,
        chat_size=1000,
        rate=10,
        seconds=2.5,
    ),
    _typing(1000),
    Scenario(
        name="burst-1000",
        title="16 members of a chat of 1,000 write at once",
        peers=EVERYBODY,
        clients=1000,
        chat_size=1000,
        lanes=16,
        sync=True,
    ),
    Scenario(
        name="flush-1000",
        title="a member sends 16 messages in one write to a chat of 1,000",
        clients=1000,
        chat_size=1000,
        burst=16,
    ),
    Scenario(
        name="typing-burst-1000",
        title="16 members of a chat of 1,000 begin or stop typing at once",
        work="typing",
        clients=1000,
        chat_size=1000,
        lanes=16,
        sync=True,
    ),
    Scenario(
        name="latency-1000",
        title="a chat of 1,000 at half of saturation",
        clients=1000,
        chat_size=1000,
        half_of="fanout-1000",
        peers=PAIR,
        seconds=3.0,
    ),
    Scenario(
        name="pairs",
        title="500 chats of two, 32 messages under way",
        peers=(*EVERYBODY, "trio", "redis", "nodes"),
        clients=1000,
        chat_size=2,
        chats=500,
        lanes=32,
    ),
    _send_path(0),
    _send_path(20),
    _send_path(200),
    Scenario(
        name="incoming",
        title="1,000 clients send one event each, ten times a second; nobody is to hear it",
        work="incoming",
        unit="message",
        peers=("gogate", "bare", "trio", "floor", "go"),
        clients=1000,
        chat_size=1,
        chats=1000,
        lanes=1000,
        rate=10,
        volley=True,
    ),
    Scenario(
        name="storm",
        title="2,000 clients connect and authenticate",
        work="storm",
        unit="connection",
        peers=(*EVERYBODY, "trio"),
        clients=2001,
        chat_size=1,
    ),
    Scenario(
        name="idle",
        title="5,000 authenticated clients say nothing",
        work="idle",
        unit="idle",
        peers=EVERYBODY,
        clients=5001,
        chat_size=1,
    ),
    _slow(0),
    _slow(20),
    Scenario(
        name="processes",
        title="ten chats of 100, a message under way in each, by processes",
        peers=("gogate", "redis", "shared"),
        clients=1000,
        chat_size=100,
        chats=10,
        lanes=10,
    ),
    Scenario(
        name="nodes",
        title="two chats of 500, 80 messages a second, half of the members on each node",
        peers=("gogate", "redis", "nodes"),
        clients=1000,
        chat_size=500,
        chats=2,
        rate=80,
        seconds=1.5,
    ),
    *(_growth_connections(clients) for clients in GROWTH_CONNECTIONS),
    Scenario(
        name="growth-resting-10000",
        title="10,000 connections, of which the same 100 chat",
        peers=("gogate", "floor"),
        clients=10_000,
        chat_size=100,
        window=128,
    ),
    *(_growth_chats(chats) for chats in GROWTH_CHATS),
    _speakers(1, 100, "100 chats of the same 100 connections, of which always the same speaks"),
    _speakers(100, 1, "one chat of 100 connections, which take turns to speak"),
)
"""Every scenario, in the order of the report."""

SMOKE = replace(_typing(500), name="smoke", title="fan-out to 500, for CI", warmup=0.5, seconds=1.5)

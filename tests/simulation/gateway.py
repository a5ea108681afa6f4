"""One life of a node: everything between the wires and the port to the backend, as in ``app``."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import attrs
import trio

from gogate_trio.backend.membership import MembershipCache
from gogate_trio.broker.memory import MemoryBroker
from gogate_trio.caller import Joined, Outcome
from gogate_trio.calls import Calls
from gogate_trio.config import (
    AuthSettings,
    BackendSettings,
    ResumeSettings,
    Secret,
    Settings,
    WebSocketSettings,
)
from gogate_trio.hub import Hub
from gogate_trio.keeper import Keeper
from gogate_trio.metrics import Metrics
from gogate_trio.outbox import Outbox
from gogate_trio.publisher import Publisher
from gogate_trio.resume import Reception
from gogate_trio.router import Router
from gogate_trio.server.connection import Connection, House
from gogate_trio.server.heartbeat import sweep
from gogate_trio.server.listener import Server
from gogate_trio.state.admission import Admission, Caps
from gogate_trio.state.directory import Directory
from gogate_trio.state.history import History, Window, new_epoch
from gogate_trio.state.sessions import Sessions
from gogate_trio.state.throttle import Throttle
from gogate_trio.typing_events import Typists
from simulation.wires import Break, Link

if TYPE_CHECKING:
    from gogate_trio.backend.base import Backend

COMMANDS = ("auth", "send_message", "typing", "add_reaction", "mark_read", "control")
CAPS = Caps(1000, 1000, per_address=0, handshakes=None, spares_loopback=True)

SERVICES = 2
"""tasks of the supervisor's that live as long as the node, beside the hub and the keeper"""


class OrderedSet(dict[Connection, None]):
    """A set in the order of addition: one by address would be another in each run."""

    def add(self, connection: Connection) -> None:
        """Add one."""
        self[connection] = None

    def discard(self, connection: Connection) -> None:
        """Take it out."""
        self.pop(connection, None)


def settings(resume: ResumeSettings) -> Settings:
    """Return settings under which what takes minutes takes seconds."""
    return Settings(
        backend=BackendSettings(url="http://backend", internal_api_key=Secret("key")),
        websocket=WebSocketSettings(
            ping_period=5.0, pong_wait=12.0, write_wait=4.0, auth_timeout=8.0
        ),
        auth=AuthSettings(recheck=60.0, concurrency=2),
        resume=resume,
    )


@attrs.define(eq=False)
class Gateway:
    """A node that runs."""

    house: House
    metrics: Metrics
    sessions: Sessions[Outcome, Joined]
    server: Server
    supervisor: trio.Nursery
    connections: trio.Nursery
    links: list[Link] = attrs.field(factory=list)
    services: int = 0
    """Tasks the supervisor has while nothing happens."""

    def dial(self, link: Link) -> None:
        """Let a client in."""
        self.links = [each for each in self.links if not each.is_over]
        self.links.append(link)
        self.connections.start_soon(self.server.welcome, link.server)

    def kill(self) -> None:
        """End it at once: nobody hears another word of it."""
        for link in self.links:
            link.cut(Break.RESET)
        self.supervisor.cancel_scope.cancel()

    def leaks(self) -> list[str]:
        """Return what is left although nobody is connected any more."""
        held = {
            "connections": len(self.house.connections),
            "tasks of connections": len(self.connections.child_tasks),
            "tasks of the supervisor": len(self.supervisor.child_tasks) - self.services,
            "users in the directory": len(self.house.directory),
            "sockets admitted": self.house.admission.total,
            "sessions with a connection": len(self.sessions._here),
        }
        return [f"{count} {what}" for what, count in held.items() if count]


async def run_gateway(
    backend: Backend,
    resume: ResumeSettings,
    seed: str,
    *,
    task_status: trio.TaskStatus[Gateway] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Run a node until it is killed."""
    conf, metrics = settings(resume), Metrics()
    async with trio.open_nursery() as supervisor, trio.open_nursery() as connections:
        history = History(new_epoch(), Window(resume.window, resume.events, 1 << 20))
        directory, throttle = Directory[Outbox](), Throttle(dict.fromkeys(COMMANDS))
        busy: set[Outbox] = set()
        hub = Hub(directory, history, metrics, busy)
        calls, broker = Calls(supervisor, metrics), MemoryBroker(hub, lambda _: None, metrics)
        membership = MembershipCache(backend, supervisor, ttl=5.0, stale=15.0)
        sessions = Sessions[Outcome, Joined](resume.window)
        reception = Reception(history, sessions, membership, metrics)
        spread = random.Random(seed).uniform
        keeper = Keeper(backend, conf.auth, reception=reception, metrics=metrics, spread=spread)
        publisher = Publisher(membership, broker, supervisor, metrics)
        typists = Typists(membership, broker, supervisor, throttle)
        router = Router(backend, publisher, typists, keeper, throttle, metrics)
        house = House(
            conf,
            router.handle,
            directory,
            Admission(CAPS),
            throttle,
            calls,
            metrics,
            busy=busy,
            connections=OrderedSet(),
            greet=keeper.greet,
            forget=keeper.forget,
        )
        server = Server(house, {}, None)
        services = (keeper.run, hub.run)
        for service in services:
            supervisor.start_soon(service)
        supervisor.start_soon(sweep, house.connections, lambda: conf.websocket)
        gateway = Gateway(house, metrics, sessions, server, supervisor, connections)
        gateway.services = len(supervisor.child_tasks)
        task_status.started(gateway)
        await trio.sleep_forever()

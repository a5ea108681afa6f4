"""What was put off to the end of a turn, when its client is gone by then."""

from __future__ import annotations

import socket
from contextlib import suppress

import attrs
import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from fakes.clients import TEXT, UPGRADE, frame
from fakes.node import within
from fakes.settings import backend_settings
from fakes.turns import crowd
from gogate_trio.calls import Calls
from gogate_trio.config import Settings
from gogate_trio.ids import ConnectionId
from gogate_trio.metrics import Metrics
from gogate_trio.poller import Poller
from gogate_trio.protocol.events import Reconnect
from gogate_trio.protocol.heads import read_plain_head
from gogate_trio.server.connection import Connection
from gogate_trio.server.house import House, Visit
from gogate_trio.server.wire import Wire
from gogate_trio.state.admission import Admission, Caps, Ticket
from gogate_trio.state.directory import Directory
from gogate_trio.state.throttle import Throttle

CAPS = Caps(10, 10, 0, None, spares_loopback=True)


@pytest.fixture
async def house(nursery):
    """One in which every message has an answer."""
    metrics = Metrics()
    return House(
        Settings(backend=backend_settings("http://127.0.0.1:1")),
        lambda connection, _text: connection.reply(Reconnect(1)),
        Directory(),
        Admission(CAPS),
        Throttle({"control": None}),
        Calls(nursery, metrics),
        metrics,
    )


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection with little room; the first does not block."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.socket()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        theirs.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        theirs.connect(listener.getsockname())
        ours, _ = listener.accept()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    ours.setblocking(False)
    return ours, theirs


async def fill(sock: socket.socket) -> None:
    """Send until the kernel takes not one byte more, nor a moment later."""
    taken = -1
    while taken:
        taken = 0
        with suppress(BlockingIOError):
            while True:
                taken += sock.send(bytes(1024))
        # As long as TCP puts off its word on what has come.
        await trio.sleep(0.05)


@attrs.define(eq=False)
class Guest:
    """A client that reads nothing, and its connection."""

    ours: socket.socket
    theirs: socket.socket
    connection: Connection
    scope: trio.CancelScope = attrs.field(factory=trio.CancelScope)
    gone: trio.Event = attrs.field(factory=trio.Event)

    async def live(self, wire: Wire) -> None:
        """Let the connection live, and close as the server does."""
        with self.scope:
            await self.connection.run()
        wire.close()
        self.gone.set()


def invite(house: House, poller: Poller, nursery: trio.Nursery, number: int) -> Guest:
    """Let one come in."""
    ours, theirs = tcp_pair()
    head = read_plain_head(UPGRADE + b"\r\n")
    ticket = house.admission.enter("127.0.0.1", trio.current_time())
    assert head is not None
    assert isinstance(ticket, Ticket)
    wire = Wire(ours, "127.0.0.1", poller)
    guest = Guest(
        ours, theirs, Connection(ConnectionId(number), wire, house, Visit(ticket, head[0]))
    )
    nursery.start_soon(guest.live, wire)
    return guest


@pytest.mark.parametrize("end", ["gone", "cut off"])
async def test_an_answer_without_room_ends_with_its_connection_and_nothing_else_does(
    house, poller, nursery, end
):
    """Nobody begins to write it in a connection that is over. Whose turn is first is chance."""
    guests = [invite(house, poller, nursery, number) for number in range(10)]
    await wait_all_tasks_blocked()
    async with trio.open_nursery() as filling:
        for guest in guests:
            filling.start_soon(fill, guest.ours)
    for guest in guests:
        await crowd()
        if end == "gone":
            guest.theirs.send(frame(TEXT, b"what?"))
            guest.theirs.shutdown(socket.SHUT_WR)
        else:
            guest.connection.reply(Reconnect(1))
            guest.scope.cancel()
        with within():
            await guest.gone.wait()
        guest.theirs.close()

    assert [each.number for each in house.ends] == list(range(10))
    assert not house.busy

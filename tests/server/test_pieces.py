"""A client's bytes mean the same in whatever pieces they come, over a real socket."""

from __future__ import annotations

import socket

import attrs
import trio
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from fakes.clients import UPGRADE, Client
from fakes.frames import chop, frame
from fakes.node import within
from fakes.settings import backend_settings
from gogate_trio.calls import Calls
from gogate_trio.config import Settings, WebSocketSettings
from gogate_trio.ids import ConnectionId
from gogate_trio.metrics import Metrics
from gogate_trio.poller import Poller, open_poller
from gogate_trio.protocol.frames import CLOSE, CONTINUATION, PING, PONG, TEXT
from gogate_trio.protocol.heads import read_plain_head
from gogate_trio.server.connection import Connection
from gogate_trio.server.house import House, Visit
from gogate_trio.server.wire import Wire
from gogate_trio.state.admission import Admission, Caps, Ticket
from gogate_trio.state.directory import Directory
from gogate_trio.state.throttle import Throttle

CAPS = Caps(10, 10, 0, None, spares_loopback=True)
READ_BYTES = 128
"""The least there may be: many reads are full."""

payloads = st.text(max_size=60).map(str.encode)
long_payloads = st.integers(100, 300).map(lambda size: b"x" * size)


@st.composite
def messages(draw):
    """A text in frames, with pings and pongs between them."""
    payload = draw(payloads | long_payloads)
    pieces = chop(payload, draw(st.lists(st.integers(0, 300), max_size=2)))
    sent = b""
    for number, piece in enumerate(pieces):
        sent += b"".join(draw(st.lists(controls, max_size=2)))
        is_last = number == len(pieces) - 1
        sent += frame(TEXT if number == 0 else CONTINUATION, piece, fin=is_last)
    return payload, sent


controls = st.builds(frame, st.sampled_from([PING, PING, PONG]), st.binary(max_size=20))
farewells = st.sampled_from(
    [
        (b"", None),
        (frame(CLOSE, b"\x03\xe8"), 1000),
        (frame(CLOSE, b"\x0f\xa0later") + b"not read", 4000),
        (frame(TEXT, b"\xff"), 1007),
        (frame(TEXT, key=None), 1002),
    ]
)
cuts = st.lists(st.integers(0, 1 << 16), max_size=6)


@attrs.frozen
class Seen:
    """What became of a client's bytes."""

    texts: list[bytes]
    pongs: list[bytes]
    code: int | None


def house_of(texts: list[bytes], calls: Calls, metrics: Metrics) -> House:
    """Return one in which messages are only heard."""
    return House(
        Settings(
            backend=backend_settings("http://127.0.0.1:1"),
            websocket=WebSocketSettings(read_buffer_size=READ_BYTES),
        ),
        lambda _connection, text: texts.append(text),
        Directory(),
        Admission(CAPS),
        Throttle({"control": None}),
        calls,
        metrics,
    )


async def live(poller: Poller, pieces: list[bytes], *, settling: bool, behind: bytes) -> Seen:
    """Let a client send these pieces, then end its side; what was heard and answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        theirs = socket.create_connection(listener.getsockname())
        ours, _ = listener.accept()
    ours.setblocking(False)
    texts: list[bytes] = []
    metrics = Metrics()
    read = read_plain_head(UPGRADE + b"\r\n")
    assert read is not None
    async with trio.open_nursery() as nursery:
        house = house_of(texts, Calls(nursery, metrics), metrics)
        ticket = house.admission.enter("127.0.0.1", trio.current_time())
        assert isinstance(ticket, Ticket)
        wire = Wire(ours, "127.0.0.1", poller)
        connection = Connection(ConnectionId(1), wire, house, Visit(ticket, read[0], behind))

        async def run() -> None:
            await connection.run()
            wire.close()

        nursery.start_soon(run)
        client = Client(trio.SocketStream(trio.socket.from_stdlib_socket(theirs)))
        for piece in pieces:
            if piece:
                theirs.send(piece)
            if settling:
                await wait_all_tasks_blocked()
        await wait_all_tasks_blocked()
        await client.stream.send_eof()
        await client.read_until(b"\r\n\r\n")
        pongs, code = await answers(client)
        await client.stream.aclose()
    assert not metrics.bugs
    assert not poller._sources
    return Seen(texts, pongs, code)


async def answers(client: Client) -> tuple[list[bytes], int | None]:
    """Read to the end; the payloads of the pongs, and the code of the close frame."""
    pongs = []
    while True:
        try:
            got = await client.next_frame()
        except EOFError:
            return pongs, None
        if got.opcode == CLOSE:
            return pongs, int.from_bytes(got.payload[:2])
        assert got.opcode == PONG
        pongs.append(got.payload)


@settings(deadline=None, max_examples=100)
@given(st.lists(messages(), max_size=4), farewells, cuts, st.booleans(), st.booleans())
async def test_whatever_the_pieces_the_same_is_heard_and_answered(
    sent, farewell, places, settling, early
):
    """Texts, fragments, pings and the end, mixed in one read and over many, and behind the head."""
    stream, code = b"".join(data for _, data in sent) + farewell[0], farewell[1]
    pieces = chop(stream, places)
    behind = pieces.pop(0) if early else b""
    async with open_poller() as poller:
        with within():
            seen = await live(poller, pieces, settling=settling, behind=behind)
            whole = await live(poller, [stream], settling=True, behind=b"")

    assert seen.texts == whole.texts == [payload for payload, _ in sent]
    assert seen.code == whole.code == code
    if code is None or code in {1000, 4000}:
        assert seen.pongs == whole.pongs

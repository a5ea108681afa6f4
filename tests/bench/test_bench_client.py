"""Laws of the WebSocket client of ``gogate bench``: how frames come in pieces does not matter."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
import trio
from wsproto import WSConnection
from wsproto.connection import ConnectionType
from wsproto.events import AcceptConnection, CloseConnection, Ping, TextMessage

from gogate_trio.bench.client import MAX_TEXT, open_client
from gogate_trio.bench.plan import read_address

PATIENCE = 20.0


async def hear(say, *, piece=65536):
    """Let a server say something behind its handshake, in pieces; the texts and the close code."""

    async def serve(stream):
        ws = WSConnection(ConnectionType.SERVER)
        async with stream:
            with suppress(trio.BrokenResourceError):
                ws.receive_data(bytes(await stream.receive_some()))
                list(ws.events())
                await stream.send_all(ws.send(AcceptConnection()))
                said = say(ws)
                for at in range(0, len(said), piece):
                    await stream.send_all(said[at : at + piece])
                    await trio.lowlevel.checkpoint()

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        port = listeners[0].socket.getsockname()[1]
        texts = []
        with trio.fail_after(PATIENCE):
            async with open_client(read_address(f"ws://127.0.0.1:{port}")) as client:
                while (some := await client.texts()) is not None:
                    texts += some
        nursery.cancel_scope.cancel()
    return texts, client.close_code


def everything(ws):
    """Texts of every form of a head, a ping, one in three frames, and the end."""
    return (
        ws.send(TextMessage("é" * 3))
        + ws.send(TextMessage("x" * 125))
        + ws.send(Ping(b"?"))
        + ws.send(TextMessage("y" * 126))
        + ws.send(TextMessage("one ", message_finished=False))
        + ws.send(TextMessage("", message_finished=False))
        + ws.send(Ping(b"?"))
        + ws.send(TextMessage("message"))
        + ws.send(TextMessage(""))
        + ws.send(CloseConnection(code=1012))
    )


@pytest.mark.parametrize("piece", [1, 2, 3, 126, 65536])
async def test_frames_arrive_whole_in_whatever_pieces(piece):
    """Every text once and in order, then the close code."""
    texts, code = await hear(everything, piece=piece)

    assert texts == ["ééé", "x" * 125, "y" * 126, "one message", ""]
    assert code == 1012


@pytest.mark.parametrize("size", [65535, 65536, MAX_TEXT])
async def test_a_long_text_arrives_whole(size):
    """Up to the bound, in the longest form of a head too."""
    texts, code = await hear(lambda ws: ws.send(TextMessage("z" * size)))

    assert [len(text) for text in texts] == [size]
    assert code == 1006, "it was cut without a word"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (b"\x81\xff" + struct.pack("!Q", 5), 1002),
        (b"\x81\x85maskhello", 1002),
        (b"\x81\x02\xff\xfe", 1007),
        (b"\x91\x01x", 1002),
        (b"\x81\x7f" + struct.pack("!Q", MAX_TEXT + 1), 1009),
        (b"\x01\x7f" + struct.pack("!Q", MAX_TEXT) + b"x" * MAX_TEXT + b"\x80\x01x", 1009),
    ],
    ids=["masked, long", "masked", "no UTF-8", "reserved bit", "too big", "too big in parts"],
)
async def test_what_no_server_may_say_ends_the_connection(said, code):
    """Without an exception, and without waiting for what was announced."""
    assert await hear(lambda _: said) == ([], code)

"""The gateway's own sockets with a router that does nothing: what it costs to take a message.

Everything up to the decoded command is the gateway's real code: accept, handshake, reading, the
frame guard, the codec. The command is then dropped (``auth`` is answered without asking anybody),
so a message here costs what "from the socket to a command" costs.

    bare.py PORT
"""

from __future__ import annotations

import sys

import trio

from gogate_trio.app import _settle_memory
from gogate_trio.backend.base import User
from gogate_trio.calls import Calls
from gogate_trio.config import WebSocketSettings
from gogate_trio.ids import UserId
from gogate_trio.metrics import Metrics
from gogate_trio.protocol.codec import Refused, decode_command, open_envelope
from gogate_trio.protocol.commands import Auth
from gogate_trio.protocol.events import AuthSuccess
from gogate_trio.server.connection import Connection, House
from gogate_trio.server.listener import Server, open_listener
from gogate_trio.server.pages import PAGES
from gogate_trio.state.directory import Directory


def handle(caller: Connection, text: bytes) -> None:
    """Decode, answer ``auth`` and refusals, drop the rest."""
    try:
        command = decode_command(open_envelope(text))
    except Refused as refused:
        caller.refuse(refused.refusal)
        return
    if isinstance(command, Auth):
        user_id = UserId(int(command.token.removeprefix("user-")))
        caller.reply(AuthSuccess(user_id, "", ""))
        caller.identify(User(user_id, "", "", active=True), command.token)


async def main() -> None:
    """Listen on the port given and serve until ended."""
    metrics = Metrics()
    async with (
        open_listener("127.0.0.1", int(sys.argv[1])) as listener,
        trio.open_nursery() as supervisor,
    ):
        calls = Calls(supervisor, metrics)
        house = House(WebSocketSettings(), handle, Directory(), calls, metrics)
        _settle_memory()
        await trio.serve_listeners(Server(house, PAGES).welcome, [listener])


if __name__ == "__main__":
    trio.run(main)

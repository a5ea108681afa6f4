"""The gateway with a router that drops what it has decoded: what it costs to take a message.

Everything up to the decoded command is the gateway's real code: accept, handshake, reading, the
frame guard, the codec. ``auth`` and what is refused go the usual way, every other command ends
there, so a message here costs what "from the socket to a command" costs. Settings come from the
environment, as for ``gogate serve``.
"""

from __future__ import annotations

import sys

from gogate_trio.cli import main
from gogate_trio.protocol.codec import Refused, decode_command, open_envelope
from gogate_trio.router import Caller, Router

in_full = Router.handle


def handle(router: Router, caller: Caller, text: bytes) -> None:
    """Decode and drop, but for ``auth`` and what is no command."""
    try:
        envelope = open_envelope(text)
        decode_command(envelope)
    except Refused:
        in_full(router, caller, text)
        return
    if envelope.event == "auth":
        in_full(router, caller, text)


if __name__ == "__main__":
    Router.handle = handle
    sys.argv[1:] = ["serve"]
    main()

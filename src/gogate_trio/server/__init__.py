"""The only rooms that touch client sockets.

- ``sockets``: where clients come in, bound here or inherited from systemd.
- ``lastcall``: how they are closed so that nobody who has come is turned away.
- ``listener``: one task per client, drain.
- ``capacity``: how many sockets this process may hold.
- ``wire``: one accepted TCP socket as a trio stream.
- ``tls``: the certificate in force and its successors; ``certificate``: reads and judges one;
  ``tlswire``: a wire with TLS on it.
- ``door``: reads the HTTP head; a page is answered, a WebSocket goes on.
- ``pages``: what the HTTP pages say.
- ``library``: trio-websocket, begun when it is needed; ``transport``: the stream it is handed.
- ``house``: what all connections share.
- ``connection``: one client, from the handshake to the goodbye.
- ``reader``: wire to router.
- ``farewell``: how the last bytes reach a peer.
- ``writer``: outbox to wire.
- ``heartbeat``: pings the silent, hangs up on the dead and the stuck.
"""

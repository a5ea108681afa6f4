"""What goes over the wire, pure: no I/O, no clock, no log.

- ``commands``: what a client may ask for.
- ``events``: what a client is told.
- ``refusals``: the catalogue of error texts and codes.
- ``codec``: JSON text to command, event to JSON text.
- ``frames``: RFC 6455 frames, writing ours.
- ``guard``: RFC 6455 frames, reading theirs.
- ``handshake``: the HTTP head of a request, and whether it may become a WebSocket.
- ``heads``: such a head, read without h11 when it is an ordinary one.
- ``origins``: which web pages may connect.
- ``forwarded``: whose request a proxy brings.
- ``cookies``: authentication by a cookie on that request.
- ``jwt``: what a token says about itself, without believing it.
- ``close``: the catalogue of ends of a connection.
"""

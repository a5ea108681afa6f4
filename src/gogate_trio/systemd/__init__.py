"""What systemd hands to a process, and what it wants to be told.

- ``notify``: one datagram to systemd's socket.
- ``service``: the life of this process: ready, reloading, stopping, its numbers, its pulse.
- ``activation``: sockets that were opened before this process was.

All of it is plain environment, file descriptors and datagrams, so nothing here needs a
running systemd; without one there are no sockets, and telling does nothing.
"""

from gogate_trio.systemd.service import Service

__all__ = ["Service"]

"""GoGate: a WebSocket gateway in front of a chat product's REST backend.

Floors, from the roof down; an import only ever goes down:

- ``cli``, ``app`` and ``assembly``: the commands, the life of a node, and the one place that
  constructs its parts.
- ``server``: the only rooms that touch client sockets; ``internal``: the operator's port.
- ``router`` and ``hub``: what a command does, and who hears of it.
- ``backend`` and ``broker``: the ports to the outside and their adapters.
- ``config``, ``log``, ``metrics``: the edges every room may lean on.
- ``state``: what the gateway knows, pure and synchronous.
- ``protocol``: what goes over the wire, pure.
- ``errors``, ``limits``, ``ids``: the ground.

``demo`` is a guest: an embedded BuzzChat backend and a chat page.
"""

from typing import Final

__version__: Final = "0.1.0"

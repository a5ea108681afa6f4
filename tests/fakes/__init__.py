"""Stand-ins for the world around the gateway, on real loopback sockets.

- ``backend``: a scriptable REST backend in both dialects.
- ``desk``, ``http``: its answers and its HTTP side.
- ``hostile``: a backend that answers with the bytes it is told to, however wrong.
"""

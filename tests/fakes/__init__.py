"""Stand-ins for the world around the gateway, on real loopback sockets.

- ``backend``: a scriptable REST backend in both dialects.
- ``desk``, ``http``: its answers and its HTTP side.
- ``clients``: a WebSocket client that may say anything, byte by byte.
- ``strangers``: a catalogue of hostile ones.
- ``crowd``: two hundred friendly ones.
- ``node``, ``process``: the gateway itself, in the test or as a process of its own.
- ``leaks``: what a process holds: tasks, files, memory.
- ``hostile``: a backend that answers with the bytes it is told to, however wrong.
"""

"""The way to the REST backend: the only room that speaks HTTP to it.

- ``base``: the port, in the gateway's own words.
- ``rest``: the port over HTTP; ``open_backend`` is the door, and its docstring the error table.
- ``exchange``: one bounded HTTP exchange: slots, deadline, size, what was sent.
- ``dialects``: what we write, in the dialect the backend speaks.
- ``reading``: what we read, tolerant of either.
- ``membership``: the remembered member lists.
- ``inquiry``: whose a token is, and whether it still is.
"""

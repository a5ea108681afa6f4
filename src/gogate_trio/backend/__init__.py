"""The way to the REST backend: the only room that speaks HTTP to it.

- ``base``: the port, in the gateway's own words.
- ``rest``: the port over HTTP; ``open_backend`` is the door.
- ``judging``: what each way a call can end means; its docstring is the error table.
- ``requests``: what we write, each call's path, headers and body; ``dialects``: its names.
- ``reading``: what we read, tolerant of either dialect.
- ``gate``: may a call go now: slots, the queue for them, the circuit breaker.
- ``exchange``: one bounded HTTP exchange: deadline, size, what was sent.
- ``transport``: kept-alive connections; ``conversation``: HTTP on one; ``plain``: the answers that
  need no h11; ``pipe``: its bytes.
- ``membership``: the remembered member lists; ``inquiry``: whose a token is.
"""

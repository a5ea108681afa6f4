"""A whole gateway and its clients in one trio loop, without sockets and without waiting.

Time is trio's autojump clock, the network is memory, the backend a model; what goes wrong,
and in which order tasks run, is drawn from a seed. So a day of bad luck takes a minute, and
each seed gives the same story twice.

- ``wires``: connections in memory that stall, break in the middle of a frame, or go silent.
- ``model``: the backend, which fails in all the ways that backends do.
- ``gateway``: one life of a node, from its start until it is killed.
- ``visit``: one connection, as its client sees it.
- ``people``: clients; some know only the guide, some resume and repeat.
- ``world``: puts them together and makes things go wrong.
- ``chronicle``: what has happened, in order.
- ``checker``: what may not have happened.
- ``mutations``: gateways that are broken on purpose; the checker must catch each.
- ``run``: seeds by the thousand, for ``nox -s simulate``.
"""

"""How a publication reaches the hub of every node.

- ``base``: the port, and what a publication is.
- ``memory``: one node: straight back to its own hub.
- ``opening``: which of them a node has.
- ``redis``: several nodes: one stream in Redis; alone while it is away. Its parts: ``scripts``,
  what Redis does in one step; ``outgoing``, what a node has under way; ``sending``; ``stream``
  and ``reading``; ``intake``, what an entry holds; ``telling``, what becomes of it on a node;
  ``ephemeral``, the channel.
- ``packing``, ``audiences``: publications as bytes.
- ``once``: which keys have been published lately.
- ``mourning``: that nodes are lost, said on the stream.
"""

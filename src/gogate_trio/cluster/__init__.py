"""What the nodes of one gateway share, by way of one Redis.

- ``link``: one node's calls to Redis, each with a deadline; whether Redis is there.
- ``base``: what the house asks of the other nodes.
- ``company``: the next three put together, where a node is not alone.
- ``registry``: this node among the others: its sign of life, its users, who may come in;
  ``entering``: one who waits for that.
- ``rates``: the rates of a user over all nodes.
- ``survey``: which nodes there are, and who is on them.
- ``scripts``: what Redis does for these; ``replies``: its answers, read with care.
- ``wire``: one connection, for one task at a time.
- ``vigil``: who is gone without a goodbye.
- ``dialling``: where Redis is now, sentinels asked, and the way to it.
"""

"""What the nodes of one gateway share, by way of one Redis.

- ``link``: one node's calls to Redis, each with a deadline; whether Redis is there.
- ``wire``: one connection, for one task at a time.
- ``dialling``: where Redis is now, sentinels asked, and the way to it.
"""

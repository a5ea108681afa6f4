"""What the gateway knows, pure and synchronous; time is an argument.

- ``admission``: may this socket come in.
- ``breaker``: whether a call to the backend may go now.
- ``directory``: who is connected, and where.
- ``messages``: which chat a message is in.
- ``ratelimit``: how often something may happen.
- ``throttle``: the pace of commands.
- ``tokens``: the tokens in use, and what is due for each.
"""

"""What the gateway knows, pure and synchronous; time is an argument.

- ``directory``: who is connected, and where.
- ``messages``: which chat a message is in.
"""

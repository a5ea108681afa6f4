"""How a publication reaches the hub of every node.

- ``base``: the port, and what a publication is.
- ``memory``: one node: straight back to its own hub.
- ``once``: which keys have been published lately.
"""

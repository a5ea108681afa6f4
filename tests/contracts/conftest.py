"""What the tests of this room share: see ``fakes.settings``."""

from fakes.settings import transport

__all__ = ["transport"]

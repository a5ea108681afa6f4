"""Python's garbage collector while tests run: what lives through the session is not its business.

A pytest plugin that ``conftest.py`` lets in. Thousands of collected tests are a quarter of a
gigabyte; a node that settles its memory, as a daemon does once, would walk over all of it in
every test that starts one.
"""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from gogate_trio import app

if TYPE_CHECKING:
    import pytest

settle_memory = app._settle_memory
"""What a node in a process of its own does."""


def pytest_configure(config: pytest.Config) -> None:
    """Keep nodes in this process from tuning the collector for a daemon's life."""
    app._settle_memory = lambda: None
    config.add_cleanup(lambda: setattr(app, "_settle_memory", settle_memory))


def pytest_collection_finish() -> None:
    """Let the collector pass over the tests and all that they have imported."""
    gc.collect()
    gc.freeze()

"""What the tests of the log share."""

from __future__ import annotations

import pytest

from fakes.logged import restored


@pytest.fixture(autouse=True)
def _restored():
    """Begin with no line said, and leave no trace."""
    with restored():
        yield

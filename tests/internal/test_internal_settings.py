"""Whether the internal port is on, and where."""

from __future__ import annotations

import pytest

from gogate_trio.config.internal import OrOff
from gogate_trio.config.kinds import Whole
from gogate_trio.config.problems import Unusable

PORT = OrOff(Whole(0, 65535))


@pytest.mark.parametrize(
    ("text", "value"), [("off", None), ("OFF", None), ("0", 0), ("9090", 9090)]
)
def test_a_port_or_the_word(text, value):
    """``off`` in whatever case, or a number; what is shown reads back as the same."""
    assert PORT.parse(text) == value
    assert PORT.parse(PORT.show(value)) == value


@pytest.mark.parametrize("text", ["", "on", "none", "65536", "-1", "9090 "])
def test_anything_else_is_refused(text):
    """Nothing is guessed."""
    with pytest.raises(Unusable):
        PORT.parse(text)

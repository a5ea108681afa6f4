"""``gogate nodes``: what is printed of whatever nodes there are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from gogate_trio import listing
from gogate_trio.internal.api.shapes import Nodes, NodeShown
from gogate_trio.listing import show_nodes

STARTED = datetime(2026, 11, 23, 18, 0, tzinfo=UTC)


class Asked:
    """A node that knows one other."""

    def ask(self, method, path, shape):
        """Answer as the internal API does."""
        assert (method, path, shape) == ("GET", "/nodes", Nodes)
        return Nodes(
            [
                NodeShown("a1", "alpha", "1.2", STARTED, 10, 4, "serving", here=True),
                NodeShown("b2", "be[b]ta", "1.3", STARTED, 0, 0, "draining", here=False),
            ]
        )


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        ({"seconds": -5}, "0s"),
        ({"seconds": 59}, "59s"),
        ({"seconds": 61}, "1m 1s"),
        ({"minutes": 125}, "2h 5m"),
        ({"days": 3, "hours": 2}, "3d 2h"),
    ],
)
def test_each_node_is_a_line(capsys, monkeypatch, passed, text):
    """The one that was asked is marked; a name with brackets is shown as it is."""

    class Clock(datetime):
        @classmethod
        def now(cls, _zone):
            return STARTED + timedelta(**passed)

    monkeypatch.setattr(listing, "datetime", Clock)

    show_nodes(Asked(), as_json=False)

    first, second = capsys.readouterr().out.splitlines()
    assert first.split() == ["alpha", "*", "serving", "1.2", *text.split(), "10", "4", "a1"]
    assert second.split() == ["be[b]ta", "draining", "1.3", *text.split(), "0", "0", "b2"]


def test_as_json_it_is_a_list(capsys):
    """For scripts: every field, under the names of the internal API."""
    show_nodes(Asked(), as_json=True)

    shown = msgspec.json.decode(capsys.readouterr().out)
    assert [node["name"] for node in shown] == ["alpha", "be[b]ta"]
    assert shown[0]["here"] is True

"""Laws of when a node may say that it owes the others nothing."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from gogate_trio.assembly import Node


@pytest.mark.parametrize(
    ("is_settled", "backlog", "owes_gap", "owes_nobody"),
    [
        (True, 0, False, True),
        (False, 0, False, False),
        (True, 1, False, False),
        (True, 0, True, False),
    ],
)
def test_a_node_owes_nobody_when_all_is_told_or_said_to_be_lost(
    is_settled, backlog, owes_gap, owes_nobody
):
    """Here and on the others: what they can neither have nor know of is owed."""
    statistics = SimpleNamespace(backlog=backlog, owes_gap=owes_gap)
    node = SimpleNamespace(
        is_settled=is_settled, broker=SimpleNamespace(statistics=lambda: statistics)
    )

    assert Node.owes_nobody.fget(node) is owes_nobody


def test_a_node_that_is_alone_owes_nobody_anything():
    """There are no others."""
    alone = SimpleNamespace(is_settled=True, broker=SimpleNamespace(statistics=lambda: None))

    assert Node.owes_nobody.fget(alone)

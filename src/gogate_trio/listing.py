"""``gogate nodes``: all gateways of a chat, as one of them knows them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec

from gogate_trio.console import show_table
from gogate_trio.internal.api.shapes import Nodes, NodeShown

if TYPE_CHECKING:
    from gogate_trio.remote import Remote


def show_nodes(remote: Remote, *, as_json: bool) -> None:
    """Print the nodes, the one that is asked first. Raises ``OperatorError``."""
    answer = remote.ask("GET", "/nodes", Nodes)
    if as_json:
        text = msgspec.json.format(msgspec.json.encode(answer.nodes), indent=2)
        sys.stdout.write(f"{text.decode()}\n")
        return
    now = datetime.now(UTC)
    columns = ("node", "state", "version", "up for", "connections", "users", "id")
    show_table(columns, [_row(node, now) for node in answer.nodes])


def _row(node: NodeShown, now: datetime) -> tuple[str, ...]:
    return (
        f"{node.name} *" if node.here else node.name,
        node.state,
        node.version,
        # Two machines' clocks may differ by more than a node is old.
        _span(max(0, round((now - node.started).total_seconds()))),
        str(node.connections),
        str(node.users),
        node.id,
    )


def _span(seconds: int) -> str:
    """Return a time in its two largest units."""
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {seconds}s" if minutes else f"{seconds}s"

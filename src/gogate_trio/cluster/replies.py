"""What scripts answer, read with care: what is no usable answer is an outage, never a bug."""

from __future__ import annotations

from collections.abc import Sequence

from gogate_trio.cluster.wire import Reply
from gogate_trio.errors import ClusterUnavailable


def ms(seconds: float) -> int:
    """Return seconds as Redis counts them."""
    return round(seconds * 1000)


def items(reply: Reply, count: int | None = None) -> Sequence[Reply]:
    """Return the items of a list; just so many, if that is said."""
    if not isinstance(reply, list) or (count is not None and len(reply) != count):
        raise ClusterUnavailable("no usable answer")
    return reply


def number(reply: Reply) -> int:
    """Return a number."""
    if not isinstance(reply, int):
        raise ClusterUnavailable("no usable answer")
    return reply


def text(reply: Reply) -> str:
    """Return a text."""
    if not isinstance(reply, bytes):
        raise ClusterUnavailable("no usable answer")
    return reply.decode(errors="replace")

"""Finds an operation by method and path. Paths are compared, never interpreted."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import attrs
import msgspec

from gogate_trio.ids import MAX_ID
from gogate_trio.internal.api.asked import Asked
from gogate_trio.internal.api.problems import INVALID_PARAMETER, NOT_ALLOWED, NOT_FOUND, Problem
from gogate_trio.internal.api.rooms import Rooms

PREFIX: Final = "/api/internal/v1"

_ID: Final = re.compile(r"[1-9][0-9]{0,18}")


Perform = Callable[[Rooms, Asked], Awaitable[msgspec.Struct | msgspec.Raw]]
"""Does it, and returns the answer. Raises ``Refused``."""


@attrs.frozen(kw_only=True)
class Operation:
    """One thing that can be asked for."""

    name: str
    """Its name in the OpenAPI document and in the metrics."""
    method: str
    path: str
    """Behind the prefix; ``{x_id}`` stands for an id."""
    summary: str
    about: str
    """What a caller must know, whole sentences."""
    perform: Perform = attrs.field(repr=False)
    answer: type[msgspec.Struct]
    body: type[msgspec.Struct] | None = None
    """None: it has no body, or nobody looks at it."""
    body_is_required: bool = True
    query: type[msgspec.Struct] | None = None
    takes_key: bool = False
    """Whether an ``Idempotency-Key`` means anything to it."""
    problems: tuple[Problem, ...] = ()
    """Beside those that any operation may end with."""
    status: int = 200

    @property
    def id_names(self) -> list[str]:
        """The names of the ids in the path."""
        return re.findall(r"\{([a-z_]+)\}", self.path)


@attrs.frozen
class Found:
    """An operation, and the ids in the path."""

    operation: Operation
    ids: dict[str, int]


@attrs.frozen
class Missed:
    """Why there is none."""

    problem: Problem
    field: str | None = None


def find(operations: Sequence[Operation], method: str, path: str) -> Found | Missed:
    """Return the operation that a method and a path (without the prefix) name, or why none."""
    parts = path.split("/")
    here = [each for each in operations if _fits(each.path.split("/"), parts)]
    if not here:
        return Missed(NOT_FOUND)
    for operation in here:
        if method == operation.method or (method, operation.method) == ("HEAD", "GET"):
            return _with_ids(operation, parts)
    methods = [each.method for each in here]
    allow = ", ".join(["HEAD"] * ("GET" in methods) + methods)
    return Missed(attrs.evolve(NOT_ALLOWED, headers=(("Allow", allow),)))


def _fits(template: list[str], parts: list[str]) -> bool:
    return len(template) == len(parts) and all(
        wanted == part or (wanted.startswith("{") and part)
        for wanted, part in zip(template, parts, strict=True)
    )


def _with_ids(operation: Operation, parts: list[str]) -> Found | Missed:
    ids = {}
    for wanted, part in zip(operation.path.split("/"), parts, strict=True):
        if not wanted.startswith("{"):
            continue
        name = wanted.strip("{}")
        if not _ID.fullmatch(part) or int(part) > MAX_ID:
            return Missed(INVALID_PARAMETER, f"path.{name}")
        ids[name] = int(part)
    return Found(operation, ids)

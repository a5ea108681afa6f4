"""The table of operations as an OpenAPI 3.1 document, and the operation that serves it.

``python -m gogate_trio.internal.api.openapi FILE`` brings the document in a file up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import trio

from gogate_trio import __version__
from gogate_trio.ids import MAX_ID
from gogate_trio.internal.api import problems
from gogate_trio.internal.api.asked import Asked
from gogate_trio.internal.api.operations import OPERATIONS
from gogate_trio.internal.api.problems import ErrorAnswer, Problem
from gogate_trio.internal.api.rooms import Rooms
from gogate_trio.internal.api.routing import PREFIX, Operation
from gogate_trio.internal.api.shapes import AUDIENCES, Nothing, Publish
from gogate_trio.limits import IDEMPOTENCY_KEY_CHARACTERS

Node = dict[str, object]

_ABOUT: Final = (
    "What the backend and an operator ask of GoGate, on the internal port. What changes something"
    " reaches every node. Errors are `{error, code}`, with the field that is at fault where there"
    " is one; texts may change, codes never do."
)
_ANY: Final = (problems.UNAUTHORIZED, problems.INVALID_PARAMETER, problems.BUSY, problems.TOO_SLOW)
_ANY_WITH_BODY: Final = (
    *(problems.INVALID_JSON, problems.INVALID_BODY, problems.TIMED_OUT),
    *(problems.BODY_TOO_LARGE, problems.NO_JSON),
)
_IDEMPOTENCY_KEY: Final[Node] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any name of your own for this publication.",
    "schema": {"type": "string", "pattern": f"^[!-~]{{1,{IDEMPOTENCY_KEY_CHARACTERS}}}$"},
}


def document(operations: Sequence[Operation] = OPERATIONS) -> bytes:
    """Return the document of these operations."""
    shapes = [each.answer for each in operations]
    shapes += [each.body for each in operations if each.body]
    shapes += [each.query for each in operations if each.query]
    _, components = msgspec.json.schema_components(
        [*dict.fromkeys(shapes), Nothing, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    paths: dict[str, Node] = {}
    for each in operations:
        paths.setdefault(PREFIX + each.path, {})[each.method.lower()] = _operation(each, components)
    # What msgspec cannot say of a struct: exactly one of two fields.
    components[Publish.__name__] |= AUDIENCES
    used = {each for each in components if each not in _queries(operations)}
    whole = {
        "openapi": "3.1.0",
        "info": {
            "title": "GoGate internal API",
            "version": __version__,
            "description": _ABOUT,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-Internal-API-Key"}
            },
            "schemas": {name: components[name] for name in sorted(used)},
        },
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def with_document(operations: Sequence[Operation]) -> tuple[Operation, ...]:
    """Return the operations and one more: to ask for their document."""
    text = msgspec.Raw(document(operations))

    async def show(_rooms: Rooms, _asked: Asked) -> msgspec.Raw:
        await trio.lowlevel.checkpoint()
        return text

    own = Operation(
        name="openapi",
        method="GET",
        path="/openapi.json",
        summary="This document",
        about="",
        perform=show,
        answer=Nothing,
    )
    return (*operations, own)


def _operation(operation: Operation, components: dict[str, dict[str, object]]) -> Node:
    found: Node = {
        "operationId": operation.name,
        "summary": operation.summary,
        "description": operation.about,
        "parameters": [
            *(_id_in_path(name) for name in operation.id_names),
            *(_parameters(operation.query, components) if operation.query else ()),
            *([_IDEMPOTENCY_KEY] if operation.takes_key else ()),
        ],
        "responses": {
            str(operation.status): _response(
                str(components[operation.answer.__name__]["description"]), operation.answer
            ),
            **_refusals(operation),
        },
    }
    if operation.body:
        found["requestBody"] = {
            "required": operation.body_is_required,
            "content": {"application/json": {"schema": _ref(operation.body)}},
        }
    return found


def _id_in_path(name: str) -> Node:
    schema = {"type": "integer", "minimum": 1, "maximum": MAX_ID}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameters(
    query: type[msgspec.Struct], components: dict[str, dict[str, object]]
) -> list[Node]:
    shape = components[query.__name__]
    properties, required = shape["properties"], shape.get("required", [])
    assert isinstance(properties, dict)  # noqa: S101 - for the type checker
    assert isinstance(required, list)  # noqa: S101 - for the type checker
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in properties.items()
    ]


def _refusals(operation: Operation) -> dict[str, Node]:
    possible: list[Problem] = [*_ANY, *operation.problems]
    if operation.body:
        possible += _ANY_WITH_BODY
    by_status: dict[str, list[Problem]] = {}
    for problem in possible:
        by_status.setdefault(str(problem.status), []).append(problem)
    return {
        status: _response(
            " ".join(f"`{one.code}`: {one.text}" for one in by_status[status]), ErrorAnswer
        )
        for status in sorted(by_status)
    }


def _response(about: str, shape: type[msgspec.Struct]) -> Node:
    return {"description": about, "content": {"application/json": {"schema": _ref(shape)}}}


def _ref(shape: type[msgspec.Struct]) -> Node:
    return {"$ref": f"#/components/schemas/{shape.__name__}"}


def _queries(operations: Sequence[Operation]) -> set[str]:
    """Return the names of shapes that are parameters, and so are no components."""
    return {each.query.__name__ for each in operations if each.query} | {Nothing.__name__}


if __name__ == "__main__":
    for file in sys.argv[1:]:
        Path(file).write_bytes(document())

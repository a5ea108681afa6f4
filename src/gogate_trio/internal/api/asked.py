"""One request as an operation sees it: parameters and a body, checked when they are read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, TypeVar
from urllib.parse import parse_qsl

import attrs
import msgspec

from gogate_trio.internal.api.problems import (
    INVALID_BODY,
    INVALID_JSON,
    INVALID_PARAMETER,
    Refused,
)

S = TypeVar("S", bound=msgspec.Struct)

_PARAMETERS: Final = 16
"""parameters of a query that are looked at; no operation has more than a few"""

_PLACE: Final = re.compile(r" - at `(\$[^`]*)`$")
_OWN_WORDS: Final = ("Expected ", "Object missing required field ")
"""How msgspec begins when it speaks of our schema; all else may quote the request."""

UNREADABLE: Final = (ValueError, RecursionError)
"""What msgspec raises: its own errors and those of UTF-8 and endless numbers are ValueErrors."""


@attrs.frozen
class Asked:
    """One request."""

    ids: Mapping[str, int]
    """The ids in the path, by name: each from 1 to ``MAX_ID``."""
    query: bytes = b""
    body: bytes = attrs.field(default=b"", repr=False)
    key: str | None = attrs.field(default=None, repr=False)
    """The ``Idempotency-Key``."""
    trace: str | None = None
    """The caller's ``traceparent``, if its trace is kept."""

    def read_body(self, shape: type[S]) -> S:
        """Return the body. Raises ``Refused``."""
        try:
            self.body.decode()
            return msgspec.json.decode(self.body, type=shape)
        except msgspec.ValidationError as error:
            raise _refused(error, "$") from None
        except UNREADABLE:
            raise Refused(INVALID_JSON) from None

    def read_query(self, shape: type[S]) -> S:
        """Return the parameters behind the question mark. Raises ``Refused``."""
        try:
            pairs = parse_qsl(
                self.query.decode("ascii"),
                keep_blank_values=True,
                strict_parsing=bool(self.query),
                errors="strict",
                max_num_fields=_PARAMETERS,
            )
        except ValueError:
            raise Refused(INVALID_PARAMETER, field="query") from None
        given = dict(pairs)
        if len(given) != len(pairs):
            raise Refused(INVALID_PARAMETER, field="query", expected="each parameter once")
        try:
            return msgspec.convert(given, shape, strict=False)
        except msgspec.ValidationError as error:
            refused = _refused(error, "query")
            raise Refused(
                INVALID_PARAMETER, field=refused.field, expected=refused.expected
            ) from None


def _refused(error: msgspec.ValidationError, root: str) -> Refused:
    """Say which field is at fault and what it should be, in words of our schema alone."""
    text = str(error)
    place = _PLACE.search(text)
    field = place[1].replace("$", root, 1) if place else root
    expected = text[: place.start()] if place else text
    if not expected.startswith(_OWN_WORDS):
        expected = "nothing that the schema does not name"
    return Refused(INVALID_BODY, field=field, expected=expected)

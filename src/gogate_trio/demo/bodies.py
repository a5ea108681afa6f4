"""What a request must look like before anything is looked up: values out of JSON and paths."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from gogate_trio.demo.records import Draft
from gogate_trio.demo.refusal import BAD_REQUEST, NOT_FOUND, Refused
from gogate_trio.ids import MAX_ID, ChatId, MessageId
from gogate_trio.limits import ATTACHMENTS, EMOJI_CHARACTERS, READ_BATCH

if TYPE_CHECKING:
    from starlette.requests import Request

    from gogate_trio.demo.dialects import Dialect

Body = dict[str, object]

TEXT_CHARACTERS: Final = 4000
"""characters of one message's text."""

HISTORY_LIMIT: Final = 50
"""messages in a page of history when the request names no number."""

HISTORY_LIMIT_MOST: Final = 100
"""messages in a page of history at most."""

MAX_DIGITS: Final = 19
"""digits of ``MAX_ID``: longer numbers are not even read."""

IDEMPOTENCY_KEY_CHARACTERS: Final = 200
"""characters of an Idempotency-Key: a UUID has 36."""


async def body_object(request: Request) -> Body:
    """The request's JSON object. ``Refused`` (400) when it is anything else."""
    try:
        document: object = json.loads(await request.body())
    except (ValueError, RecursionError):
        raise Refused(BAD_REQUEST, "Invalid JSON") from None
    if not isinstance(document, dict):
        raise Refused(BAD_REQUEST, "A JSON object is expected")
    return document


def required_id(body: Body, field: str) -> int:
    """A whole number from 1 to ``MAX_ID``; ``true`` is none."""
    value = body.get(field)
    if type(value) is not int or not 1 <= value <= MAX_ID:
        raise _invalid(field, "must be a positive integer")
    return value


def text(body: Body, field: str, *, most: int) -> str:
    """A string of 1 to ``most`` characters that are not all blank."""
    value = body.get(field)
    if not isinstance(value, str) or not value.strip():
        raise _invalid(field, "must not be blank")
    if len(value) > most:
        raise _invalid(field, f"must have at most {most} characters")
    _require_unicode(value, field)
    return value


def ids(body: Body, field: str, *, most: int) -> tuple[int, ...]:
    """A list of 1 to ``most`` ids, each only once."""
    value = body.get(field)
    if not isinstance(value, list) or not 1 <= len(value) <= most:
        raise _invalid(field, f"must be a list of 1 to {most} ids")
    found = (required_id({field: item}, field) for item in value)
    return tuple(dict.fromkeys(found))


def draft(body: Body, dialect: Dialect) -> Draft:
    """The message of a ``POST /messages``: a text, or attachments, or both."""
    chat_id = ChatId(required_id(body, dialect.chat_id_field))
    attachment_ids: tuple[int, ...] = ()
    if body.get(dialect.attachment_ids_field):
        attachment_ids = ids(body, dialect.attachment_ids_field, most=ATTACHMENTS)
    wanted: str | None = None
    if not attachment_ids or body.get(dialect.text_field):
        wanted = text(body, dialect.text_field, most=TEXT_CHARACTERS)
    reply_to_id = None
    if body.get(dialect.reply_to_id_field) is not None:
        reply_to_id = MessageId(required_id(body, dialect.reply_to_id_field))
    return Draft(chat_id, wanted, reply_to_id, attachment_ids)


def emoji(body: Body) -> str:
    """The emoji of a reaction."""
    return text(body, "emoji", most=EMOJI_CHARACTERS)


def read_ids(body: Body, dialect: Dialect) -> tuple[MessageId, ...]:
    """The messages of a ``POST /messages/read``."""
    return tuple(map(MessageId, ids(body, dialect.message_ids_field, most=READ_BATCH)))


def path_id(request: Request, name: str) -> int:
    """An id out of the path. ``Refused`` (404) when it is none: nothing lives there."""
    found = _number(str(request.path_params[name]))
    if found is None:
        raise Refused(NOT_FOUND, "Not found")
    return found


def history_window(request: Request) -> tuple[MessageId | None, int]:
    """The ``before`` and ``limit`` of a page of history."""
    before = limit = None
    if "before" in request.query_params:
        before = _number(request.query_params["before"])
        if before is None:
            raise _invalid("before", "must be a message id")
    if "limit" in request.query_params:
        limit = _number(request.query_params["limit"])
        if limit is None or limit > HISTORY_LIMIT_MOST:
            raise _invalid("limit", f"must be 1 to {HISTORY_LIMIT_MOST}")
    return None if before is None else MessageId(before), limit or HISTORY_LIMIT


def idempotency_key(request: Request) -> str | None:
    """The request's ``Idempotency-Key``, if it has one."""
    key = request.headers.get("idempotency-key")
    if key is None:
        return None
    if not 1 <= len(key) <= IDEMPOTENCY_KEY_CHARACTERS:
        raise Refused(BAD_REQUEST, "Invalid Idempotency-Key")
    return key


def _number(digits: str) -> int | None:
    """What the decimal digits say, if it is an id."""
    if not digits.isascii() or not digits.isdigit() or len(digits) > MAX_DIGITS:
        return None
    number = int(digits)
    return number if 1 <= number <= MAX_ID else None


def _require_unicode(value: str, field: str) -> None:
    """JSON can spell half a surrogate pair; no database and no reader can hold one."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise _invalid(field, "must be valid Unicode") from None


def _invalid(field: str, fault: str) -> Refused:
    return Refused(BAD_REQUEST, f"Validation failed: {field} {fault}", details={field: fault})

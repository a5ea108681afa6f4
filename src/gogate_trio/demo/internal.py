"""The endpoints only the gateway may call, with the key it shares with the backend."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse
from starlette.routing import Route

from gogate_trio.demo import bodies, directory
from gogate_trio.demo.refusal import BAD_REQUEST, FORBIDDEN, UNAUTHORIZED, Refused
from gogate_trio.ids import ChatId

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gogate_trio.demo.dialects import Dialect
    from gogate_trio.demo.store import Store
    from gogate_trio.demo.tokens import Tokens


class Internal:
    """``/api/internal/v1``."""

    def __init__(self, store: Store, *, tokens: Tokens, dialect: Dialect, key: str) -> None:
        """Take what the endpoints work with."""
        self._store = store
        self._tokens = tokens
        self._dialect = dialect
        self._key = key.encode()

    def routes(self) -> list[Route]:
        """Where the endpoints are."""
        return [
            Route("/auth/validate", self.validate, methods=["POST"]),
            Route("/chats/{chat_id}/members", self.members, methods=["GET"]),
        ]

    async def validate(self, request: Request) -> Response:
        """Whose token this is: 400 without one, 401 for a bad one, 403 for a suspended user."""
        self._require_key(request)
        token = (await bodies.body_object(request)).get("token")
        if not isinstance(token, str) or not token:
            raise Refused(BAD_REQUEST, "Token is required")
        user_id = self._tokens.verify(token)
        person = await self._store.run(directory.person, user_id)
        if person is None:
            raise Refused(UNAUTHORIZED, "User not found")
        if not person.active:
            raise Refused(FORBIDDEN, "User is inactive")
        return JSONResponse({"valid": True, "user": self._dialect.user(person)})

    async def members(self, request: Request) -> Response:
        """Everybody in a chat."""
        self._require_key(request)
        chat_id = ChatId(bodies.path_id(request, "chat_id"))
        people = await self._store.run(directory.members, chat_id)
        shown = [self._dialect.member(person) for person in people]
        return JSONResponse({"chat_id": chat_id, "members": shown})

    def _require_key(self, request: Request) -> None:
        # In constant time: the time of a refusal must not tell how much of a guess was right.
        given = request.headers.get("x-internal-api-key", "").encode("latin-1")
        if not hmac.compare_digest(given, self._key):
            raise Refused(UNAUTHORIZED, "Invalid internal API key")

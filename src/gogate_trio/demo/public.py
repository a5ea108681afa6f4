"""The endpoints users call, through the gateway or from the page, each with their own token."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gogate_trio.demo import bodies, directory, messages, reading
from gogate_trio.demo.dialects import message_response, named
from gogate_trio.demo.refusal import FORBIDDEN, UNAUTHORIZED, Refused
from gogate_trio.ids import ChatId, MessageId

if TYPE_CHECKING:
    import sqlite3

    from starlette.requests import Request

    from gogate_trio.demo.dialects import Dialect, Json
    from gogate_trio.demo.records import ChatEntry, Draft
    from gogate_trio.demo.store import Store
    from gogate_trio.demo.tokens import Tokens
    from gogate_trio.ids import UserId


class Public:
    """``/api/v1``."""

    def __init__(self, store: Store, *, tokens: Tokens, dialect: Dialect) -> None:
        """Take what the endpoints work with."""
        self._store = store
        self._tokens = tokens
        self._dialect = dialect

    def routes(self) -> list[Route]:
        """Where the endpoints are."""
        return [
            Route("/messages", self.send, methods=["POST"]),
            Route("/messages/read", self.read, methods=["POST"]),
            Route("/messages/{message_id}/reactions", self.react, methods=["POST"]),
            Route("/chats", self.chats, methods=["GET"]),
            Route("/chats/{chat_id}/messages", self.history, methods=["GET"]),
        ]

    async def send(self, request: Request) -> Response:
        """Store a message: 201, or 200 and the first answer again under a known key."""
        user_id = await self._user(request)
        draft = bodies.draft(await bodies.body_object(request), self._dialect)
        key = bodies.idempotency_key(request)
        body, status = await self._store.run(self._send_once, user_id, draft, key=key)
        return Response(body, status_code=status, media_type="application/json")

    async def react(self, request: Request) -> Response:
        """Put an emoji on a message: 201, or 200 when it was there already."""
        user_id = await self._user(request)
        message_id = MessageId(bodies.path_id(request, "message_id"))
        emoji = bodies.emoji(await bodies.body_object(request))
        chat_id, added = await self._store.run(
            messages.add_reaction, user_id, message_id, emoji=emoji
        )
        answer = self._dialect.confirmation("Reaction added", {chat_id})
        return JSONResponse(answer, status_code=201 if added else 200)

    async def read(self, request: Request) -> Response:
        """Note that messages were read."""
        user_id = await self._user(request)
        message_ids = bodies.read_ids(await bodies.body_object(request), self._dialect)
        chat_ids = await self._store.run(messages.mark_read, user_id, message_ids)
        return JSONResponse(self._dialect.confirmation("Messages marked as read", chat_ids))

    async def chats(self, request: Request) -> Response:
        """The user's chats, the latest first."""
        user_id = await self._user(request)
        entries = await self._store.run(reading.chat_list, user_id)
        return JSONResponse({"chats": [self._entry(entry) for entry in entries]})

    async def history(self, request: Request) -> Response:
        """A page of a chat's messages, oldest first."""
        user_id = await self._user(request)
        chat_id = ChatId(bodies.path_id(request, "chat_id"))
        before, limit = bodies.history_window(request)
        page = await self._store.run(reading.history, user_id, chat_id, before=before, limit=limit)
        shown = [message_response(self._dialect, message) for message in page.messages]
        return JSONResponse({"messages": shown, "has_more": page.has_more})

    async def _user(self, request: Request) -> UserId:
        """Who asks. ``Refused``: 401 for nobody we know, 403 for a suspended user."""
        user_id = self._tokens.verify(_token(request))
        person = await self._store.run(directory.person, user_id)
        if person is None:
            raise Refused(UNAUTHORIZED, "Invalid token")
        if not person.active:
            raise Refused(FORBIDDEN, "User is inactive")
        return user_id

    def _send_once(
        self, db: sqlite3.Connection, user_id: UserId, draft: Draft, *, key: str | None
    ) -> tuple[str, int]:
        """Store the message and remember its answer, or find the answer: one transaction."""
        if key is not None:
            earlier = messages.earlier_answer(db, user_id, key)
            if earlier is not None:
                return earlier, 200
        message_id = messages.store_message(db, user_id, draft)
        stored = reading.message(db, message_id)
        body = _compact(message_response(self._dialect, stored))
        if key is not None:
            messages.keep_answer(db, user_id, key, body=body)
        return body, 201

    def _entry(self, entry: ChatEntry) -> Json:
        last = entry.last_message
        return {
            "id": entry.chat_id,
            "type": entry.kind,
            "name": entry.name,
            "peer": None if entry.peer is None else named(entry.peer),
            "member_count": entry.member_count,
            "unread_count": entry.unread_count,
            "first_unread_id": entry.first_unread_id,
            "last_message": None if last is None else message_response(self._dialect, last),
        }


def _token(request: Request) -> str:
    """The bearer token, or the cookie's where no Authorization header is sent at all."""
    header = request.headers.get("authorization")
    if header is None:
        token = request.cookies.get("access_token", "")
    else:
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            token = ""
    if not token:
        raise Refused(UNAUTHORIZED, "Authentication required")
    return token.strip()


def _compact(document: Json) -> str:
    """As ``JSONResponse`` writes it."""
    return json.dumps(document, ensure_ascii=False, separators=(",", ":"))

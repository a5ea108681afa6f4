"""What only a demo has: a token for the asking, whom to be, and the seeded files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gogate_trio.demo import bodies, directory, messages
from gogate_trio.demo.refusal import NOT_FOUND, Refused
from gogate_trio.ids import UserId

if TYPE_CHECKING:
    from starlette.requests import Request

    from gogate_trio.demo.store import Store
    from gogate_trio.demo.tokens import Tokens


class Playground:
    """``/api/v1/demo``."""

    def __init__(self, store: Store, *, tokens: Tokens) -> None:
        """Take what the endpoints work with."""
        self._store = store
        self._tokens = tokens

    def routes(self) -> list[Route]:
        """Where the endpoints are."""
        return [
            Route("/tokens", self.token, methods=["POST"]),
            Route("/users", self.users, methods=["GET"]),
            Route("/files/{attachment_id}", self.file, methods=["GET"]),
        ]

    async def token(self, request: Request) -> Response:
        """A token for anybody, suspended or not: both kinds are worth trying."""
        user_id = UserId(bodies.required_id(await bodies.body_object(request), "user_id"))
        person = await self._store.run(directory.person, user_id)
        if person is None:
            raise Refused(NOT_FOUND, "User not found")
        return JSONResponse({"token": self._tokens.issue(person)})

    async def users(self, request: Request) -> Response:
        """Whom one can be on the page."""
        del request
        people = await self._store.run(directory.cast)
        shown = [
            {"id": one.user_id, "name": one.name, "title": one.title, "is_active": one.active}
            for one in people
        ]
        return JSONResponse({"users": shown})

    async def file(self, request: Request) -> Response:
        """An attachment's bytes. Without a token, as an ``<img>`` cannot send one."""
        attachment_id = bodies.path_id(request, "attachment_id")
        found = await self._store.run(messages.attachment_content, attachment_id)
        if found is None:
            raise Refused(NOT_FOUND, "Attachment not found")
        file_name, file_type, content = found
        headers = {
            "Content-Disposition": f'inline; filename="{file_name}"',
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "max-age=86400",
        }
        return Response(content, media_type=file_type, headers=headers)

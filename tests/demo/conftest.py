"""The embedded backend, really served on a port of its own, and clients for it."""

from __future__ import annotations

from functools import partial

import attrs
import httpx
import pytest
import trio

from gogate_trio.demo.backend import serve
from gogate_trio.demo.store import open_store

KEY = "a-key-of-the-tests"

FIELDS = {
    "guide": {
        "chat_id": "chatId",
        "text": "text",
        "reply_to_id": "replyToId",
        "attachment_ids": "attachmentIds",
        "message_ids": "messageIds",
    },
    "symfony": {
        "chat_id": "chat_id",
        "text": "content",
        "reply_to_id": "reply_to_id",
        "attachment_ids": "attachment_ids",
        "message_ids": "message_ids",
    },
}


@attrs.frozen
class Api:
    """What the tests call the backend with."""

    http: httpx.AsyncClient
    dialect: str

    async def token(self, user_id):
        """A token of this user, as the page gets one."""
        answer = await self.http.post("/api/v1/demo/tokens", json={"user_id": user_id})
        assert answer.status_code == 200
        return answer.json()["token"]

    async def as_user(self, user_id):
        """The headers of a request in the name of this user."""
        return {"Authorization": f"Bearer {await self.token(user_id)}"}

    async def send(self, user_id, *, headers=(), **fields):
        """POST a message; the fields are named as in the database."""
        return await self.http.post(
            "/api/v1/messages",
            json=self.body(fields),
            headers={**await self.as_user(user_id), **dict(headers)},
        )

    async def react(self, user_id, message_id, *, emoji):
        """POST a reaction."""
        return await self.http.post(
            f"/api/v1/messages/{message_id}/reactions",
            json={"emoji": emoji},
            headers=await self.as_user(user_id),
        )

    async def read(self, user_id, message_ids):
        """POST a read receipt."""
        return await self.http.post(
            "/api/v1/messages/read",
            json=self.body({"message_ids": message_ids}),
            headers=await self.as_user(user_id),
        )

    async def history(self, user_id, chat_id, query=""):
        """GET a page of history."""
        return await self.http.get(
            f"/api/v1/chats/{chat_id}/messages{query}", headers=await self.as_user(user_id)
        )

    async def chats(self, user_id):
        """The entries of the user's chat list."""
        answer = await self.http.get("/api/v1/chats", headers=await self.as_user(user_id))
        return answer.json()["chats"]

    async def internal(self, method, path, *, key=KEY, **request):
        """Call an internal endpoint, with the key unless told otherwise."""
        headers = {} if key is None else {"X-Internal-API-Key": key}
        return await self.http.request(
            method, f"/api/internal/v1{path}", headers=headers, **request
        )

    def body(self, fields):
        """The fields under their names in this dialect."""
        return {FIELDS[self.dialect][name]: value for name, value in fields.items()}

    def public_error(self, text, /, **details):
        """What a public endpoint says no with in this dialect."""
        shown = {"error" if self.dialect == "guide" else "message": text}
        return {**shown, "details": details} if details else shown


@pytest.fixture
def store():
    """A store in memory, freshly seeded."""
    with open_store(None) as opened:
        yield opened


@pytest.fixture(params=["guide", "symfony"])
def dialect(request):
    """Every law holds in both dialects."""
    return request.param


@pytest.fixture
async def api(store, dialect):
    """A client of the backend, served in the dialect."""
    async with trio.open_nursery() as serving:
        url = await serving.start(
            partial(
                serve,
                store,
                dialect=dialect,
                internal_api_key=KEY,
                origins={"http://127.0.0.1:8080"},
            )
        )
        async with httpx.AsyncClient(base_url=url, verify=False) as http:
            yield Api(http, dialect)
        serving.cancel_scope.cancel()

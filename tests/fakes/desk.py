"""What the fake backend answers: the five endpoints in the shapes of either dialect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import attrs

from fakes.http import Call, Endpoint, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from fakes.backend import FakeBackend


@attrs.frozen
class FakeUser:
    """A person the fake backend knows."""

    user_id: int
    first_name: str
    last_name: str
    phone: str
    active: bool = True

    @property
    def name(self) -> str:
        """The name every event should show."""
        return f"{self.first_name} {self.last_name}"


class _Refused(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status, self.text = status, text


@attrs.frozen
class Desk:
    """Answers one call as the dialect's real backend would."""

    backend: FakeBackend
    call: Call

    def answer(self) -> Reply:
        """Do what the call asks; refusals come in the dialect's error shape."""
        desks: dict[Endpoint, Callable[[], Reply]] = {
            "validate": self._validate,
            "members": self._members,
            "send_message": self._send_message,
            "add_reaction": self._add_reaction,
            "mark_read": self._mark_read,
        }
        desk = desks.get(self.call.endpoint)
        if desk is None:
            return self.backend.error(self.call, 404, "No route found")
        try:
            return desk()
        except _Refused as refused:
            return self.backend.error(self.call, refused.status, refused.text)

    @property
    def _symfony(self) -> bool:
        return self.backend.dialect == "symfony"

    def _id(self) -> int:
        found = re.search(r"/(\d+)/", self.call.path)
        assert found is not None
        return int(found[1])

    def _check_key(self) -> None:
        if self.call.headers.get("x-internal-api-key") != self.backend.key:
            raise _Refused(401, "Invalid API key")

    def _caller(self) -> FakeUser:
        scheme, _, token = self.call.headers.get("authorization", "").partition(" ")
        user = self._user_of(token) if scheme == "Bearer" else None
        if user is None:
            raise _Refused(401, "Invalid JWT Token")
        return user

    def _user_of(self, token: str) -> FakeUser | None:
        found = re.fullmatch(r"token-(\d+)", token)
        user_id = int(found[1]) if found else self.backend.tokens.get(token, 0)
        return self.backend.users.get(user_id)

    def _person(self, user: FakeUser, id_key: str) -> dict[str, Any]:
        if not self._symfony:
            return {id_key: user.user_id, "name": user.name}
        return {
            "id": user.user_id,
            "email": f"user{user.user_id}@example.com",
            "phone": user.phone,
            "first_name": user.first_name,
            "last_name": user.last_name,
            "full_name": user.name,
            "roles": ["ROLE_USER"],
            "is_active": user.active,
        }

    def _validate(self) -> Reply:
        self._check_key()
        token = self.call.json.get("token")
        if not token:
            raise _Refused(400, "Token is required")
        user = self._user_of(token)
        if user is None:
            raise _Refused(401, "Invalid token")
        if not user.active:
            raise _Refused(403, "User is inactive")
        person = self._person(user, "id")
        if not self._symfony:
            person |= {"phone": user.phone, "active": user.active}
        return Reply(200, {"valid": True, "user": person})

    def _members(self) -> Reply:
        self._check_key()
        chat_id = self._id()
        if chat_id not in self.backend.chats:
            raise _Refused(404, "Chat not found")
        users = [self.backend.users[user_id] for user_id in self.backend.chats[chat_id]]
        people = [self._person(user, "user_id") for user in users]
        return Reply(200, {"chat_id": chat_id, "members": people})

    def _send_message(self) -> Reply:
        user, body = self._caller(), self.call.json
        chat_id = body["chat_id" if self._symfony else "chatId"]
        text = body["content" if self._symfony else "text"]
        reply_to = body.get("reply_to_id" if self._symfony else "replyToId")
        attached = "attachment_ids" if self._symfony else "attachmentIds"
        if user.user_id not in self.backend.chats.get(chat_id, ()):
            raise _Refused(403, "You are not a member of this chat")
        if not text.strip():
            raise _Refused(422, "Message is empty")
        message_id = len(self.backend.messages) + 1
        stored = self.backend.messages[message_id] = {
            "id": message_id,
            "chat_id": chat_id,
            "user": {"id": user.user_id, "name": user.name},
            "type": "text",
            "text": text,
            "reply_to": self._quoted(reply_to),
            "attachments": [self._attachment(each) for each in body.get(attached, ())],
            "reactions": [],
            "read_count": 0,
            "mentions": None,
            "created_at": "2026-01-02T03:04:05+00:00",
            "edited_at": None,
            "is_edited": False,
        }
        return Reply(201, stored)

    def _quoted(self, message_id: int | None) -> dict[str, Any] | None:
        quoted = self.backend.messages.get(message_id or 0)
        return quoted and {key: quoted[key] for key in ("id", "user", "text", "type")}

    def _attachment(self, attachment_id: int) -> dict[str, Any]:
        return {
            "id": attachment_id,
            "file_url": f"https://files.example.com/{attachment_id}",
            "file_name": f"{attachment_id}.txt",
            "file_size": 12,
            "file_type": "text/plain",
            "thumbnail_url": None,
        }

    def _add_reaction(self) -> Reply:
        self._caller()
        return self._confirm(201, [self._id()], "Reaction added")

    def _mark_read(self) -> Reply:
        self._caller()
        key = "message_ids" if self._symfony else "messageIds"
        return self._confirm(200, self.call.json[key], "Messages marked as read")

    def _confirm(self, status: int, message_ids: list[int], text: str) -> Reply:
        if missing := [each for each in message_ids if each not in self.backend.messages]:
            raise _Refused(404, f"Message not found: {missing[0]}")
        chat = {"chat_id": self.backend.messages[message_ids[0]]["chat_id"]}
        extra = chat if self.backend.confirm_chat else {}
        return Reply(status, {"success": True, "message": text, **extra})

"""The Python peer: the ``websockets`` library on asyncio, with its ``broadcast``.

Store the message, fetch the members, broadcast to their connections. The backend is asked
through a small keep-alive client of its own, leaner than any HTTP library: to its advantage.

    websockets_server.py PORT BACKEND_URL KEY
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections import defaultdict
from http import HTTPStatus
from urllib.parse import urlsplit

from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed


class Backend:
    """Calls to the REST backend over kept-alive connections, at most 256 at a time."""

    def __init__(self, url: str, key: str) -> None:
        address = urlsplit(url)
        self.host, self.port, self.key = address.hostname, address.port, key
        self.idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.slots = asyncio.Semaphore(256)

    async def call(self, method: str, path: str, token: str | None, body: object = None) -> bytes:
        """The body of a good answer."""
        who = f"Authorization: Bearer {token}" if token else f"X-Internal-API-Key: {self.key}"
        content = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n{who}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        )
        async with self.slots:
            if self.idle:
                reader, writer = self.idle.pop()
            else:
                reader, writer = await asyncio.open_connection(self.host, self.port)
            writer.write(head.encode() + content)
            answer = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
            length = int(answer.lower().split("content-length:")[1].split("\r\n")[0])
            content = await reader.readexactly(length)
            self.idle.append((reader, writer))
        if int(answer.split()[1]) >= 300:
            raise RuntimeError("the backend refused")
        return content

    async def members(self, chat: int) -> list[int]:
        """The users in a chat."""
        answer = await self.call("GET", f"/api/internal/v1/chats/{chat}/members", None)
        return [member["user_id"] for member in json.loads(answer)["members"]]


class Gateway:
    """Who is connected, and what to do with what they say."""

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        self.users: dict[int, set[ServerConnection]] = defaultdict(set)

    def tell(self, members: list[int], besides: int, event: str, data: object) -> None:
        """Send one event to all connections of all members but one."""
        message = json.dumps({"event": event, "data": data})
        users = self.users
        broadcast([ws for member in members if member != besides for ws in users[member]], message)

    async def talk(self, ws: ServerConnection) -> None:
        """Serve one connection to its end."""
        user: dict = {}
        try:
            async for text in ws:
                said = json.loads(text)
                await self.command(ws, user, said["event"], said["data"])
        except ConnectionClosed:
            pass
        finally:
            if user:
                self.users[user["id"]].discard(ws)

    async def command(self, ws: ServerConnection, user: dict, event: str, data: dict) -> None:
        """Do what one event asks for."""
        if event == "auth":
            path = "/api/internal/v1/auth/validate"
            answer = json.loads(await self.backend.call("POST", path, None, data))
            user.update(answer["user"], token=data["token"])
            self.users[user["id"]].add(ws)
            told = {"user_id": user["id"], "name": user["name"], "phone": user["phone"]}
            await ws.send(json.dumps({"event": "auth_success", "data": told}))
        elif event == "send_message":
            body = {"chatId": data["chat_id"], "text": data["text"]}
            stored = await self.backend.call("POST", "/api/v1/messages", user["token"], body)
            members = await self.backend.members(data["chat_id"])
            self.tell(members, 0, "new_message", json.loads(stored))
        elif event == "typing":
            members = await self.backend.members(data["chat_id"])
            told = {**data, "user_id": user["id"], "name": user["name"]}
            self.tell(members, user["id"], "user_typing", told)
        else:
            refusal = {"message": "Unknown event type"}
            await ws.send(json.dumps({"event": "error", "data": refusal}))


def health(ws: ServerConnection, request: object) -> object:
    """Answer /health; everything else goes on to the handshake."""
    if request.path == "/health":
        return ws.respond(HTTPStatus.OK, '{"status":"ok","service":"websockets-peer"}')
    return None


async def main() -> None:
    """Listen on the port given and serve until ended."""
    port, url, key = sys.argv[1:]
    gateway = Gateway(Backend(url, key))
    options = {"compression": None, "max_size": 512000, "backlog": 4096, "process_request": health}
    async with serve(gateway.talk, "127.0.0.1", int(port), **options) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())

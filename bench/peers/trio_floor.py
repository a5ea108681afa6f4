"""The trio floor: what trio's tasks and sockets cost, and nothing else.

The floor's work, done the way trio means it: a task for every connection that waits for its
socket, and for every message one POST to the backend over a kept-alive connection. No HTTP
library, no deadline, no check, no queue: what the gateway takes beyond this is its own.

    trio_floor.py PORT USERS CHAT_SIZE BACKEND_URL
"""

from __future__ import annotations

import json
import socket
import sys
from collections import deque
from urllib.parse import urlsplit

import trio
from floor import Client, Floor, text_frame


class Backend:
    """Stores messages; asks nothing about the answer but where it ends."""

    def __init__(self, url: str) -> None:
        address = urlsplit(url)
        self.place = (address.hostname, address.port)
        self.idle: deque[trio.socket.SocketType] = deque()

    async def store(self, user: int, chat: int, text: str) -> bytes:
        """The message as the backend has it, in JSON."""
        content = json.dumps({"chatId": chat, "text": text}).encode()
        head = (
            f"POST /api/v1/messages HTTP/1.1\r\nHost: {self.place[0]}:{self.place[1]}\r\n"
            f"Authorization: Bearer user-{user}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        sock = self.idle.pop() if self.idle else await self.connected()
        await sock.send(head.encode() + content)
        answer = await sock.recv(65536)
        while not _is_whole(answer):
            answer += await sock.recv(65536)
        self.idle.append(sock)
        return answer.partition(b"\r\n\r\n")[2]

    async def connected(self) -> trio.socket.SocketType:
        """One more connection."""
        sock = trio.socket.socket()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await sock.connect(self.place)
        return sock


def _is_whole(answer: bytes) -> bool:
    head, end, body = answer.partition(b"\r\n\r\n")
    if not end:
        return False
    return len(body) >= int(head.partition(b"Content-Length: ")[2].split(b"\r\n")[0])


class TrioFloor(Floor):
    """The floor's clients, a task for each."""

    def __init__(self, users: int, chat_size: int, backend: Backend) -> None:
        super().__init__(users, chat_size)
        self.backend = backend

    async def listen(self, port: int) -> None:
        """Accept for ever."""
        with trio.socket.from_stdlib_socket(_listening(port)) as listener:
            async with trio.open_nursery() as connections:
                while True:
                    sock, _ = await listener.accept()
                    connections.start_soon(self.talk, sock)

    async def talk(self, sock: trio.socket.SocketType) -> None:
        """Read one client to its end; what it is told is sent past trio, as the floor does."""
        bare = socket.socket(fileno=sock.detach())
        bare.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        client = Client(bare)
        with trio.socket.from_stdlib_socket(bare) as reading:
            try:
                while chunk := await reading.recv(65536):
                    for said in self.said(client, chunk):
                        if said["event"] == "send_message":
                            await self.stored(client.user, said["data"])
                        else:
                            self.command(client, said)
            except ConnectionResetError:
                pass

    async def stored(self, user: int, data: dict) -> None:
        """Have the message stored, and tell every member what the backend says it is."""
        body = await self.backend.store(user, data["chat_id"], data["text"])
        frame = text_frame(b'{"event":"new_message","data":' + body + b"}")
        self.fan_out(self.members[(data["chat_id"] - 1) % self.groups].values(), frame)


def _listening(port: int) -> socket.socket:
    return socket.create_server(("127.0.0.1", port), backlog=4096)


def main() -> None:
    """Listen on the port given and serve until ended."""
    port, users, chat_size = (int(text) for text in sys.argv[1:4])
    trio.run(TrioFloor(users, chat_size, Backend(sys.argv[4])).listen, port)


if __name__ == "__main__":
    main()

"""The floor: what the kernel and a bare Python loop cost, and nothing else.

One epoll loop over non-blocking sockets. It speaks just enough of the contract to be driven by
the load generator, and knows users and members by the fake backend's rule instead of asking it.
A message is read, its frame made once, and sent in a bare loop to the members' sockets. No
backend call, no queue, no deadline, no check: nothing that does the job can be cheaper in Python.

    floor.py PORT USERS CHAT_SIZE
"""

from __future__ import annotations

import base64
import hashlib
import json
import select
import socket
import struct
import sys
from itertools import count
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ACCEPT_SUFFIX = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


def text_frame(payload: bytes) -> bytes:
    """One unmasked, unfragmented text frame."""
    if len(payload) < 126:
        return bytes((0x81, len(payload))) + payload
    return b"\x81\x7e" + struct.pack("!H", len(payload)) + payload


def unmasked(buffer: bytes) -> tuple[bytes | None, int]:
    """The payload of the first whole frame, and how many bytes it took (0: not whole yet)."""
    if len(buffer) < 6:
        return None, 0
    head, size = 6, buffer[1] & 0x7F
    if size == 126:
        head, size = 8, int.from_bytes(buffer[2:4])
    if len(buffer) < head + size:
        return None, 0
    mask = buffer[head - 4 : head] * (size // 4 + 1)
    plain = int.from_bytes(buffer[head : head + size]) ^ int.from_bytes(mask[:size])
    return plain.to_bytes(size), head + size


class Client:
    """One accepted socket and what it has not said in full yet."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.buffer = b""
        self.upgraded = False
        self.user = 0


class Floor:
    """All clients, and the loop over them."""

    def __init__(self, users: int, chat_size: int) -> None:
        self.chat_size = chat_size
        self.groups = users // chat_size
        self.members: list[dict[int, socket.socket]] = [{} for _ in range(self.groups)]
        self.ids = count(1)

    def serve(self, listener: socket.socket) -> None:
        """Accept and read for ever."""
        poll = select.epoll()
        poll.register(listener, select.EPOLLIN)
        clients: dict[int, Client] = {}
        while True:
            for fd, _ in poll.poll():
                if fd != listener.fileno():
                    if not self.readable(clients[fd]):
                        poll.unregister(fd)
                        clients.pop(fd).sock.close()
                    continue
                sock, _ = listener.accept()
                sock.setblocking(False)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                clients[sock.fileno()] = Client(sock)
                poll.register(sock, select.EPOLLIN)

    def readable(self, client: Client) -> bool:
        """Take what has come; False when the client is gone."""
        try:
            chunk = client.sock.recv(65536)
        except ConnectionResetError:
            return False
        if not chunk:
            return False
        for said in self.said(client, chunk):
            self.command(client, said)
        return True

    def said(self, client: Client, chunk: bytes) -> Iterator[dict]:
        """The events that are whole now; the opening handshake is answered here."""
        client.buffer += chunk
        if not client.upgraded:
            self.upgrade(client)
            return
        while True:
            payload, taken = unmasked(client.buffer)
            if payload is None:
                return
            client.buffer = client.buffer[taken:]
            yield json.loads(payload)

    def upgrade(self, client: Client) -> None:
        """Answer the opening handshake, or a look at /health."""
        head, end, rest = client.buffer.partition(b"\r\n\r\n")
        if not end:
            return
        client.buffer = rest
        if b"Sec-WebSocket-Key: " not in head:
            client.sock.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            return
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        accept = base64.b64encode(hashlib.sha1(key + ACCEPT_SUFFIX).digest())
        client.sock.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )
        client.upgraded = True

    def command(self, client: Client, said: dict) -> None:
        """Do what one event asks for."""
        event, data = said["event"], said["data"]
        if event == "auth":
            user = client.user = int(data["token"].removeprefix("user-"))
            self.members[(user - 1) // self.chat_size][user] = client.sock
            self.reply(client, "auth_success", user_id=user, name=f"User {user}", phone="")
        elif event == "send_message":
            self.message(client.user, data)
        elif event == "typing":
            self.typing(client.user, data)
        else:
            self.reply(client, "error", message="Unknown event type")

    def reply(self, client: Client, event: str, **data: object) -> None:
        """Tell one client."""
        client.sock.send(text_frame(json.dumps({"event": event, "data": data}).encode()))

    def message(self, user: int, data: dict) -> None:
        """Tell every member what the backend would have stored: the same bytes but the id."""
        body = {
            "id": next(self.ids),
            "chat_id": data["chat_id"],
            "user": {"id": user, "name": f"User {user}"},
            "type": "text",
            "text": data["text"],
            "reply_to": None,
            "attachments": [],
            "reactions": [],
            "read_count": 0,
            "mentions": None,
            "created_at": "2026-01-01T12:00:00+00:00",
            "edited_at": None,
            "is_edited": False,
        }
        event = {"event": "new_message", "data": body}
        frame = text_frame(json.dumps(event, separators=(",", ":")).encode())
        self.fan_out(self.members[(data["chat_id"] - 1) % self.groups].values(), frame)

    def typing(self, user: int, data: dict) -> None:
        """Tell every member but the sender; for nobody nothing is made."""
        if self.chat_size == 1:
            return
        body = {
            "chat_id": data["chat_id"],
            "user_id": user,
            "name": f"User {user}",
            "is_typing": data["is_typing"],
        }
        event = {"event": "user_typing", "data": body}
        frame = text_frame(json.dumps(event, separators=(",", ":")).encode())
        members = self.members[(data["chat_id"] - 1) % self.groups]
        self.fan_out([sock for member, sock in members.items() if member != user], frame)

    def fan_out(self, members: Iterable[socket.socket], frame: bytes) -> None:
        """The bare loop."""
        for sock in members:
            sock.send(frame)


def main() -> None:
    """Listen on the port given and serve until ended."""
    port, users, chat_size = (int(text) for text in sys.argv[1:])
    listener = socket.create_server(("127.0.0.1", port), backlog=4096)
    Floor(users, chat_size).serve(listener)


if __name__ == "__main__":
    main()

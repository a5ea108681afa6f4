"""What a fuzzer starts from: bytes that are nearly right, made in code."""

from __future__ import annotations

import msgspec

from fakes.clients import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, UPGRADE, frame

_EXTRA = (
    b"",
    b"Origin: https://chat.example\r\n",
    b"Origin: http://gateway.example:3000\r\n",
    b"Origin: null\r\nOrigin: https://[::1]:8080\r\n",
    b"X-Forwarded-For: 203.0.113.7, 10.0.0.1, 2001:db8::1\r\n",
    b"Origin: https://a.chat.example\r\nCookie: a=b; access_token=x.y.z; access_token=\r\n",
    b"Content-Length: 0\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Sec-WebSocket-Protocol: caf\xc3\xa9\r\n",
)

_HANDSHAKES = (
    *(UPGRADE + extra + b"\r\n" for extra in _EXTRA),
    UPGRADE.replace(b"gateway.example", b"[::1]:8080") + b"\r\n" + frame(TEXT, b"{}"),
    b"GET /health HTTP/1.0\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x00\xc6\x01\x00\x00\xc2\x03\x03",
    b"GET /ws HTTP/1.1\r\n folded: line\r\n\r\n",
)

_FRAMES = (
    frame(TEXT, b'{"event":"auth"}') + frame(PING, b"?") + frame(CLOSE, b"\x03\xe8bye"),
    frame(TEXT, b"a", fin=False) + frame(PONG) + frame(CONTINUATION, "€".encode()),
    frame(TEXT, b"\xe2\x82", fin=False) + frame(CONTINUATION, b"\xac"),
    frame(TEXT, b"x" * 126) + frame(TEXT, b"y" * 1999) + frame(TEXT, b"z" * 2001),
    frame(BINARY, b"\x00"),
    frame(TEXT, b"", size=65_536),
    frame(TEXT, b"", size=1 << 62),
    frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) * 300,
    frame(0x3) + frame(0xB) + frame(TEXT | 0x40, b"x"),
    frame(TEXT, b"plain", masked=False),
    frame(CLOSE, b"\x03\xed") + frame(CLOSE),
)

_COMMANDS = (
    {"event": "auth", "data": {"token": "aaa.eyJleHAiOjF9.bbb", "notices": True}},
    {"event": "auth", "data": {"token": "x", "resume": {"session": "s", "position": "1.2"}}},
    {"event": "send_message", "id": "7", "data": {"chat_id": 1, "text": "é€😀\n"}},
    {
        "event": "send_message",
        "data": {"chat_id": 1, "text": "", "reply_to_id": 2, "attachment_ids": [1, 2]},
    },
    {"event": "typing", "data": {"chat_id": 1, "is_typing": True}},
    {"event": "add_reaction", "data": {"message_id": 1, "emoji": "👍"}},
    {"event": "mark_read", "data": {"message_ids": [1, 2, 3]}},
    {"event": "resume", "data": {"session": "s", "position": "1.2"}},
    {"event": "typing", "data": None},
    {"event": 1, "data": []},
    [],
)

_TEXTS = (
    *map(msgspec.json.encode, _COMMANDS),
    b'{"event":"typing","data":{"chat_id":' + b"9" * 5000 + b',"is_typing":true}}',
    b'{"event":"typing","data":{"chat_id":1e0,"is_typing":true}}',
    b'{"event":"send_message","data":{"chat_id":1,"text":"\\ud800"}}',
    b'{"event":"auth","data":' + b"[" * 2000,
    b'{"event":"auth","event":"typing","data":{}}',
)

SEEDS: dict[str, tuple[bytes, ...]] = {
    "handshake": _HANDSHAKES,
    # The first byte says into what pieces the rest is cut.
    "frames": tuple(bytes((3,)) + each for each in _FRAMES),
    "commands": _TEXTS,
    # The first byte says what comes behind it: a connection's bytes, frames, or a message.
    "node": (
        *(b"\x00" + each for each in _HANDSHAKES),
        *(b"\x01" + each for each in _FRAMES),
        *(b"\x02" + each for each in _TEXTS),
    ),
}
"""Target → its seeds."""

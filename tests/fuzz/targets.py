"""What is fuzzed: functions of any bytes that raise when an outcome is not a documented one.

- ``handshake``: the bytes of a new connection, up to the answer.
- ``frames``: the bytes behind a handshake, through the guard and what reads behind it.
- ``commands``: the text of a message, up to the command or the error event.
- ``node``: any of these on a real socket of a whole gateway.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import h11
import msgspec
from wsproto.frame_protocol import FrameProtocol, Opcode

from gogate_trio.config.allowances import NetworkKind, OriginKind
from gogate_trio.ids import MAX_ID
from gogate_trio.limits import (
    ATTACHMENTS,
    EMOJI_CHARACTERS,
    PRESENCE_CHATS,
    READ_BATCH,
    TOKEN_BYTES,
)
from gogate_trio.protocol import close, refusals
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.codec import Refused, decode_command, encode_event, open_envelope
from gogate_trio.protocol.commands import AddReaction, Auth, MarkRead, SendMessage, Typing
from gogate_trio.protocol.cookies import auth_of
from gogate_trio.protocol.events import Error
from gogate_trio.protocol.forwarded import client_address
from gogate_trio.protocol.frames import echo_of
from gogate_trio.protocol.guard import FrameGuard, Handover
from gogate_trio.protocol.handshake import Head, Status, acceptance, fault_of_upgrade
from gogate_trio.protocol.jwt import expiry
from gogate_trio.protocol.origins import OriginPolicy
from gogate_trio.server.door import read_head
from gogate_trio.server.pages import PAGES, Page, find, render

if TYPE_CHECKING:
    from gogate_trio.protocol.commands import Command

MAX_MESSAGE = 2000
"""bytes: small, so that the limit is within a fuzzer's reach"""
STATUSES = {400, 403, 404, 405, 408, 413, 426, 431, 503}
ENDS = {close.PROTOCOL_ERROR, close.BINARY, close.BAD_UTF8, close.TOO_BIG, close.TOO_MANY_FRAGMENTS}
REFUSALS = {each.code for each in vars(refusals).values() if isinstance(each, refusals.Refusal)}
POLICIES = (
    OriginPolicy(),
    OriginPolicy((OriginKind().parse("https://*.chat.example"),)),
    OriginPolicy(any_origin=True, missing=False),
)
PROXIES = (NetworkKind().parse("10.0.0.0/8"), NetworkKind().parse("2001:db8::/32"))


# ── handshake ────────────────────────────────────────────────────────────────


class Chopped:
    """A stream that has its bytes ready, in pieces. Never waits."""

    def __init__(self, data: bytes, size: int) -> None:
        self._pieces = [data[at : at + size] for at in range(0, len(data), size)]

    async def receive_some(self, max_bytes: int | None = None) -> bytes:  # noqa: ARG002
        """The next piece; empty at the end."""
        return self._pieces.pop(0) if self._pieces else b""


def at_once(awaitable):
    """The result of something that never waits."""
    try:
        awaitable.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits")


def handshake(data: bytes) -> None:
    """The door answers, and whatever it lets through is accepted."""
    read = at_once(read_head(Chopped(data, 4096)))
    if isinstance(read, tuple):
        read_upgrade(read[0])
        assert data.endswith(read[1])
        read = find(read[0], PAGES)
    if read is not None:
        check_answer(read)


def read_upgrade(head: Head) -> None:
    """Everything that reads a head says yes or no."""
    fault = fault_of_upgrade(head)
    for policy in POLICIES:
        assert policy.permits(head) in {True, False}
    assert isinstance(client_address(head, "10.0.0.1", PROXIES), str)
    found = auth_of(head, "access_token")
    assert found is None or isinstance(found, Auth | refusals.Refusal)
    if fault is not None:
        check_answer(fault)
        return
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/ws", headers=head.headers))
    client.send(h11.EndOfMessage())
    client.receive_data(acceptance(head))
    response = client.next_event()
    assert isinstance(response, h11.InformationalResponse)
    assert response.status_code == 101


def check_answer(answer: Page | Status) -> None:
    """It is one of those documented, and a client can read it."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
    client.receive_data(render(answer, with_body=True))
    response = client.next_event()
    assert isinstance(response, h11.Response)
    assert response.status_code in ({200} if isinstance(answer, Page) else STATUSES)


# ── frames ───────────────────────────────────────────────────────────────────


def frames(data: bytes) -> None:
    """What the guard lets through wsproto takes; a fault is one of the catalogue's, and the end."""
    if not data:
        return
    size, stream = data[0] + 1, data[1:]
    whole = read_frames([stream])
    cut = read_frames([stream[at : at + size] for at in range(0, len(stream), size)])
    assert cut == whole


def read_frames(chunks: list[bytes]) -> tuple[list[bytes], Hangup | None]:
    """The messages of a stream and why it ended, if it did."""
    guard, behind = FrameGuard(MAX_MESSAGE), FrameProtocol(client=False, extensions=[])
    messages: list[bytes] = []
    parts, end, is_over = bytearray(), None, False
    for chunk in chunks:
        for item in guard.feed(chunk):
            assert not is_over
            match item:
                case bytes():
                    assert len(item) <= MAX_MESSAGE
                    item.decode()
                    messages.append(item)
                case Handover():
                    done = hand_over(behind, item, parts)
                    assert len(done) == item.ends_message
                    messages += done
                    is_over = item.closes
                case Hangup():
                    assert item in ENDS
                    end, is_over = item, True
    return messages, end


def hand_over(behind: FrameProtocol, item: Handover, parts: bytearray) -> list[bytes]:
    """Let wsproto read a piece; the messages that are complete with it."""
    done = []
    behind.receive_bytes(item.data)
    for piece in behind.received_frames():
        if piece.opcode is Opcode.CLOSE:
            assert item.closes
            assert echo_of(item.data) == behind.close(*piece.payload)
        if piece.opcode.iscontrol():
            continue
        parts += piece.payload.encode() if isinstance(piece.payload, str) else piece.payload
        if piece.message_finished:
            done.append(bytes(parts))
            parts.clear()
    return done


# ── commands ─────────────────────────────────────────────────────────────────


def commands(data: bytes) -> None:
    """A message is a command within its bounds, or one error event from the catalogue."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return  # the guard lets none through
    outcome = read_message(data)
    if isinstance(outcome, refusals.Refusal):
        assert outcome.code in REFUSALS
        event = Error(outcome.message, outcome.code)
        assert msgspec.json.decode(encode_event(event))["event"] == "error"
    else:
        check_command(outcome)


def read_message(data: bytes) -> Command | refusals.Refusal:
    """What the router would make of a message."""
    try:
        return decode_command(open_envelope(data))
    except Refused as refused:
        return refused.refusal


def check_command(command: Command) -> None:
    """Every value in it is one that may be put into a URL, a header or a call."""
    match command:
        case Auth():
            assert 1 <= len(command.token.encode("ascii")) <= TOKEN_BYTES
            assert command.token.isprintable()
            assert isinstance(expiry(command.token), float | None)
            assert len(command.presence or ()) <= PRESENCE_CHATS
            assert all(is_id(each) for each in command.presence or ())
        case SendMessage():
            ids = (command.chat_id, command.reply_to_id or 1, *command.attachment_ids)
            assert all(is_id(each) for each in ids)
            assert len(command.attachment_ids) <= ATTACHMENTS
            command.text.encode()
        case Typing():
            assert is_id(command.chat_id)
            assert command.is_typing in {True, False}
        case AddReaction():
            assert is_id(command.message_id)
            assert 1 <= len(command.emoji) <= EMOJI_CHARACTERS
            command.emoji.encode()
        case MarkRead():
            assert 1 <= len(command.message_ids) <= READ_BATCH
            assert all(is_id(each) for each in command.message_ids)


def is_id(number: object) -> bool:
    """Whether it is a whole number within bounds, and no truth value."""
    return type(number) is int and 1 <= number <= MAX_ID

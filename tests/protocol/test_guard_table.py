"""Every illegal frame and the close code it earns; beside each, the legal one next to it."""

from __future__ import annotations

import pytest

from fakes.frames import frame
from gogate_trio.limits import FAST_MESSAGE_BYTES, FRAGMENTS
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from gogate_trio.protocol.guard import FrameGuard

LIMIT = 1000
START = frame(TEXT, b"a", fin=False)
"""The first fragment of a text message."""


def end_of(*frames: bytes, limit: int = LIMIT) -> Hangup | None:
    """Return the fault in these frames, each fed by itself; only the last may have one."""
    guard = FrameGuard(limit)
    for data in frames[:-1]:
        assert not any(isinstance(item, Hangup) for item in guard.feed(data))
    ends = [item for item in guard.feed(frames[-1]) if isinstance(item, Hangup)]
    assert guard.is_ended is bool(ends)
    return ends[0] if ends else None


# ── 1002 ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
@pytest.mark.parametrize("rsv", [0x10, 0x20, 0x40])
def test_reserved_bits_end_with_1002(opcode, rsv):
    """No extension is negotiated, so no bit of one may be set."""
    assert end_of(frame(opcode, rsv=rsv)) is close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY, PING, PONG, CLOSE])
def test_unmasked_frames_end_with_1002(opcode):
    """A client masks every frame (RFC 6455, 5.1)."""
    assert end_of(frame(opcode, b"hi", key=None)) is close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [3, 4, 5, 6, 7, 11, 12, 13, 14, 15])
@pytest.mark.parametrize("before", [[], [START]])
def test_unknown_opcodes_end_with_1002(opcode, before):
    """Reserved opcodes mean nothing, inside a message or out of it."""
    assert end_of(*before, frame(opcode)) is close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_fragmented_control_frames_end_with_1002(opcode):
    """A control frame is whole."""
    assert end_of(frame(opcode, fin=False)) is close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [PING, PONG, CLOSE])
def test_control_frames_over_125_bytes_end_with_1002(opcode):
    """The head alone tells: nothing is waited for."""
    assert end_of(frame(opcode, bytes(126))[:2]) is close.PROTOCOL_ERROR
    assert end_of(frame(opcode, bytes(65536))[:2]) is close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [PING, PONG])
def test_control_frames_of_125_bytes_are_legal(opcode):
    """The longest payload a control frame may have; its bytes mean nothing."""
    assert end_of(frame(opcode, b"\xff" * 125)) is None


@pytest.mark.parametrize("fin", [True, False])
def test_a_continuation_of_nothing_ends_with_1002(fin):
    """There must be a message to continue, also right after one has ended."""
    late = frame(CONTINUATION, b"b", fin=fin)

    assert end_of(late) is close.PROTOCOL_ERROR
    assert end_of(frame(TEXT, b"a"), late) is close.PROTOCOL_ERROR
    assert end_of(START, frame(CONTINUATION, b"b"), late) is close.PROTOCOL_ERROR
    assert end_of(START, frame(CONTINUATION), late) is close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("fin", [True, False])
def test_a_message_within_a_message_ends_with_1002(opcode, fin):
    """Fragments of two messages never mix."""
    assert end_of(START, frame(opcode, b"b", fin=fin)) is close.PROTOCOL_ERROR
    assert end_of(frame(TEXT, fin=False), frame(opcode, fin=fin)) is close.PROTOCOL_ERROR


@pytest.mark.parametrize("opcode", [TEXT, CONTINUATION])
@pytest.mark.parametrize(
    ("size", "length_bytes"), [(0, 2), (125, 2), (0, 8), (126, 8), (65535, 8), (1 << 63, 8)]
)
def test_lengths_in_more_bytes_than_needed_end_with_1002(opcode, size, length_bytes):
    """The shortest form is the only one, and the top bit of a long one is never set."""
    data = frame(opcode, length_bytes=length_bytes, length=size, fin=False)
    before = [START] if opcode == CONTINUATION else []

    assert end_of(*before, data[: 2 + length_bytes], limit=1 << 64) is close.PROTOCOL_ERROR


@pytest.mark.parametrize(
    ("size", "length_bytes"), [(0, 0), (125, 0), (126, 2), (65535, 2), (65536, 8)]
)
def test_each_form_of_length_holds_what_it_must(size, length_bytes):
    """The bounds of the three forms are legal, and the payload is found behind the head."""
    data = frame(TEXT, b"a" * size, length_bytes=length_bytes)
    guard = FrameGuard(1 << 20)
    items = guard.feed(data)

    if size <= FAST_MESSAGE_BYTES:
        assert items == [b"a" * size]
    else:
        assert b"".join(item.data for item in items) == data
        assert items[-1].ends_message


# ── 1003 ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("fin", [True, False])
@pytest.mark.parametrize("size", [0, 5, 20_000])
def test_binary_messages_end_with_1003(size, fin):
    """This protocol is text; the first two bytes tell."""
    assert end_of(frame(BINARY, bytes(size), fin=fin)[:2]) is close.BINARY


# ── 1007 ─────────────────────────────────────────────────────────────────────

BAD = {
    "lone continuation byte": b"\x80",
    "start without end": b"\xc3",
    "overlong slash": b"\xc0\xaf",
    "overlong NUL": b"\xe0\x80\x80",
    "high surrogate": b"\xed\xa0\x80",
    "low surrogate": b"\xed\xbf\xbf",
    "surrogate pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "beyond the last code point": b"\xf4\x90\x80\x80",
    "five bytes": b"\xf8\x88\x80\x80\x80",
    "never a byte of UTF-8": b"\xff",
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_text_that_is_not_utf8_ends_with_1007(bad):
    """In the fast lane, in a long message, in any fragment and across fragments."""
    text = b"fine " + bad
    long = b"a" * FAST_MESSAGE_BYTES + bad

    assert end_of(frame(TEXT, text)) is close.BAD_UTF8
    assert end_of(frame(TEXT, long), limit=1 << 20) is close.BAD_UTF8
    assert end_of(START, frame(CONTINUATION, text)) is close.BAD_UTF8
    assert end_of(frame(TEXT, text, fin=False) + frame(CONTINUATION)) is close.BAD_UTF8
    halves = frame(TEXT, text[:-1], fin=False) + frame(CONTINUATION, text[-1:])
    assert end_of(halves) is close.BAD_UTF8


def test_a_character_split_over_everything_is_legal():
    """Four bytes in four fragments, pings between them, fed byte by byte."""
    first, *more = (bytes((byte,)) for byte in "😀".encode())
    sent = frame(TEXT, first, fin=False)
    for number, piece in enumerate(more):
        sent += frame(PING, b"\xff") + frame(CONTINUATION, piece, fin=number == 2)
    guard = FrameGuard(4)
    items = [item for byte in sent for item in guard.feed(bytes((byte,)))]

    assert b"".join(item.data for item in items) == sent
    assert [item.ends_message for item in items].count(True) == 1
    assert items[-1].ends_message


def test_a_message_that_ends_inside_a_character_ends_with_1007():
    """Also where the last fragment is empty and only its head can tell."""
    cut = frame(TEXT, "é".encode()[:1], fin=False)

    assert end_of(cut, frame(CONTINUATION)) is close.BAD_UTF8
    assert end_of(cut, frame(CONTINUATION, fin=False), frame(CONTINUATION)) is close.BAD_UTF8


def test_one_message_s_half_character_is_not_the_next_one_s():
    """Each message begins with a clean slate."""
    whole = frame(TEXT, b"a", fin=False) + frame(CONTINUATION, "é".encode())

    assert end_of(whole * 3) is None
    assert end_of(whole, START, frame(CONTINUATION, b"\xa9")) is close.BAD_UTF8


def test_binary_messages_need_not_be_utf8():
    """Where they are allowed, any bytes pass, in any fragment."""
    guard = FrameGuard(LIMIT, binary=True)
    sent = frame(BINARY, b"\xff", fin=False) + frame(CONTINUATION, b"\xed\xa0\x80")

    assert b"".join(item.data for item in guard.feed(sent)) == sent


# ── 1009 ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("limit", [1, 125, 126, FAST_MESSAGE_BYTES, 65536, 100_000])
def test_the_size_limit_counts_bytes_and_includes_its_bound(limit):
    """One frame of just the limit passes; one byte more is 1009 by its head alone."""
    exact, over = b"a" * limit, b"a" * (limit + 1)
    head = len(frame(TEXT, over)) - len(over) - 4

    assert end_of(frame(TEXT, exact), limit=limit) is None
    assert end_of(frame(TEXT, over)[:head], limit=limit) is close.TOO_BIG
    assert end_of(frame(TEXT, over, fin=False)[:head], limit=limit) is close.TOO_BIG


def test_characters_do_not_count():
    """A limit of ten bytes takes ten letters, but not ten of two bytes each."""
    assert end_of(frame(TEXT, b"a" * 10), limit=10) is None
    assert end_of(frame(TEXT, "é".encode() * 10), limit=10) is close.TOO_BIG


def test_fragments_count_together():
    """The fragment that goes over the limit is stopped at its head."""
    rest = frame(CONTINUATION, b"b" * 9, fin=False)

    assert end_of(START, rest, limit=10) is None
    assert end_of(START, rest, frame(CONTINUATION), limit=10) is None
    assert end_of(START, rest, frame(CONTINUATION, b"c")[:2], limit=10) is close.TOO_BIG
    huge = frame(CONTINUATION, length=(1 << 63) - 1, length_bytes=8)
    assert end_of(START, huge[:10], limit=10) is close.TOO_BIG


def test_each_message_has_the_whole_limit():
    """What one message used is not missing from the next."""
    message = frame(TEXT, b"a" * 5, fin=False) + frame(CONTINUATION, b"b" * 5)

    assert end_of(message * 5, limit=10) is None


def test_control_frames_count_for_nothing():
    """They neither add to a message nor have a limit of their own below the RFC's."""
    noise = frame(PING, bytes(125)) + frame(PONG, bytes(125))

    assert end_of(START, *[noise] * 300, frame(CONTINUATION, b"b"), limit=2) is None


@pytest.mark.parametrize("piece", [b"", b"x"])
def test_fragments_are_capped(piece):
    """``FRAGMENTS`` frames are a message; the next frame is 1009, empty or not."""
    more = [frame(CONTINUATION, piece, fin=False)] * (FRAGMENTS - 2)

    assert end_of(START, *more, frame(CONTINUATION, piece)) is None
    assert end_of(START, *more, more[0], frame(CONTINUATION, piece)) is close.TOO_MANY_FRAGMENTS
    assert end_of(START, *more, frame(CONTINUATION), frame(TEXT, b"next")) is None


def test_an_empty_message_is_a_message():
    """In one frame or in several."""
    guard = FrameGuard(LIMIT)
    pieces = frame(TEXT, fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION)

    assert guard.feed(frame(TEXT)) == [b""]
    items = guard.feed(pieces)
    assert [item.ends_message for item in items] == [False, False, True]
    assert guard.feed(frame(TEXT, b"next")) == [b"next"]


# ── the fast lane ────────────────────────────────────────────────────────────


def test_a_short_text_is_held_until_it_is_whole_and_a_longer_one_is_not():
    """So much memory, and no more, is what an unfinished message costs here."""
    short = frame(TEXT, b"a" * FAST_MESSAGE_BYTES)
    long = frame(TEXT, b"a" * (FAST_MESSAGE_BYTES + 1))
    guard = FrameGuard(1 << 20)

    assert guard.feed(short[:-1]) == []
    assert len(guard._held) == len(short) - 1
    assert guard.feed(short[-1:]) == [b"a" * FAST_MESSAGE_BYTES]
    assert b"".join(item.data for item in guard.feed(long[:-1])) == long[:-1]
    assert guard._held == b""
    (last,) = guard.feed(long[-1:])
    assert last.ends_message

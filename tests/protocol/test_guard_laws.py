"""Laws of the guard for whatever a peer sends, held against wsproto as the reference."""

from __future__ import annotations

import attrs
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode

from fakes.frames import chop, frame
from gogate_trio.limits import FAST_MESSAGE_BYTES
from gogate_trio.protocol import close
from gogate_trio.protocol.close import Hangup
from gogate_trio.protocol.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT
from gogate_trio.protocol.guard import FrameGuard, Handover

LAWS = settings(deadline=None, max_examples=300)
MAX_MESSAGE = 40_000
FAST_FRAME_HEAD = 8
"""bytes before the payload of the longest frame that is held: two, two of length, the mask"""


@attrs.define
class Seen:
    """What came out of a guard: what each receiver behind it has got."""

    fast: list[bytes] = attrs.field(factory=list)
    handed: bytes = b""
    marks: list[int] = attrs.field(factory=list)
    """Where in ``handed`` a message ends."""
    closes: list[int] = attrs.field(factory=list)
    """Where in ``handed`` a close frame ends."""
    order: str = ""
    """f: a fast message, m: the end of one handed on."""
    end: Hangup | None = None


def watch(guard: FrameGuard, chunks: list[bytes]) -> Seen:
    """Feed a guard; nothing may come out behind an end."""
    seen = Seen()
    for chunk in chunks:
        for item in guard.feed(chunk):
            assert seen.end is None
            assert not seen.closes
            match item:
                case bytes():
                    seen.fast.append(item)
                    seen.order += "f"
                case Handover():
                    seen.handed += item.data
                    if item.ends_message:
                        seen.marks.append(len(seen.handed))
                        seen.order += "m"
                    if item.closes:
                        seen.closes.append(len(seen.handed))
                case Hangup():
                    seen.end = item
    assert guard.is_ended is (seen.end is not None or bool(seen.closes))
    return seen


class Reference:
    """wsproto on the server's side, below the layer that turns its complaints into events."""

    def __init__(self) -> None:
        self._protocol = FrameProtocol(client=False, extensions=[])
        self._parts = bytearray()
        self.is_closed = False

    def take(self, data: bytes) -> list[bytes]:
        """Return the messages that are complete with these bytes; raises ``ParseFailed``."""
        self._protocol.receive_bytes(data)
        messages = []
        for piece in self._protocol.received_frames():
            if piece.opcode is Opcode.CLOSE:
                self.is_closed = True
            if piece.opcode.iscontrol():
                continue
            payload = piece.payload
            self._parts += payload.encode() if isinstance(payload, str) else payload
            if piece.message_finished:
                messages.append(bytes(self._parts))
                self._parts.clear()
        return messages


def messages_behind(guard: FrameGuard, chunks: list[bytes]) -> list[bytes]:
    """Read as a connection does: fast messages at once, the others when wsproto has them.

    Every ``ends_message`` must bring out exactly one message, and nothing else may.
    """
    reference, messages = Reference(), []
    for chunk in chunks:
        for item in guard.feed(chunk):
            if isinstance(item, bytes):
                messages.append(item)
            elif isinstance(item, Handover):
                delivered = reference.take(item.data)
                assert len(delivered) == item.ends_message
                assert reference.is_closed is item.closes
                messages += delivered
    return messages


# ── what is sent ─────────────────────────────────────────────────────────────

keys = st.binary(min_size=4, max_size=4)
controls = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125), key=keys)
texts = st.one_of(
    st.text(max_size=80),
    # Around each of the lengths at which something changes.
    st.builds(
        lambda letter, size: letter * (size // len(letter.encode())),
        st.sampled_from(["a", "é", "€", "😀"]),
        st.sampled_from([125, 126, 127, 65535, 65536]).flatmap(
            lambda size: st.integers(size - 3, size + 3)
        )
        | st.integers(FAST_MESSAGE_BYTES - 3, FAST_MESSAGE_BYTES + 3),
    ),
).map(str.encode)


@st.composite
def sent_messages(draw, *, binary=False):
    """A text (or binary) message as frames, with control frames anywhere between them."""
    opcode = draw(st.sampled_from([TEXT, BINARY])) if binary else TEXT
    payload = draw(st.binary(max_size=300) if opcode == BINARY else texts)
    pieces = chop(payload, draw(st.lists(st.integers(0, 1 << 16), max_size=3)))
    sent = b""
    for number, piece in enumerate(pieces):
        sent += b"".join(draw(st.lists(controls, max_size=1)))
        is_last = number == len(pieces) - 1
        sent += frame(opcode if number == 0 else CONTINUATION, piece, fin=is_last, key=draw(keys))
    return payload, sent


closing = st.sampled_from(
    [b"", frame(CLOSE), frame(CLOSE, b"\x03\xe8"), frame(CLOSE, b"\x0f\xa0" + "ende ✓".encode())]
)

near_frames = st.builds(
    frame,
    st.sampled_from([*[TEXT, CONTINUATION, PING, PONG] * 4, CLOSE, *range(16)]),
    st.one_of(st.text(max_size=10).map(str.encode), st.binary(max_size=130)),
    fin=st.booleans(),
    key=st.one_of(keys, keys, keys, keys, keys, keys, st.none()),
    rsv=st.sampled_from([*[0] * 12, 0x10, 0x20, 0x40]),
    length_bytes=st.sampled_from([None] * 8 + [2, 8]),
)
"""Mostly legal, so that the illegal ones come at every depth."""

soups = st.one_of(
    st.binary(max_size=600),
    st.lists(near_frames, max_size=8).map(b"".join),
    st.tuples(st.lists(sent_messages(), max_size=2), st.binary(max_size=30)).map(
        lambda sent: b"".join(message for _, message in sent[0]) + sent[1]
    ),
)
cuts = st.lists(st.integers(0, 1 << 18), max_size=12)


# ── laws ─────────────────────────────────────────────────────────────────────


@LAWS
@given(st.lists(sent_messages(), max_size=4), closing, cuts)
def test_every_message_comes_out_once_and_in_order(sent, farewell, places):
    """Fast messages and those that go through wsproto arrive as they were sent."""
    stream = b"".join(data for _, data in sent) + farewell
    guard = FrameGuard(1 << 17)

    assert messages_behind(guard, chop(stream, places)) == [payload for payload, _ in sent]
    assert guard.is_ended is bool(farewell)


@LAWS
@given(st.lists(sent_messages(binary=True), max_size=4), cuts)
def test_binary_messages_pass_where_they_are_allowed(sent, places):
    """With ``binary`` they come out through wsproto, between the texts, in order."""
    stream = b"".join(data for _, data in sent)
    guard = FrameGuard(1 << 17, binary=True)

    assert messages_behind(guard, chop(stream, places)) == [payload for payload, _ in sent]


@LAWS
@given(soups, cuts)
@example(frame(TEXT, b"\xed\xa0", fin=False) + frame(TEXT), [])
def test_chunks_do_not_matter(stream, places):
    """However the bytes are cut, the same messages, marks and end come out.

    Only of a message that turns out not to be UTF-8, more or less may have been handed on.
    """
    whole = watch(FrameGuard(MAX_MESSAGE), [stream])
    cut = watch(FrameGuard(MAX_MESSAGE), chop(stream, places))

    if whole.end is close.BAD_UTF8:
        assert cut.handed.startswith(whole.handed)
        cut.handed = whole.handed
    assert cut == whole


@LAWS
@given(st.lists(near_frames, max_size=8).map(b"".join))
def test_single_bytes_are_read_like_one_piece(stream):
    """The slowest of all senders is understood: every place of a frame is a place to wait."""
    whole = watch(FrameGuard(MAX_MESSAGE), [stream])
    single = watch(FrameGuard(MAX_MESSAGE), [bytes((byte,)) for byte in stream])

    if whole.end is close.BAD_UTF8:
        assert single.handed.startswith(whole.handed)
        single.handed = whole.handed
    assert single == whole


@LAWS
@given(soups, cuts, st.booleans())
def test_what_the_guard_lets_through_wsproto_takes(stream, places, binary):
    """No bytes that are handed on make wsproto raise: trio-websocket would drop the client.

    And without a fault in them, wsproto alone reads the same messages from the whole stream.
    """
    chunks = chop(stream, places)
    messages = messages_behind(FrameGuard(MAX_MESSAGE, binary=binary), chunks)
    guard = FrameGuard(MAX_MESSAGE, binary=binary)
    seen = watch(guard, chunks)

    if seen.end is None:
        # A short frame that is not whole yet is not judged yet, as wsproto would.
        read = Reference().take(stream[: len(stream) - len(guard._held)])
        assert messages == read
        assert len(seen.order) == len(read)


@LAWS
@given(soups, cuts)
def test_the_guard_holds_at_most_one_small_frame(stream, places):
    """Random bytes never raise, and cost no more memory than one fast message with its head."""
    guard = FrameGuard(MAX_MESSAGE)
    for chunk in chop(stream, places):
        guard.feed(chunk)

        assert len(guard._held) < FAST_MESSAGE_BYTES + FAST_FRAME_HEAD


@LAWS
@given(soups, st.binary(min_size=1, max_size=50))
def test_nothing_comes_out_behind_an_end(stream, more):
    """After a close frame or a fault the guard is deaf."""
    guard = FrameGuard(MAX_MESSAGE)
    guard.feed(stream)

    if guard.is_ended:
        assert guard.feed(more) == []
        assert guard._held == b""


@LAWS
@given(st.binary(max_size=3000), st.integers(0, 3000))
def test_the_longest_wait_for_a_fast_message_is_bounded(payload, missing):
    """An unfinished frame is held once, and let go of when it is complete."""
    sent = frame(TEXT, payload.decode("latin-1").encode())
    missing %= len(sent)
    guard = FrameGuard(MAX_MESSAGE)
    guard.feed(sent[: len(sent) - missing])

    assert len(guard._held) == (len(sent) - missing if missing else 0)
    guard.feed(sent[len(sent) - missing :] if missing else b"")
    assert guard._held == b""

"""Control frames on their way through the guard, and what a close frame may say."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType

from fakes.frames import KEY, frame
from gogate_trio.protocol import close
from gogate_trio.protocol.frames import CLOSE, CONTINUATION, PING, PONG, TEXT, echo_of
from gogate_trio.protocol.guard import FrameGuard, Handover

LIMIT = 1000
START = frame(TEXT, b"a", fin=False)
"""The first fragment of a text message."""


def test_pings_pass_in_the_middle_of_a_message_and_pongs_stay_here():
    """trio-websocket answers pings; a pong has said all it can by arriving."""
    ping = frame(PING, b"\xff?")
    guard = FrameGuard(LIMIT)
    items = guard.feed(START + ping + frame(PONG, b"!") + frame(CONTINUATION, b"b"))

    assert b"".join(item.data for item in items) == START + ping + frame(CONTINUATION, b"b")
    assert ping in [item.data for item in items]


@pytest.mark.parametrize("before", [[], [START]])
def test_a_close_frame_is_the_last_thing_that_passes(before):
    """Also in the middle of a message; whatever stands behind it is not looked at."""
    bye = frame(CLOSE, b"\x03\xe8bye")
    guard = FrameGuard(LIMIT)
    for data in before:
        guard.feed(data)

    assert guard.feed(bye + frame(TEXT, b"late") + b"\xff") == [Handover(bye, closes=True)]
    assert guard.is_ended
    assert guard.feed(frame(TEXT, b"later")) == []


LEGAL = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999]
ILLEGAL = [0, 1, 999, 1004, 1005, 1006, 1014, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 65535]


def of_code(code: int) -> bytes:
    """A close frame with this code and no reason."""
    return frame(CLOSE, code.to_bytes(2))


def passes(data: bytes) -> bool:
    """Whether a close frame is handed on whole, as the end."""
    guard = FrameGuard(LIMIT)
    return guard.feed(data) == [Handover(data, closes=True)] and guard.is_ended


@pytest.mark.parametrize("code", LEGAL)
def test_codes_that_a_peer_may_send_pass(code):
    """Those of the RFC, of IANA's list as far as they may be sent, and private ones."""
    assert passes(of_code(code))


@pytest.mark.parametrize("code", ILLEGAL)
def test_codes_that_nobody_may_send_end_with_1002(code):
    """Reserved ones, unassigned ones, and those that only describe what was seen."""
    assert FrameGuard(LIMIT).feed(of_code(code)) == [close.PROTOCOL_ERROR]


def answer_of_wsproto(data: bytes) -> bytes:
    """What trio-websocket would answer to a close frame."""
    reference = Connection(ConnectionType.SERVER)
    reference.receive_data(data)
    (event,) = reference.events()
    return reference.send(event.response())


def test_every_code_that_passes_is_echoed_as_wsproto_would():
    """A code that wsproto refuses would end in trio-websocket, and without an answer."""
    for code in filter(close.is_legal, range(1 << 16)):
        assert echo_of(of_code(code)) == answer_of_wsproto(of_code(code))


@settings(deadline=None, max_examples=200)
@given(
    st.sampled_from(LEGAL),
    st.text(max_size=123) | st.binary(max_size=123),
    st.binary(min_size=4, max_size=4),
)
@example(1000, "", KEY)
@example(4999, "\ufeffx\x00\U0010ffff", b"\x00" * 4)
@example(1000, "ü" * 61 + "x", KEY)
def test_whatever_passes_is_echoed_as_wsproto_would(code, reason, key):
    """To the byte, whatever the reason and the mask; half a character is 1007."""
    said = (reason if isinstance(reason, bytes) else reason.encode())[:123]
    data = frame(CLOSE, code.to_bytes(2) + said, key=key)
    if passes(data):
        assert echo_of(data) == answer_of_wsproto(data)
    else:
        assert FrameGuard(LIMIT).feed(data) == [close.BAD_UTF8]
        with pytest.raises(UnicodeDecodeError):
            said.decode()


def test_a_close_frame_that_says_nothing_is_answered_with_nothing():
    """Without a code there is none to give back."""
    assert echo_of(frame(CLOSE)) == answer_of_wsproto(frame(CLOSE)) == b"\x88\x00"


@pytest.mark.parametrize("payload", [b"", b"\x03\xe8" + "grüße".encode(), b"\x03\xe8" + b"r" * 123])
def test_a_close_frame_may_be_empty_or_give_a_reason(payload):
    """Nothing at all, or two bytes of code and a reason in UTF-8 that fills the frame."""
    assert passes(frame(CLOSE, payload))


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        (b"\x03", close.PROTOCOL_ERROR),
        (b"\x03\xe8\xc3", close.BAD_UTF8),
        (b"\x03\xe8\xed\xa0\x80", close.BAD_UTF8),
        (b"\x03\xed\xff", close.PROTOCOL_ERROR),
    ],
    ids=["one byte", "half a character", "surrogate", "code first"],
)
def test_a_malformed_close_frame_is_a_fault(payload, fault):
    """It is not handed on, and the guard is deaf from there."""
    guard = FrameGuard(LIMIT)

    assert guard.feed(frame(CLOSE, payload)) == [fault]
    assert guard.is_ended

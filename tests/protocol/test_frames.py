"""The frames we write are the ones every client reads; wsproto stands for all of them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol, Opcode

from gogate_trio.protocol import close
from gogate_trio.protocol.frames import PING_FRAME, close_frame, text_frame, unmask

BOUNDS = [0, 1, 125, 126, 127, 65535, 65536, 65537]


def read(data: bytes) -> list[tuple[Opcode, object]]:
    """Return what a client gets: messages whole, their opcode and payload."""
    protocol = FrameProtocol(client=True, extensions=[])
    protocol.receive_bytes(data)
    frames = list(protocol.received_frames())
    assert all(frame.message_finished and frame.frame_finished for frame in frames)
    return [(frame.opcode, frame.payload) for frame in frames]


@pytest.mark.parametrize("size", BOUNDS)
def test_texts_of_every_length_arrive(size):
    """At each bound of the three forms of length, with another frame behind it."""
    text = "a" * size

    assert read(text_frame(text.encode()) + PING_FRAME) == [
        (Opcode.TEXT, text),
        (Opcode.PING, b""),
    ]


@pytest.mark.parametrize("size", BOUNDS)
def test_frames_are_the_shortest_there_are(size):
    """They are unmasked, final, and as the reference writes them."""
    reference = FrameProtocol(client=False, extensions=[])

    assert text_frame(b"a" * size) == reference.send_data("a" * size)


@settings(deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_joined_frames_are_as_many_messages(texts):
    """Frames written in one piece stay apart: one event is one message, always."""
    data = b"".join(text_frame(text.encode()) for text in texts)

    assert read(data) == [(Opcode.TEXT, text) for text in texts]


@pytest.mark.parametrize(
    ("code", "reason"), [(1000, ""), (1001, "going"), (4999, "r" * 123), (1007, "grüße")]
)
def test_close_frames_say_code_and_reason(code, reason):
    """Up to the 123 bytes of reason that fit."""
    assert read(close_frame(code, reason)) == [(Opcode.CLOSE, (code, reason))]


CATALOGUE = {name: value for name, value in vars(close).items() if isinstance(value, close.Hangup)}


@pytest.mark.parametrize("hangup", CATALOGUE.values(), ids=CATALOGUE)
def test_every_end_of_the_catalogue_can_be_said(hangup):
    """Its code is one that may be sent, its reason fits, and its refusal says the same."""
    if hangup.code == close.SILENT:
        assert hangup.refusal is None
        return

    assert close.is_legal(hangup.code)
    assert read(close_frame(hangup.code, hangup.reason)) == [
        (Opcode.CLOSE, (hangup.code, hangup.reason))
    ]


def test_every_end_has_a_name_of_its_own():
    """The reason is the name in logs and metrics: two ends under one name could not be told."""
    assert len({hangup.reason for hangup in CATALOGUE.values()}) == len(CATALOGUE)


@pytest.mark.parametrize(
    ("hangup", "code"),
    [
        (close.PROTOCOL_ERROR, 1002),
        (close.BINARY, 1003),
        (close.BAD_UTF8, 1007),
        (close.TOO_BIG, 1009),
        (close.TOO_MANY_FRAGMENTS, 1009),
        (close.INTERNAL_ERROR, 1011),
        (close.restart(1000), 1012),
        (close.NO_PONG, 4408),
        (close.SLOW_CONSUMER, 4410),
        (close.AUTH_TIMEOUT, 4501),
    ],
)
def test_the_codes_are_those_that_clients_were_promised(hangup, code):
    """Below 4500 a client may come back as it is; from there on it may not."""
    assert hangup.code == code


@settings(deadline=None)
@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4))
def test_masking_is_exclusive_or_with_the_key_in_turn(payload, key):
    """As RFC 6455, 5.3 writes it; done twice, nothing has happened."""
    masked = unmask(payload, key)

    assert masked == bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    assert unmask(masked, key) == payload

"""Laws of looking into a token: its end is read or unknown, and nothing is ever an error."""

from __future__ import annotations

import base64
import json

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.limits import TOKEN_BYTES
from gogate_trio.protocol.jwt import expiry, is_token


def sealed(payload: bytes) -> str:
    """A token with this payload and no care for the rest."""
    body = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzI1NiJ9.{body}.c2lnbmF0dXJl"


@given(st.integers(0, 2**53), st.dictionaries(st.text(), st.integers(), max_size=5))
def test_the_end_of_a_real_token_is_read(exp, claims):
    """Whatever else is in it, and however long its payload: padding is no matter."""
    token = jwt.encode(claims | {"exp": exp}, "a key of at least thirty-two bytes", "HS256")

    assert expiry(token) == exp


def test_a_fraction_of_a_second_counts():
    """The RFC's NumericDate may have one."""
    assert expiry(sealed(b'{"exp":1700000000.5}')) == 1700000000.5


@pytest.mark.parametrize(
    "payload",
    [
        b"{}",
        b'{"exp":null}',
        b'{"exp":"1700000000"}',
        b'{"exp":true}',
        b'{"exp":[1]}',
        b'{"exp":1e999}',
        b'{"exp":' + b"9" * 5000 + b"}",
        b'{"exp":NaN}',
        b'{"exp":1',
        b"[1700000000]",
        b"1700000000",
        b"\xff\xfe",
        b"",
        b"[" * 5000,
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
def test_an_end_that_is_no_number_is_unknown(payload):
    """Nothing is guessed, and nothing raises."""
    assert expiry(sealed(payload)) is None


@pytest.mark.parametrize("token", ["", "token-1", "a.b", "..", "a.!!!.c", "a.b.c.d.e", "a.e30.c.d"])
def test_what_is_no_jwt_has_an_unknown_end(token):
    """A backend may hand out any token it likes."""
    assert expiry(token) is None


def test_no_key_is_needed_and_no_signature_looked_at():
    """The backend alone decides whether it is good."""
    assert expiry(sealed(b'{"exp":5}').rpartition(".")[0] + ".") == 5


@given(st.text() | st.text(alphabet=".eyJ9=-_", max_size=50))
def test_any_text_has_an_end_or_none(text):
    """No input of a stranger makes it fail."""
    found = expiry(text)

    assert found is None or isinstance(found, float)


@given(st.binary(max_size=60) | st.recursive(st.none() | st.floats(), st.lists).map(json.dumps))
def test_any_payload_has_an_end_or_none(payload):
    """Not with a well-formed envelope around it either."""
    found = expiry(sealed(payload if isinstance(payload, bytes) else payload.encode()))

    assert found is None or isinstance(found, float)


@pytest.mark.parametrize("token", ["x", "!" * TOKEN_BYTES, "a.b-c_d=/+~"])
def test_visible_ascii_can_be_a_token(token):
    """Up to its last byte."""
    assert is_token(token)


@pytest.mark.parametrize(
    "token", ["", " ", "a b", "a\n", "a\r\nX: y", "a\0", "a\x7f", "é", "\ud800", "x" * 8193]
)
def test_what_cannot_stand_in_a_header_is_no_token(token):
    """It would be another header, or an error that is not the client's."""
    assert not is_token(token)

"""Laws of the settings of authentication: a cookie has a name, and no page may abuse it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.config import ConfigError, Settings
from gogate_trio.config.problems import Unusable
from gogate_trio.config.tokens import CookieName

KEY = {"INTERNAL_API_KEY": "correct-horse-battery-staple"}


@pytest.mark.parametrize("name", ["", "access_token", "__Host-token", "a.b", "x" * 64])
def test_a_cookie_has_a_name_or_none(name):
    """What RFC 6265 calls a token, as written: names are compared byte for byte."""
    assert CookieName().parse(name) == name


@pytest.mark.parametrize("name", [" ", "a b", "a=b", "a;b", "a,b", "é", "a\n", '"a"', "x" * 65])
def test_what_no_cookie_is_called_is_refused(name):
    """A name that no browser would ever send would silently switch the cookie off."""
    with pytest.raises(Unusable):
        CookieName().parse(name)


@given(st.text())
def test_any_text_is_a_name_or_unusable(text):
    """No other way to fail; the reason is one printable line."""
    try:
        assert CookieName().show(CookieName().parse(text)) == text
    except Unusable as error:
        assert str(error).isprintable()  # noqa: PT017  # both ends are lawful


def test_a_cookie_and_any_origin_do_not_go_together():
    """Every page on the web could open a connection that its visitor's cookie authenticates."""
    with pytest.raises(ConfigError) as caught:
        Settings.load(KEY | {"AUTH_COOKIE": "access_token", "ALLOWED_ORIGINS": "*"}, None)

    (problem,) = caught.value.problems
    assert problem.name == "AUTH_COOKIE"
    assert "ALLOWED_ORIGINS holds *" in problem.text


@pytest.mark.parametrize(
    "environ",
    [
        {"ALLOWED_ORIGINS": "*"},
        {"AUTH_COOKIE": "access_token"},
        {"AUTH_COOKIE": "access_token", "ALLOWED_ORIGINS": "https://*.example.org"},
        {"AUTH_COOKIE": "", "ALLOWED_ORIGINS": "*"},
    ],
)
def test_each_alone_is_fine(environ):
    """Tokens in ``auth`` are safe from other pages, and a cookie is behind a list."""
    Settings.load(KEY | environ, None)

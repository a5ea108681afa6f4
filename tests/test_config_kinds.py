"""Laws of the kinds of settings: what a text means, and that showing a value gives it back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.config.addresses import BaseUrl, Host
from gogate_trio.config.kinds import Choice, Duration, Several, Switch, Whole
from gogate_trio.config.problems import QUOTED_CHARACTERS, Unusable, quote
from gogate_trio.config.secret import Key

DURATION = Duration(0.0, 86400.0)
KINDS = [
    Whole(0, 10),
    DURATION,
    Choice(("a", "b")),
    Switch(),
    Several(Whole(0, 10)),
    Host(),
    BaseUrl(),
    Key(),
]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("54", 54.0),
        ("54s", 54.0),
        ("0.5", 0.5),
        ("500ms", 0.5),
        ("1m", 60.0),
        ("1m30s", 90.0),
        ("1h1m1s1ms", 3661.001),
        ("1.5h", 5400.0),
        ("0.1s", 0.1),
        ("0", 0.0),
    ],
)
def test_a_duration_is_seconds_or_has_units(text, seconds):
    """A bare number is seconds; Go's durations mean what they mean in Go."""
    assert DURATION.parse(text) == seconds


@given(st.floats(min_value=0.0, max_value=86400.0).map(lambda x: round(x, 6)))
def test_a_shown_duration_is_read_back(seconds):
    """What ``.env.example`` and ``gogate config`` show means exactly the value in force."""
    assert DURATION.parse(DURATION.show(seconds)) == seconds


@given(st.integers(-(10**17), 10**17))
def test_a_shown_number_is_read_back(number):
    """As with durations."""
    kind = Whole(-(10**17), 10**17)
    assert kind.parse(kind.show(number)) == number


@given(st.sampled_from(KINDS), st.text())
def test_any_text_is_a_value_or_unusable(kind, text):
    """No text makes a kind fail in any other way, and a reason is one printable line."""
    try:
        value = kind.parse(text)
    except Unusable as error:
        assert str(error).isprintable()  # noqa: PT017  # both ends are lawful
    else:
        if not isinstance(kind, Key):
            assert kind.parse(kind.show(value)) == value


@pytest.mark.parametrize("text", ["true", "TRUE", "1", "yes", "on"])
def test_a_yes_is_true(text):
    """The common ways to say yes."""
    assert Switch().parse(text) is True


@pytest.mark.parametrize("text", ["false", "False", "0", "no", "off"])
def test_a_no_is_false(text):
    """The common ways to say no."""
    assert Switch().parse(text) is False


@pytest.mark.parametrize("text", ["", "2", "y", "enabled", " true"])
def test_anything_else_is_no_switch(text):
    """What is neither is refused, not taken for a no."""
    with pytest.raises(Unusable):
        Switch().parse(text)


def test_several_keeps_order_and_checks_each():
    """A list is its items in order; one bad item spoils it, an empty text is no item."""
    kind = Several(Whole(0, 10))

    assert kind.parse("3, 1,2") == (3, 1, 2)
    assert kind.parse(" ") == ()
    for bad in ("1,,2", "1,", "1,x", "11"):
        with pytest.raises(Unusable):
            kind.parse(bad)


def test_a_choice_does_not_mind_its_case():
    """``LOG_LEVEL=INFO`` is what half of the world writes."""
    assert Choice(("info", "debug")).parse("INFO") == "info"


@pytest.mark.parametrize(
    "text", ["", "0.0.0.0", "127.0.0.1", "::", "::1", "fe80::1%eth0", "localhost", "gw_1.example."]
)
def test_a_host_is_an_address_or_a_name(text):
    """What can be bound is taken as it is."""
    assert Host().parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "*",
        "[::1]",
        "[::]",
        "localhost:80",
        "http://x",
        "300.1.1.1",
        "a b",
        "-a",
        "é",
        "a..b",
        "x" * 254,
    ],
)
def test_what_is_no_host_is_refused(text):
    """A port, a scheme, brackets or a typo in an address is a mistake."""
    with pytest.raises(Unusable):
        Host().parse(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://localhost:8000", "http://localhost:8000"),
        ("HTTPS://api.example.org/", "https://api.example.org"),
        ("http://backend_api:80/chat/v2//", "http://backend_api:80/chat/v2"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("http://10.0.0.1", "http://10.0.0.1"),
    ],
)
def test_a_base_url_loses_its_last_slash(text, url):
    """A URL is kept, but for the slash that would double before each call's path."""
    assert BaseUrl().parse(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "localhost:8000",
        "//localhost",
        "ftp://localhost",
        "http://",
        "http:///path",
        "http://:80",
        "http://host:",
        "http://host:0",
        "http://host:99999",
        "http://host:port",
        "http://[::1",
        "http://a@host",
        "http://a:b@host",
        "http://@host",
        "http://host?x=1",
        "http://host?",
        "http://host#",
        "http://host/a/../b",
        "http://host/./b",
        "http://host//b",
        "http://host/a\\b",
        "http://host/a b",
        "http://host\n",
        "http://hôte",
        "http://300.1.1.1",
    ],
)
def test_what_is_no_base_url_is_refused(text):
    """Whatever two programs could read differently, and whatever holds more than a place."""
    with pytest.raises(Unusable) as caught:
        BaseUrl().parse(text)

    assert "host/" not in str(caught.value)


def test_a_quoted_text_is_capped_and_escaped():
    """What is repeated of an operator's text fits on a line and paints no terminal."""
    assert quote("a\n\x1b[31m\u2028") == r"'a\n\x1b[31m\u2028'"
    assert quote("\udcff") == r"'\udcff'"
    assert len(quote("x" * 10_000)) == QUOTED_CHARACTERS + len("'…'")

"""Laws of the cookie on the upgrade request: only from a page, and only without doubt."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.protocol.commands import Auth, Resume
from gogate_trio.protocol.cookies import auth_of
from gogate_trio.protocol.handshake import Head
from gogate_trio.protocol.refusals import INVALID_AUTH, Refusal

PAGE = (b"origin", b"https://chat.example.org")


def head(*headers):
    """A request with these headers."""
    return Head(b"GET", b"/ws", headers, b"1.1")


def found(*cookies, name="access_token"):
    """What the cookies of a page's request say."""
    return auth_of(head(PAGE, *((b"cookie", cookie) for cookie in cookies)), name)


def asked(query):
    """What a page with a cookie asks for with this behind the path."""
    headers = (PAGE, (b"cookie", b"access_token=abc"))
    return auth_of(Head(b"GET", b"/ws" + query, headers, b"1.1"), "access_token")


@pytest.mark.parametrize(
    "cookies",
    [
        [b"access_token=abc"],
        [b"a=1; access_token=abc; b=2"],
        [b"a=1;access_token=abc"],
        [b" access_token = abc "],
        [b"a=1", b"access_token=abc"],
        [b"access_token=abc; access_token=abc"],
        [b"junk; =; access_token=abc;;"],
    ],
)
def test_the_cookie_is_found(cookies):
    """Among others, over several headers, and twice if both say the same."""
    assert found(*cookies) == Auth("abc")


def test_a_value_goes_on_behind_an_equals_sign():
    """Base64 ends with some."""
    assert found(b"access_token=a=b==") == Auth("a=b==")


@pytest.mark.parametrize(
    "cookies",
    [
        [],
        [b""],
        [b"access_token"],
        [b"Access_Token=abc"],
        [b"xaccess_token=abc"],
        [b"a=access_token=abc"],
    ],
)
def test_another_cookie_is_none(cookies):
    """Names are compared byte for byte, and a name without a value is no cookie."""
    assert found(*cookies) is None


def test_without_an_origin_no_cookie_counts():
    """No browser sends one without the other to a WebSocket: nobody has vouched for the page."""
    assert auth_of(head((b"cookie", b"access_token=abc")), "access_token") is None


@pytest.mark.parametrize(
    "cookies",
    [
        [b"access_token="],
        [b"access_token=a b"],
        [b"access_token=a\tb"],
        [b"access_token=\xc3\xa9"],
        [b"access_token=" + b"x" * 8193],
        [b"access_token=abc; access_token=abd"],
        [b"access_token=abc", b"access_token=abd"],
        [b"access_token=abc; access_token="],
    ],
)
def test_a_cookie_in_doubt_is_refused(cookies):
    """Also two that differ: a sibling site may have planted one, to make us its own user."""
    refused = found(*cookies)

    assert isinstance(refused, Refusal)
    assert refused.code == "AUTH_FAILED"


ASKED = [
    (b"", Auth("abc")),
    (b"?", Auth("abc")),
    (b"?author=1&xauth={}&auth", None),
    (b"?auth=%7B%7D", Auth("abc")),
    (b"?auth={}&v=2", Auth("abc")),
    (b"?v=2&auth=%7B%22notices%22%3A+true%7d", Auth("abc", notices=True)),
    (b'?auth={"resume":true}', Auth("abc", resume=Resume())),
    (b'?auth={"resume":{"session":"%C3%A9"}}', Auth("abc", resume=Resume("é"))),
    (b'?auth={"presence":[1,7,1]}', Auth("abc", presence=(1, 7))),
    (b'?auth={"presence":[0]}', None),
    (b'?auth={"token":"abc"}', None),
    (b"?auth={}&auth={}", None),
    (b"?auth=%C3", None),
    (b"?auth=" + b"[" * 9000, None),
]


@pytest.mark.parametrize(("query", "auth"), ASKED)
def test_the_target_says_what_else_is_asked_for(query, auth):
    """What is no data of an ``auth`` is refused, and so is a token in an address."""
    got = asked(query)

    assert got == auth if auth else got == INVALID_AUTH


@given(st.binary(max_size=40) | st.text(alphabet='?&=%+auth{}":,n1', max_size=30).map(str.encode))
def test_any_target_asks_for_something_or_is_refused(query):
    """No address of a stranger makes it fail; without a cookie none is looked at."""
    got = asked(b"?auth=" + query)

    assert got == INVALID_AUTH or got.token == "abc"
    assert auth_of(Head(b"GET", b"/ws?auth=" + query, (PAGE,), b"1.1"), "access_token") is None


@given(st.lists(st.binary(max_size=30) | st.text(alphabet="ab=; ", max_size=9).map(str.encode)))
def test_any_cookies_are_a_token_a_refusal_or_nothing(cookies):
    """No header of a stranger makes it fail, and nothing but a token comes out as one."""
    got = found(*cookies, name="a")

    assert got is None or isinstance(got, Refusal) or got.token.isascii()

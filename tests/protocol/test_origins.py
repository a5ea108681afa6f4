"""Which pages may connect: the guide's set-up as it is, and none of the known tricks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.config.allowances import OriginKind
from gogate_trio.protocol.handshake import Head
from gogate_trio.protocol.origins import Origin, OriginPolicy, OriginRule

OWN = OriginPolicy()
HOST = "chat.example"

TRICKS = (
    "null",
    "",
    "*",
    "chat.example",
    "//chat.example",
    "file://",
    "file://chat.example",
    "ftp://chat.example",
    "chrome-extension://chat.example",
    "moz-extension://chat.example",
    "javascript://chat.example",
    "http:chat.example",
    "http:/chat.example",
    "https://evil.example",
    "https://chat.example.evil.example",
    "https://evilchat.example",
    "https://evil-chat.example",
    "https://chat.example-evil.example",
    "https://chat.example@evil.example",
    "https://user@chat.example",
    "https://user:chat.example@evil.example",
    "https://evil.example#chat.example",
    "https://evil.example/chat.example",
    "https://evil.example?chat.example",
    "https://evil.example:chat.example",
    "https://evil.example\\chat.example",
    "https://evil.example chat.example",
    "https://chat.example/",
    "https://chat.example/page",
    "https://chat.example:",
    "https://chat.example:port",
    "https://chat.example:443:443",
    "https://chat.example.",
    "https://.chat.example",
    "https://chat..example",
    "https://chat%2eexample",
    "https://chat\x00.example",
    "https://chat.example\x00",
    "https://chat.example, https://evil.example",
    "https://chat.example https://evil.example",
    "https://ch\xe4t.example",
    "https://xn--cht-0na.example",
    "https://CHAT.EXAMPLE.EVIL",
    "https://*.example",
    "https://*",
    "https://[::1",
    "https://127.0.0.1",
    "https://2130706433",
)
"""Origins that look like that of chat.example and are not."""


def head(*origins: str | bytes, host: str | bytes = HOST) -> Head:
    """A request for this host with these Origin headers."""
    pairs = [(b"origin", each) for each in origins]
    return Head(
        b"GET",
        b"/ws",
        tuple(
            (name, each.encode("latin-1") if isinstance(each, str) else each)
            for name, each in [(b"host", host), *pairs]
        ),
        b"1.1",
    )


def listing(*entries: str, **changes) -> OriginPolicy:
    """A policy as ALLOWED_ORIGINS would set it."""
    rules = tuple(rule for rule in map(OriginKind().parse, entries) if isinstance(rule, OriginRule))
    return OriginPolicy(rules, **changes)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://localhost:3000", "localhost:8080"),
        ("http://localhost", "localhost:8080"),
        ("http://127.0.0.1:5173", "127.0.0.1:8080"),
        ("http://[::1]:3000", "[::1]:8080"),
        ("https://chat.example", "chat.example"),
        ("https://chat.example:8443", "chat.example"),
        ("http://chat.example", "chat.example:443"),
        ("https://CHAT.example", "Chat.Example"),
        ("https://xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("https://chat.example.", "chat.example."),
        ("http://my_host-1", "my_host-1:8080"),
    ],
)
def test_without_a_list_a_page_of_the_same_host_is_welcome(origin, host):
    """The guide's development set-up works unchanged: the page's port is another one."""
    assert OWN.permits(head(origin, host=host))


@pytest.mark.parametrize("origin", TRICKS)
def test_without_a_list_no_trick_passes_for_the_own_host(origin):
    """Neither by a longer name, nor by what a careless reader takes for one."""
    assert not OWN.permits(head(origin))


@pytest.mark.parametrize("origin", TRICKS)
def test_no_trick_passes_for_an_entry(origin):
    """The same against a list that has the host, or a host's subdomains, in it."""
    assert not listing("https://chat.example").permits(head(origin))
    assert not listing("https://*.chat.example").permits(head(origin))


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://[::1]", "[::2]"),
        ("http://[::1]", "::1"),
        ("http://localhost", "localhost.evil.example"),
        ("http://localhost", "127.0.0.1:8080"),
        ("http://evil.example", "chat.example:80@evil.example:80@x"),
        ("http://a", ""),
        ("http://a", "[::1"),
        ("http://a", b"\xff"),
    ],
)
def test_another_host_is_another_product(origin, host):
    """Also where both are this machine; a Host that cannot be read has no pages."""
    assert not OWN.permits(head(origin, host=host))


@pytest.mark.parametrize("policy", [OWN, listing("https://chat.example"), listing(any_origin=True)])
def test_two_origins_are_none(policy):
    """No browser sends two: one of them would be believed by somebody."""
    assert not policy.permits(head("https://chat.example", "https://chat.example"))
    assert not policy.permits(head("https://evil.example", "https://chat.example"))


@pytest.mark.parametrize(
    ("entry", "origin", "welcome"),
    [
        ("https://chat.example", "https://chat.example", True),
        ("https://chat.example", "https://chat.example:443", True),
        ("https://chat.example", "http://chat.example", False),
        ("https://chat.example", "https://chat.example:8443", False),
        ("https://chat.example", "https://www.chat.example", False),
        ("https://chat.example:8443", "https://chat.example:8443", True),
        ("https://chat.example:8443", "https://chat.example", False),
        ("HTTPS://Chat.Example:443", "https://chat.example", True),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("http://localhost:3000", "http://localhost:3001", False),
        ("http://[::1]:3000", "http://[::1]:3000", True),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnop", True),
        ("chrome-extension://abcdefghijklmnop", "chrome-extension://abcdefghijklmnopq", False),
        ("https://*.chat.example", "https://www.chat.example", True),
        ("https://*.chat.example", "https://a.b.chat.example", True),
        ("https://*.chat.example", "https://chat.example", False),
        ("https://*.chat.example", "https://wwwchat.example", False),
        ("https://*.chat.example", "https://www.chat.example.evil.example", False),
        ("https://*.chat.example", "http://www.chat.example", False),
        ("https://*.chat.example:8443", "https://www.chat.example:8443", True),
        ("https://*.chat.example:8443", "https://www.chat.example", False),
        ("https://*.chat.example", "https://.chat.example", False),
    ],
)
def test_an_entry_is_an_origin_or_all_subdomains_of_one(entry, origin, welcome):
    """Scheme, host and port must be the entry's; a star stands for one or more labels."""
    assert listing(entry).permits(head(origin)) is welcome


def test_a_list_takes_the_place_of_the_own_host():
    """Who lists pages means these and no others; any of them will do."""
    policy = listing("https://one.example", "https://two.example")

    assert policy.permits(head("https://two.example"))
    assert not policy.permits(head(f"https://{HOST}"))


@pytest.mark.parametrize("origin", ["null", "https://evil.example", "file://", "anything"])
def test_a_star_lets_every_page_in(origin):
    """It must be said, and then it is meant."""
    assert listing(any_origin=True).permits(head(origin))


@pytest.mark.parametrize("policy", [{}, {"any_origin": True}])
@pytest.mark.parametrize("welcome", [True, False])
def test_who_names_no_origin_is_no_browser(policy, welcome):
    """An app or wscat: let in or not by a setting of its own, whatever the list."""
    assert listing("https://chat.example", missing=welcome, **policy).permits(head()) is welcome


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=40))
def test_whatever_stands_in_the_header_gets_an_answer(text):
    """Nothing raises, and no random text is an origin of this host's."""
    assert not OWN.permits(head(text))
    assert listing("https://chat.example").permits(head(text)) is (
        Origin.read(text) == Origin("https", "chat.example", "")
    )


@given(st.text(alphabet=st.characters(max_codepoint=255), max_size=40))
def test_whatever_stands_for_a_host_gets_an_answer(text):
    """A Host is read without raising."""
    assert OWN.permits(head("http://a", host=text)) in {True, False}

"""Laws of the settings that say how much, how often and from where."""

from __future__ import annotations

from contextlib import suppress
from ipaddress import ip_network

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.config import ConfigError, RateSettings, Settings
from gogate_trio.config.allowances import NetworkKind, OrAuto, OriginKind, RateKind
from gogate_trio.config.kinds import Several, Whole
from gogate_trio.config.problems import Unusable
from gogate_trio.protocol.origins import OriginRule
from gogate_trio.state.ratelimit import Rate

KINDS = [OrAuto(Whole(0, 10)), RateKind(), OriginKind(), NetworkKind(), Several(NetworkKind())]


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("20/s", Rate(20.0, 20)),
        ("20/s burst 40", Rate(20.0, 40)),
        ("20/S  Burst 40", Rate(20.0, 40)),
        ("300/m", Rate(5.0, 300)),
        ("7200/h burst 1", Rate(2.0, 1)),
        ("0.5/s", Rate(0.5, 1)),
        ("1.5/s", Rate(1.5, 1)),
        ("off", None),
        ("OFF", None),
    ],
)
def test_a_rate_is_written_as_one_says_it(text, rate):
    """So many a second, minute or hour, and how many may come at once."""
    assert RateKind().parse(text) == rate


@pytest.mark.parametrize(
    "text",
    [
        "",
        "20",
        "20/",
        "20/d",
        "20 /s",
        "20/s burst",
        "20/s 40",
        "20/sburst40",
        "-1/s",
        "1e3/s",
        "0/s",
        "0.0/h",
        "20/s burst 0",
        "nan/s",
        "inf/s",
        "20/s burst 4.5",
        "1234567/s",
        "2\u0660/s",
        "20/s\n",
        "on",
        "none",
    ],
)
def test_what_is_no_rate_is_refused(text):
    """Rather than to guess how much somebody meant; nor may a rate let nothing pass."""
    with pytest.raises(Unusable):
        RateKind().parse(text)


@given(
    st.decimals("0.001", "999999.999", places=3),
    st.sampled_from("smh"),
    st.none() | st.integers(1, 999_999),
)
def test_a_shown_rate_is_read_back(number, unit, burst):
    """What ``gogate config`` shows means exactly the value in force."""
    kind = RateKind()
    rate = kind.parse(f"{number}/{unit}" + (f" burst {burst}" if burst else ""))

    assert kind.parse(kind.show(rate)) == rate


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("20/s", "20/s burst 20"),
        ("1200/m burst 3", "20/s burst 3"),
        ("20/m", "20/m burst 20"),
        ("5/h", "5/h burst 5"),
        ("1.5/s", "90/m burst 1"),
        ("0.001/h", "0.001/h burst 1"),
        ("off", "off"),
    ],
)
def test_a_rate_is_shown_in_the_shortest_unit_that_keeps_it_whole(text, shown):
    """People read whole numbers."""
    assert RateKind().show(RateKind().parse(text)) == shown


@pytest.mark.parametrize(("text", "number"), [("auto", None), ("AUTO", None), ("7", 7), ("0", 0)])
def test_a_number_may_be_worked_out(text, number):
    """``auto`` leaves it to the gateway."""
    kind = OrAuto(Whole(0, 10))

    assert kind.parse(text) == number
    assert kind.parse(kind.show(number)) == number


@pytest.mark.parametrize("text", ["", "11", "-1", "automatic", "1.0"])
def test_a_number_that_is_not_to_be_worked_out_keeps_its_bounds(text):
    """As without the word."""
    with pytest.raises(Unusable):
        OrAuto(Whole(0, 10)).parse(text)


@pytest.mark.parametrize(
    ("text", "rule", "shown"),
    [
        ("https://a.example", OriginRule("https", "a.example", "", subdomains=False), None),
        ("http://a.example:80", OriginRule("http", "a.example", "", subdomains=False), "http://a.example"),
        ("HTTPS://A.example:1", OriginRule("https", "a.example", "1", subdomains=False), "https://a.example:1"),
        ("https://*.a.example:1", OriginRule("https", "a.example", "1", subdomains=True), None),
        ("http://[::1]:3000", OriginRule("http", "[::1]", "3000", subdomains=False), None),
        ("app://host", OriginRule("app", "host", "", subdomains=False), None),
        ("*", "*", None),
    ],
)  # fmt: skip
def test_an_origin_is_a_scheme_a_host_and_a_port(text, rule, shown):
    """What is shown is how a browser would write it, and means the same."""
    kind = OriginKind()

    assert kind.parse(text) == rule
    assert kind.show(rule) == (shown or text)
    assert kind.parse(kind.show(rule)) == rule


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "a.example",
        "*.a.example",
        "https://",
        "https://*",
        "https://*.",
        "https://a.*.example",
        "https://*a.example",
        "https://*.*.example",
        "https://**.example",
        "https://a.example/",
        "https://a.example/path",
        "https://user@a.example",
        "https://a.example:port",
        "https://.a.example",
        "https://*..example",
        "https://*.[::1]",
        "https://b\xfccher.example",
        "https://a.example b",
        "https://\u212aelvin.example",
        "**",
    ],
)
def test_what_is_no_origin_is_refused(text):
    """A list with a mistake in it would be found out by the pages that it keeps away."""
    with pytest.raises(Unusable):
        OriginKind().parse(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.0.0.1", "10.0.0.1"),
        ("10.0.0.1/32", "10.0.0.1"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1"),
    ],
)
def test_a_network_is_an_address_or_a_range(text, shown):
    """What is shown means the same."""
    kind = NetworkKind()

    assert kind.parse(text) == ip_network(text)
    assert kind.show(kind.parse(text)) == shown
    assert kind.parse(shown) == kind.parse(text)


@pytest.mark.parametrize(
    "text", ["", "10.0.0.1/8", "10.0.0.0/33", "10.0.0", "proxy.example", "10.0.0.0-10.0.0.9", "*"]
)
def test_what_is_no_network_is_refused(text):
    """Also one whose address lies within it: which of the two was meant?"""
    with pytest.raises(Unusable):
        NetworkKind().parse(text)


@given(st.sampled_from(KINDS), st.text())
def test_any_text_is_parsed_or_refused(kind, text):
    """Nothing but ``Unusable`` is raised, and what is parsed survives being shown."""
    with suppress(Unusable):
        value = kind.parse(text)

        assert kind.parse(kind.show(value)) == value


def test_each_rate_has_a_setting_of_its_own():
    """``off`` in each of them turns off that one, and no other."""
    key = {"INTERNAL_API_KEY": "k"}
    defaults = Settings.load(key, None).rates
    for attribute in attrs.fields(RateSettings):
        name = f"RATE_{attribute.name.upper()}"

        rates = Settings.load({**key, name: "off"}, None).rates

        assert rates == attrs.evolve(defaults, **{attribute.name: None})
        assert getattr(defaults, attribute.name) is not None


def test_all_mistakes_are_named_together():
    """One start shows every setting that is wrong."""
    wrong = {"RATE_TYPING": "fast", "ALLOWED_ORIGINS": "chat.example", "TRUSTED_PROXIES": "proxy"}

    with pytest.raises(ConfigError) as raised:
        Settings.load({"INTERNAL_API_KEY": "k", **wrong}, None)

    assert {problem.name for problem in raised.value.problems} == set(wrong)

"""Laws of what ``gogate bench`` takes and prints: bounds, quantiles, doubts about itself."""

from __future__ import annotations

import math
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from gogate_trio.bench import report
from gogate_trio.bench.histogram import Histogram
from gogate_trio.bench.measure import prepare
from gogate_trio.bench.plan import (
    MAX_TOKEN,
    MAX_TOKEN_FILE,
    Address,
    Plan,
    UnusablePlan,
    checked,
    read_address,
    read_tokens,
)
from gogate_trio.bench.screen import picture

HERE = read_address("ws://127.0.0.1:8080/ws")


@given(st.lists(st.floats(1e-6, 3000.0), min_size=1, max_size=50), st.floats(0.01, 1.0))
def test_a_quantile_is_right_within_four_percent(times, share):
    """It is never below the time it stands for, above it by a bucket, and never above the last."""
    histogram = Histogram()
    for time in times:
        histogram.add(time)
    exact = sorted(times)[math.ceil(share * len(times)) - 1]

    assert exact * 0.999 <= histogram.quantile(share) <= min(exact * 1.04, max(times))


@given(st.lists(st.floats(-1.0, 1e7), max_size=50))
def test_no_time_is_left_out_of_the_bars(times):
    """Also one below zero, and one of months; and the bars rise."""
    histogram = Histogram()
    for time in times:
        histogram.add(time)
    bars = list(histogram.bars())

    assert sum(count for _, count in bars) == histogram.total == len(times)
    assert [bound for bound, _ in bars] == sorted({bound for bound, _ in bars})


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("ws://127.0.0.1:8080/ws", Address(False, "127.0.0.1", 8080, "/ws")),
        ("wss://chat.example", Address(True, "chat.example", 443, "/ws")),
        ("ws://[::1]/ws?x=1", Address(False, "::1", 80, "/ws?x=1")),
    ],
)
def test_an_address_is_understood(url, address):
    """Port and path may be left out."""
    assert read_address(url) == address


@pytest.mark.parametrize(
    "url",
    [
        *("", "http://x/ws", "ws://", "ws://me:word@x/ws", "ws://x:99999/ws", "ws://x/ws#a"),
        *("ws://x/a b", "ws://x/\r\nX: y", "ws://[::1/ws"),
    ],
)
def test_any_other_address_is_refused_without_being_repeated(url):
    """It may hold a password; the text is always the same."""
    with pytest.raises(UnusablePlan) as refused:
        read_address(url)

    assert str(refused.value) == "the address must be like ws://127.0.0.1:8080/ws"


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ({"connections": 0}, "--connections is 1 to 10,000"),
        ({"rate": 10_001.0}, "--rate is 0 to 10,000"),
        ({"rate": float("nan")}, "--rate is 0 to 10,000"),
        ({"duration": 0.0}, "--duration is 0.1 to 3,600"),
        ({"text_size": 47}, "--text-size is 48 to 4,000"),
        ({"rate": 1000.0, "duration": 1001.0}, "more than 1,000,000 messages"),
        ({"chats": ()}, "--chat is given 1 to 1,000 times"),
        ({"chats": (1, 1)}, "--chat is given 1 to 1,000 times"),
        ({"chats": (2**63,)}, "--chat is a whole number from 1"),
    ],
)
def test_every_number_is_bounded(numbers, said):
    """The text names the option and its bounds."""
    with pytest.raises(UnusablePlan, match=said):
        checked(Plan(HERE, ("a",), **numbers))


def test_tokens_stand_one_a_line(tmp_path):
    """Empty lines, remarks and the ends of lines of any system are passed over."""
    file = tmp_path / "tokens"
    file.write_bytes(b"# who\r\none\n\n  two  \r\n")

    assert read_tokens(file) == ("one", "two")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "--token-file holds no token"),
        (b"good\nno token\n", "--token-file: line 2 is no token"),
        (b"\xff\xfe\n", "--token-file: line 1 is no token"),
        (b"x" * (MAX_TOKEN + 1), "--token-file: line 1 is no token"),
        (b"#" * (MAX_TOKEN_FILE + 1), "--token-file is larger than 16,777,216 bytes"),
        (None, "--token-file cannot be read"),
    ],
    ids=["empty", "space", "bytes", "long", "large", "absent"],
)
def test_a_token_file_of_another_kind_is_refused(tmp_path, content, said):
    """The text names the line, never what stands in it."""
    file = tmp_path / "tokens"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(UnusablePlan) as refused:
        read_tokens(file)

    assert str(refused.value) == said


def test_more_connections_than_files_are_refused_at_once(monkeypatch):
    """Better one line before than thousands of failures in the middle."""
    monkeypatch.setattr("gogate_trio.bench.measure.SPARE_FILES", 2**40)

    with pytest.raises(UnusablePlan, match="ulimit -Hn"):
        prepare(Plan(HERE, ("a",)))


def test_it_says_when_it_may_be_the_bottleneck_itself():
    """A busy process, or one that is late by much of the p99, casts doubt on its own figures."""
    run = prepare(Plan(HERE, ("a",)))
    run.crowd.deliveries.add(0.010)
    run.lag.add(0.001)
    quiet = run.doubts()
    run.cpu = 0.9
    run.lag.add(0.009)

    assert quiet == []
    assert ["90% of a core" in run.doubts()[0], "late itself" in run.doubts()[1]] == [True, True]


def test_what_is_wrong_is_said_in_words_and_the_picture_has_the_figures():
    """Every counter that is not 0 has its line; the live picture shows the same numbers."""
    run = prepare(Plan(HERE, ("a",), connections=3))
    run.crowd.errors["SEND_FAILED"] = 2
    run.crowd.closes[4410] = 1
    run.crowd.turned_away["HTTP 503"] = 1
    run.crowd.invalid = 1
    run.traffic.unsent = 4
    text = "\n".join(report.as_text(run))
    screen = StringIO()
    Console(file=screen, width=80, color_system="standard", force_terminal=True).print(picture(run))

    for said in (
        "wrong: 2 times error SEND_FAILED",
        "wrong: 1 times hung up on with 4410",
        "wrong: 1 times turned away HTTP 503",
        "wrong: 1 messages that were no JSON",
        "wrong: 4 messages the gateway did not take",
    ):
        assert said in text
    assert "nothing lost" not in text
    assert "0 of 3" in screen.getvalue()
    bar, connected = screen.getvalue().splitlines()[1:3]
    assert "━" in bar
    assert "connected" not in bar, "what follows the bar does not stand beside it"
    assert "0 of 3" in connected
    assert " 0.0 ms" not in screen.getvalue(), "what nobody measured is no figure"

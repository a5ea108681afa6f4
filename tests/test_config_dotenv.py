"""Laws of the ``.env`` file: what a line means, and that no mistake in it is skipped."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gogate_trio.config.dotenv import parse_dotenv, read_dotenv


def values(text):
    """The names and values of a text without a mistake."""
    parsed = parse_dotenv(text)
    assert parsed.problems == ()
    return {name: line.value for name, line in parsed.lines.items()}


def problems(text):
    """What is wrong with the text."""
    return [str(problem) for problem in parse_dotenv(text).problems]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("A=b", "b"),
        ("A = b ", "b"),
        ("  export A=b", "b"),
        ("A=", ""),
        ("A= # nothing", ""),
        ("A=b # comment", "b"),
        ("A=b#c", "b#c"),
        ("A=#c", "#c"),
        ("A=b=c", "b=c"),
        ("A=it's", "it's"),
        ("A=a b", "a b"),
        ("A='b # c'", "b # c"),
        ("A='b' # c", "b"),
        (r"A='b\n'", r"b\n"),
        ("A='${B}'", "${B}"),
        ('A=""', ""),
        ('A=" b "', " b "),
        (r'A="a\nb\t\"\\"', 'a\nb\t"\\'),
        (r'A="\${B}"', "${B}"),
        ("A=$B", "$B"),
    ],
)
def test_what_a_line_means(line, value):
    """Quotes, comments, blanks and escapes mean what Compose, systemd and shells make of them."""
    assert values(line) == {"A": value}


def test_comments_blank_lines_and_windows_line_ends():
    """Lines that say nothing are skipped; a carriage return is no part of a value."""
    assert values("# x\r\n\r\n  \r\nA=1\r\nB='2'\r\n\t# y\r\n") == {"A": "1", "B": "2"}


def test_a_byte_order_mark_is_no_part_of_the_first_name(tmp_path):
    """A file saved by a Windows editor is read."""
    path = tmp_path / ".env"
    path.write_bytes(b"\xef\xbb\xbfPORT=1\n")

    assert read_dotenv(path).lines["PORT"].value == "1"


@pytest.mark.parametrize(
    "line",
    [
        "A",
        "=b",
        "1A=b",
        "A-B=c",
        "A: b",
        "A='b",
        'A="b',
        'A="b\\"',
        "A='b'c",
        'A="b" c',
        "A='b'#c",
        r'A="\x"',
        "A=${B}",
        'A="${B}"',
        "export A",
    ],
)
def test_a_line_that_cannot_be_read_is_a_problem_with_its_number(line):
    """No line is skipped in silence."""
    (problem,) = problems(f"# first\n{line}\nB=1")

    assert "line 2" in problem


def test_a_name_that_stands_twice_is_a_problem():
    """Which of two lines wins differs between programs: neither does here."""
    assert problems("A=1\nB=2\nA=3") == ["A: is set twice in .env: lines 1 and 3"]


def test_every_mistake_is_found():
    """A mistake does not hide the next one, nor the lines between."""
    parsed = parse_dotenv("x\nA='\nB=1\ny\n")

    assert len(parsed.problems) == 3
    assert parsed.lines["B"].value == "1"


@pytest.mark.parametrize(
    ("content", "words"), [(b"A=1\nB=\xff\n", "line 2 is not UTF-8"), (None, "cannot be read")]
)
def test_a_file_that_cannot_be_read_is_a_problem(tmp_path, content, words):
    """A file in another encoding, or a directory in its place, is reported."""
    path = tmp_path / ".env"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)

    (problem,) = read_dotenv(path).problems

    assert words in str(problem)


@given(st.text())
def test_any_text_is_lines_or_problems(text):
    """No file makes the reader fail, and what it says is printable."""
    parsed = parse_dotenv(text)

    assert all(problem.text.isprintable() for problem in parsed.problems)


@given(st.text(alphabet=st.characters(exclude_characters="'\n", codec="utf-8")))
def test_single_quotes_keep_a_value_as_it_is(value):
    """Whatever stands between single quotes is the value."""
    assert values(f"A='{value}'") == {"A": value}

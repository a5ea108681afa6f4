r"""The ``.env`` file: ``NAME=value`` lines, read strictly, every mistake with its line number.

Our own reader, because the libraries for it skip what they cannot read. The grammar is what
Docker Compose, systemd and the shells agree on:

- blank lines and lines that begin with ``#`` are skipped; ``export `` before a name too;
- ``NAME=value``: the value ends at `` #`` (a comment) and loses the blanks around it;
- ``NAME='value'``: as it stands;
- ``NAME="value"``: with ``\n``, ``\r``, ``\t``, ``\"``, ``\\`` and ``\$``;
- ``${…}`` is expanded by some of them: it is refused outside single quotes, so that
  nobody relies on it.

A value never appears in a message: it may be a key.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import attrs

from gogate_trio.config.problems import Problem, Unusable

if TYPE_CHECKING:
    from pathlib import Path

_LINE: Final = re.compile(r"(?:export[ \t]+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)[ \t]*=(?P<rest>.*)")
_SINGLE: Final = re.compile(r"'([^']*)'")
_DOUBLE: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t", '"': '"', "\\": "\\", "$": "$"}
_COMMENT: Final = re.compile(r"[ \t]*(?:[ \t]#.*)?")


@attrs.frozen
class Line:
    """One name of the file."""

    number: int
    value: str | None = attrs.field(repr=False)
    """None when the line has a problem, which is reported already."""


@attrs.frozen
class DotEnv:
    """What a file holds and what is wrong with it."""

    lines: dict[str, Line] = attrs.field(factory=dict)
    problems: tuple[Problem, ...] = ()


def read_dotenv(path: Path) -> DotEnv:
    """Read the file; one that is not there is an empty one."""
    try:
        # utf-8-sig: Windows editors put a byte order mark before the first name.
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return DotEnv()
    except OSError as error:
        return DotEnv(problems=(Problem(".env", f"cannot be read: {error.strerror}"),))
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        return DotEnv(problems=(Problem(".env", f"line {line} is not UTF-8"),))
    return parse_dotenv(text)


def parse_dotenv(text: str) -> DotEnv:
    """Read the text of such a file."""
    lines: dict[str, Line] = {}
    problems: list[Problem] = []
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip(" \t\r")
        if not line or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if not match:
            problems.append(Problem(".env", f"line {number} is not NAME=value"))
            continue
        name = match["name"]
        if name in lines:
            first = lines[name].number
            problems.append(Problem(name, f"is set twice in .env: lines {first} and {number}"))
            continue
        try:
            lines[name] = Line(number, _value(match["rest"]))
        except Unusable as error:
            lines[name] = Line(number, None)
            problems.append(Problem(name, f"{error} (.env line {number})"))
    return DotEnv(lines, tuple(problems))


def _value(rest: str) -> str:
    """The value in what stands behind the equals sign."""
    text = rest.strip(" \t")
    if text.startswith("'"):
        return _quoted(_SINGLE, text)
    if text.startswith('"'):
        raw = _quoted(_DOUBLE, text)
        if "${" in re.sub(r"\\.", "", raw):
            raise Unusable("holds ${…}, which is not expanded here: use single quotes to mean it")
        return _ESCAPE.sub(_unescape, raw)
    # The blank before a value counts: ``NAME= # note`` is an empty value with a comment.
    value = re.split(r"[ \t]#", rest, maxsplit=1)[0].strip(" \t")
    if "${" in value:
        raise Unusable("holds ${…}, which is not expanded here: use single quotes to mean it")
    return value


def _quoted(pattern: re.Pattern[str], text: str) -> str:
    """What stands between the quotes; behind them only a comment may follow."""
    match = pattern.match(text)
    if not match:
        raise Unusable("has a quote that is not closed on its line")
    if not _COMMENT.fullmatch(text, match.end()):
        raise Unusable("has something behind its closing quote")
    return match[1]


def _unescape(match: re.Match[str]) -> str:
    character = match[1]
    if character not in _ESCAPES:
        raise Unusable('has a backslash that means nothing: \\n, \\r, \\t, \\", \\\\ and \\$ do')
    return _ESCAPES[character]

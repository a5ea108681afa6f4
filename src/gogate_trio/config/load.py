"""From the environment and ``.env`` to checked values: every mistake in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from gogate_trio.config.declare import Entry, Setting, Source
from gogate_trio.config.dotenv import DotEnv, read_dotenv
from gogate_trio.config.problems import ConfigError, Problem, Unusable, cleaned
from gogate_trio.config.spelling import meant_in_environment, meant_in_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path


@attrs.frozen(kw_only=True)
class Order:
    """A pair of settings of one kind of which the first must be the smaller one."""

    smaller: str
    larger: str
    may_be_equal: bool
    reason: str


@attrs.frozen
class Loaded:
    """A value for every setting, and where it came from; by variable name."""

    values: dict[str, object]
    sources: dict[str, Source]


@attrs.frozen
class _Raw:
    """A text some source holds for a setting."""

    text: str = attrs.field(repr=False)
    source: Source
    place: str
    """Where the operator finds it."""


def load(
    catalogue: Iterable[Entry],
    orders: Sequence[Order],
    *,
    environ: Mapping[str, str],
    dotenv: Path | None,
) -> Loaded:
    """Read every setting, the environment over ``.env`` over its default; or ``ConfigError``."""
    settings = {entry.setting.name: entry.setting for entry in catalogue}
    file = read_dotenv(dotenv) if dotenv else DotEnv()
    problems = [*file.problems]
    values: dict[str, object] = {}
    sources: dict[str, Source] = {}
    for name, setting in settings.items():
        raw = _find(name, environ=environ, file=file)
        sources[name] = raw.source if raw else Source.DEFAULT
        try:
            values[name] = _value(setting, raw)
        except Unusable as error:
            # A line of .env that could not be read is reported already.
            if raw or name not in file.lines:
                problems.append(Problem(name, _placed(str(error), raw)))
    problems += _misspelt(settings, environ=environ, file=file)
    problems += _contradictions(orders, settings, values)
    if problems:
        raise ConfigError(problems)
    return Loaded(values, sources)


def _find(name: str, *, environ: Mapping[str, str], file: DotEnv) -> _Raw | None:
    """What the strongest source says about this setting."""
    if name in environ:
        return _Raw(environ[name], Source.ENVIRONMENT, "environment")
    line = file.lines.get(name)
    if line is None or line.value is None:
        return None
    return _Raw(line.value, Source.DOTENV, f".env line {line.number}")


def _value(setting: Setting, raw: _Raw | None) -> object:
    """The checked value, or ``Unusable``."""
    if raw:
        return setting.kind.parse(raw.text)
    if setting.required:
        raise Unusable(f"is missing. {setting.help}")
    return setting.default


def _placed(text: str, raw: _Raw | None) -> str:
    return f"{text} ({raw.place})" if raw else text


def _misspelt(
    settings: Mapping[str, Setting], *, environ: Mapping[str, str], file: DotEnv
) -> Iterator[Problem]:
    """Names that are nobody's: those would be ignored, and their author would never know."""
    for name, line in file.lines.items():
        if name in settings:
            continue
        meant = meant_in_file(name, settings)
        hint = f"; did you mean {meant}?" if meant else ""
        yield Problem(cleaned(name), f"is not a setting of GoGate{hint} (.env line {line.number})")
    for name in environ:
        meant = meant_in_environment(name, settings, present=environ)
        if meant:
            yield Problem(cleaned(name), f"is not a setting; did you mean {meant}? (environment)")


def _contradictions(
    orders: Iterable[Order], settings: Mapping[str, Setting], values: Mapping[str, object]
) -> Iterator[Problem]:
    """Pairs that are fine one by one and cannot work together."""
    for order in orders:
        smaller, larger = values.get(order.smaller), values.get(order.larger)
        if not isinstance(smaller, int | float) or not isinstance(larger, int | float):
            continue
        if smaller < larger or (order.may_be_equal and smaller == larger):
            continue
        show = settings[order.smaller].kind.show
        relation = "must not exceed" if order.may_be_equal else "must be less than"
        yield Problem(
            order.smaller,
            f"{show(smaller)} {relation} {order.larger} ({show(larger)}): {order.reason}",
        )

"""From the environment and ``.env`` to checked values: every mistake in one go."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from gogate_trio.config.declare import Entry, Setting, Source
from gogate_trio.config.dotenv import DotEnv, read_dotenv
from gogate_trio.config.keyfile import KeyFile, Raw
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


@attrs.frozen(kw_only=True)
class Together:
    """Settings that are given all or not at all. Given means: not empty."""

    names: tuple[str, ...]
    reason: str


@attrs.frozen(kw_only=True)
class Apart:
    """A setting that must be empty while a list holds a certain item."""

    name: str
    other: str
    item: str
    reason: str


@attrs.frozen
class Loaded:
    """A value for every setting, and where it came from; by variable name."""

    values: dict[str, object]
    sources: dict[str, Source]


Rule = Order | Together | Apart


def load(  # noqa: PLR0913 - the rules of one tree, by keyword
    catalogue: Iterable[Entry],
    rules: Sequence[Rule],
    *,
    environ: Mapping[str, str],
    dotenv: Path | None,
    key_files: Sequence[KeyFile] = (),
    handed_over: Mapping[str, str] = MappingProxyType({}),
) -> Loaded:
    """Read every setting, the environment over ``.env`` over its default; or ``ConfigError``.

    ``handed_over``: settings for which a variable of systemd's serves, over the default.
    """
    settings = {entry.setting.name: entry.setting for entry in catalogue}
    file = read_dotenv(dotenv) if dotenv else DotEnv()
    problems = [*file.problems]
    values: dict[str, object] = {}
    sources: dict[str, Source] = {}
    raws = {name: _find(name, environ=environ, file=file) for name in settings}
    for name, variable in handed_over.items():
        raws[name] = raws[name] or _handed_over(variable, environ)
    unread = _open_key_files(key_files, raws, environ)
    problems += unread.values()
    for name, setting in settings.items():
        raw = raws[name]
        sources[name] = raw.source if raw else Source.DEFAULT
        try:
            values[name] = _value(setting, raw)
        except Unusable as error:
            # A line of .env that could not be read is reported already.
            if raw or (name not in file.lines and name not in unread):
                problems.append(Problem(name, _placed(str(error), raw)))
    problems += _misspelt(settings, environ=environ, file=file)
    problems += _contradictions(rules, settings, values)
    if problems:
        raise ConfigError(problems)
    return Loaded(values, sources)


def _open_key_files(
    key_files: Iterable[KeyFile], raws: dict[str, Raw | None], environ: Mapping[str, str]
) -> dict[str, Problem]:
    """Put the secrets from files among the raw values; what went wrong, by the secret's name."""
    problems = {}
    for one in key_files:
        found = one.find(raws, environ)
        if isinstance(found, Problem):
            problems[one.secret] = found
            raws[one.secret] = None
        else:
            raws[one.secret] = found
    return problems


def _find(name: str, *, environ: Mapping[str, str], file: DotEnv) -> Raw | None:
    """What the strongest source says about this setting."""
    if name in environ:
        return Raw(environ[name], Source.ENVIRONMENT, "environment")
    line = file.lines.get(name)
    if line is None or line.value is None:
        return None
    return Raw(line.value, Source.DOTENV, f".env line {line.number}")


def _handed_over(variable: str, environ: Mapping[str, str]) -> Raw | None:
    # systemd lists several behind each other; the first is the unit's first.
    text = environ.get(variable, "").partition(":")[0]
    return Raw(text, Source.SYSTEMD, f"systemd's {variable}") if text else None


def _value(setting: Setting, raw: Raw | None) -> object:
    """The checked value, or ``Unusable``."""
    if raw:
        return setting.kind.parse(raw.text)
    if setting.required:
        raise Unusable(f"is missing. {setting.help}")
    return setting.default


def _placed(text: str, raw: Raw | None) -> str:
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
    rules: Iterable[Rule],
    settings: Mapping[str, Setting],
    values: Mapping[str, object],
) -> Iterator[Problem]:
    """Settings that are fine one by one and cannot work together."""
    for rule in rules:
        match rule:
            case Order():
                yield from _disorder(rule, settings, values)
            case Together():
                yield from _separation(rule, values)
            case Apart():
                yield from _clash(rule, values)


def _disorder(
    order: Order, settings: Mapping[str, Setting], values: Mapping[str, object]
) -> Iterator[Problem]:
    smaller, larger = values.get(order.smaller), values.get(order.larger)
    if not isinstance(smaller, int | float) or not isinstance(larger, int | float):
        return
    if smaller < larger or (order.may_be_equal and smaller == larger):
        return
    show = settings[order.smaller].kind.show
    relation = "must not exceed" if order.may_be_equal else "must be less than"
    yield Problem(
        order.smaller,
        f"{show(smaller)} {relation} {order.larger} ({show(larger)}): {order.reason}",
    )


def _separation(rule: Together, values: Mapping[str, object]) -> Iterator[Problem]:
    given = [name for name in rule.names if values.get(name)]
    # One that could not be read is reported already.
    missing = [name for name in rule.names if name in values and not values[name]]
    if given:
        for name in missing:
            yield Problem(name, f"is missing, though {given[0]} is set: {rule.reason}")


def _clash(rule: Apart, values: Mapping[str, object]) -> Iterator[Problem]:
    items = values.get(rule.other)
    if values.get(rule.name) and isinstance(items, tuple) and rule.item in items:
        yield Problem(
            rule.name, f"must be empty while {rule.other} holds {rule.item}: {rule.reason}"
        )

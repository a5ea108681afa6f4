"""How a setting is declared, and how a tree of them is walked.

One line of ``settings`` says everything about a setting; reading it, ``.env.example``, the
docs and ``gogate config`` follow from that line.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs

if TYPE_CHECKING:
    from collections.abc import Iterator

    from gogate_trio.config.kinds import Kind

T = TypeVar("T")

_SETTING: Final = "setting"
_GROUP: Final = "group"


class Source(Enum):
    """Where the value in force came from."""

    DEFAULT = "default"
    DOTENV = ".env"
    ENVIRONMENT = "environment"
    FILE = "key file"
    CREDENTIAL = "systemd credential"
    SYSTEMD = "systemd"


@attrs.frozen(kw_only=True)
class Setting:
    """Everything about one setting but its value."""

    name: str
    """The variable in the environment and in ``.env``."""
    # Any: a table of settings holds kinds of many types; ``setting`` keeps each one honest.
    kind: Kind[Any]
    help: str
    """What it does, whole sentences, without its default and bounds."""
    default: Any
    """``attrs.NOTHING`` when the operator must give a value."""
    example: str | None
    """What ``.env.example`` sets it to; None: it stands there as a comment with its default."""

    @property
    def required(self) -> bool:
        """Whether the operator must give a value."""
        return self.default is attrs.NOTHING

    @property
    def default_text(self) -> str:
        """The default as an operator would write it; empty when there is none."""
        return "" if self.required else str(self.kind.show(self.default))


@attrs.frozen
class Entry:
    """One setting and its place in the tree."""

    group: attrs.Attribute[Any]
    attribute: str
    setting: Setting

    @property
    def title(self) -> str:
        """What the group is about: the first line of its class's docstring."""
        return str(self.group.metadata[_GROUP].__doc__).splitlines()[0].rstrip(".")


def setting(name: str, kind: Kind[T], *, default: T, help: str) -> T:  # noqa: A002  # its name everywhere
    """Declare a setting: to be assigned to an annotated attribute of a frozen attrs class."""
    declared = Setting(name=name, kind=kind, help=help, default=default, example=None)
    return attrs.field(default=default, metadata={_SETTING: declared})


def required(name: str, kind: Kind[T], *, example: str, help: str) -> T:  # noqa: A002  # its name everywhere
    """Declare a setting that the operator must give."""
    declared = Setting(name=name, kind=kind, help=help, default=attrs.NOTHING, example=example)
    # cast: what ``attrs.field`` returns stands for the value, as in attrs itself.
    return cast("T", attrs.field(metadata={_SETTING: declared}))


def group(cls: type[T]) -> T:
    """Declare a group of settings; without a required one it defaults to all defaults."""
    return attrs.field(factory=cls, metadata={_GROUP: cls})


def entries(tree: type[attrs.AttrsInstance]) -> Iterator[Entry]:
    """All settings of a tree in the order of their declaration."""
    for branch in attrs.fields(tree):
        if _GROUP not in branch.metadata:
            continue
        for leaf in attrs.fields(branch.metadata[_GROUP]):
            yield Entry(branch, leaf.name, leaf.metadata[_SETTING])


def build(tree: type[T], values: dict[str, object], **extra: object) -> T:
    """The tree with these values by variable name: one for each setting."""
    groups: dict[str, dict[str, object]] = {}
    classes: dict[str, type] = {}
    for entry in entries(cast("type[attrs.AttrsInstance]", tree)):
        branch = entry.group.name
        groups.setdefault(branch, {})[entry.attribute] = values[entry.setting.name]
        classes[branch] = entry.group.metadata[_GROUP]
    return tree(**{name: classes[name](**leaves) for name, leaves in groups.items()}, **extra)

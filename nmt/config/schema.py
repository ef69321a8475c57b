"""What can be said of any configuration dataclass: as plain values, from them, its docstrings and its ranges."""

import ast
import dataclasses
import functools
import inspect
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar, get_args, get_type_hints

from nmt.errors import ConfigError, require

T = TypeVar("T")

MOST_COUNTED = 10**12
"""The largest number of updates, epochs and the like: more than any training reaches."""

_RANGE = "range"
_KINDS = {int: "whole numbers", float: "numbers"}


@dataclass(frozen=True)
class Range:
    """Which numbers a key may have."""

    least: float
    most: float
    above: bool = False
    """whether `least` itself is too little"""
    below: bool = False
    """whether `most` itself is too much"""
    also: float | None = None
    """one number more, with a meaning of its own"""

    def __contains__(self, value: float) -> bool:
        """Tell whether a number is one of them; nan never is."""
        enough = value > self.least if self.above else value >= self.least
        return (enough and (value < self.most if self.below else value <= self.most)) or value == self.also

    def __str__(self) -> str:
        """Write it as messages have it, such as ``between 1 and 64`` or ``above 0, at most 1``."""
        text = f"between {self.least} and {self.most}"
        if self.above or self.below:
            text = f"above {self.least}" if self.above else f"{self.least} or more"
            text += f" and below {self.most}" if self.below else f", at most {self.most}"
        return text if self.also is None else f"{text}, or {self.also}"


def within(
    least: float, most: float, *, above: bool = False, below: bool = False, also: float | None = None
) -> dict[str, Any]:
    """Make the metadata of a field that holds a number, or a list of them, in a `Range`."""
    return {_RANGE: Range(least, most, above, below, also)}


def ranges(kind: type) -> dict[str, Range]:
    """Return the range of every field of a configuration dataclass that holds a number or a list of numbers."""
    return {item.name: item.metadata[_RANGE] for item in dataclasses.fields(kind) if _RANGE in item.metadata}


def check_ranges(config: Any, prefix: str = "") -> None:
    """Compare every number of a configuration dataclass, not of the groups in it, with its range.

    Args:
        config: the dataclass.
        prefix: what stands before the names of its fields in a message, as in ``trainer.``.

    Raises:
        ConfigError: a number is out of its range, or none of its type.
    """
    types = get_type_hints(type(config))
    for name, allowed in ranges(type(config)).items():
        value, kind = getattr(config, name), types[name]
        if kind in _KINDS:
            require(_is_of(value, kind), prefix + name, value, f"a {_KINDS[kind].removesuffix('s')}")
            require(value in allowed, prefix + name, value, str(allowed))
            continue
        [element] = get_args(kind)
        fits = all(_is_of(each, element) and each in allowed for each in value)
        require(fits, prefix + name, value, f"{_KINDS[element]} {allowed}")


def _is_of(value: Any, kind: type) -> bool:
    """Tell whether a value is a whole number, or a number, which a truth value is not."""
    return isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)


def to_dict(config: Any) -> dict[str, Any]:
    """Turn a configuration dataclass into plain dicts, strings and numbers, for JSON and YAML."""

    def plain(items: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: str(value) if isinstance(value, Enum) else value for key, value in items}

    return dataclasses.asdict(config, dict_factory=plain)


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Write nested dicts as one, its keys joined by dots: ``{"optimizer.lr": 0.001, ...}``."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def from_dict(kind: type[T], values: dict[str, Any]) -> T:
    """Build a (flat) configuration dataclass from what `to_dict` made of it.

    Keys that are missing take their defaults, so that an older bundle keeps loading when a key is added.

    Raises:
        ConfigError: a key is unknown, or a word is none of the allowed ones.
    """
    defaults = vars(kind())
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in defaults:
            raise ConfigError(f"unknown key {key!r} in {kind.__name__}; known are {', '.join(sorted(defaults))}")
        choice = type(defaults[key])
        if issubclass(choice, Enum) and value not in choice.__members__:
            raise ConfigError(f"{key}={value} is not possible: it must be one of {', '.join(choice.__members__)}")
        arguments[key] = choice[value] if issubclass(choice, Enum) else value
    return kind(**arguments)


def changed(config: T, settings: dict[str, Any]) -> T:
    """Return a (flat) configuration dataclass with some fields changed; words may be given for their enumerations.

    Raises:
        ConfigError: a key is unknown, or a word is none of the allowed ones; values are for `validate` to check.
    """
    plain = {key: str(value) if isinstance(value, Enum) else value for key, value in settings.items()}
    return from_dict(type(config), to_dict(config) | plain)


def with_keys(config: T, settings: dict[str, Any]) -> T:
    """Return a configuration of groups with the values of some keys, as in ``model.dropout``, changed."""
    groups: dict[str, dict[str, Any]] = {}
    for key, value in settings.items():
        group, _, name = key.partition(".")
        groups.setdefault(group, {})[name] = value
    instance: Any = config
    replaced: T = dataclasses.replace(
        instance, **{group: changed(getattr(config, group), values) for group, values in groups.items()}
    )
    return replaced


def differing(config: Any, other: Any) -> set[str]:
    """List the keys, as in ``model.dropout``, in which two configurations of one kind differ."""
    here, there = flatten(to_dict(config)), flatten(to_dict(other))
    return {key for key, value in here.items() if value != there[key]}


def as_typed(value: Any) -> str:
    """Write a value as on the command line, and as YAML does."""
    if isinstance(value, list):
        return f"[{','.join(map(as_typed, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value) or "''"


@functools.cache
def describe(kind: type) -> dict[str, str]:
    """Read the docstring under each field of a configuration dataclass: field name → one line."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    lines: dict[str, str] = {}
    for item, following in zip(body.body, body.body[1:], strict=False):
        match item, following:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                lines[name] = " ".join(text.split())
    return lines

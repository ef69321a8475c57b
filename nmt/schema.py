"""What can be said of any configuration dataclass: as plain values, from plain values, and its fields' docstrings."""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
from enum import Enum
from typing import Any, TypeVar

from nmt.errors import ConfigError

T = TypeVar("T")


def to_dict(config: Any) -> dict[str, Any]:
    """Turn a configuration dataclass into plain dicts, strings and numbers, for JSON and YAML."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items()}
        return str(value) if isinstance(value, Enum) else value

    return {key: plain(value) for key, value in dataclasses.asdict(config).items()}


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
    enums = {name: default for name, default in vars(kind()).items() if isinstance(default, Enum)}
    arguments: dict[str, Any] = {}
    known = {item.name for item in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in known:
            raise ConfigError(f"unknown key {key!r} in {kind.__name__}; known are {', '.join(sorted(known))}")
        if key in enums:
            words = [member.name for member in type(enums[key])]
            if value not in words:
                raise ConfigError(f"{key}={value} is not possible: it must be one of {', '.join(words)}")
            value = type(enums[key])[value]
        arguments[key] = value
    return kind(**arguments)


@functools.cache
def describe(kind: type) -> dict[str, str]:
    """Read the docstring under each field of a configuration dataclass: field name → one line."""
    body = ast.parse(inspect.getsource(kind)).body[0]
    assert isinstance(body, ast.ClassDef)
    lines: dict[str, str] = {}
    for item, following in zip(body.body, body.body[1:], strict=False):
        if (
            isinstance(item, ast.AnnAssign)
            and isinstance(item.target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            lines[item.target.id] = " ".join(str(following.value.value).split())
    return lines

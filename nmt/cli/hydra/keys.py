"""The keys of the configuration, and the choices of its groups."""

from __future__ import annotations

import dataclasses
import importlib.resources
from collections.abc import Iterator
from typing import Any, NamedTuple, get_args, get_type_hints

from nmt.config.train import TrainConfig

GROUPS = ("corpus", "subwords", "augmentation", "model", "objective", "optimizer", "trainer", "search", "experiment")


class Leaf(NamedTuple):
    """A key of the configuration that has a value."""

    key: str
    default: Any
    element: type | None
    """type of a list's elements; None: the value is no list"""


def leaves() -> Iterator[Leaf]:
    """Yield every leaf of the configuration, in the order of the dataclasses."""

    def walk(config: Any, prefix: str) -> Iterator[Leaf]:
        types = get_type_hints(type(config))
        for item in dataclasses.fields(config):
            value = getattr(config, item.name)
            if dataclasses.is_dataclass(value):
                yield from walk(value, f"{prefix}{item.name}.")
            else:
                element = get_args(types[item.name])[0] if isinstance(value, list) else None
                yield Leaf(prefix + item.name, value, element)

    yield from walk(TrainConfig(), "")


def known_keys() -> dict[str, Any]:
    """Return every leaf of the configuration with its default: ``{"optimizer.lr": 0.001, ...}``."""
    return {leaf.key: leaf.default for leaf in leaves()}


def list_keys() -> dict[str, type]:
    """Return every key whose value is a list, with the type of its elements: ``{"corpus.extra": str, ...}``."""
    return {leaf.key: leaf.element for leaf in leaves() if leaf.element}


def choices(group: str) -> list[str]:
    """List the configuration files of a group."""
    folder = importlib.resources.files("nmt.conf").joinpath(group)
    return sorted(file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml"))

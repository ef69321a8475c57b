"""The windows of a filter: lines that are answered together, read from a stream or made from nothing."""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from nmt.cli.lines import Text, decode, no_text, read_windows
from nmt.cli.options import Loaded
from nmt.config.choices import TaskName
from nmt.errors import ConfigError
from nmt.translation.request import Request


class Window(NamedTuple):
    """Lines that are translated together."""

    first_line: int
    """number of the first of them, counted from 1"""
    lines: list[Text]
    is_counted: bool = False
    """whether each line, which is blank, is a sample by its number"""
    asked: Sequence[Request] | None = None
    """what is asked for each line; None: its translation alone"""

    def requests(self) -> list[Request]:
        """Ask for the translation of each line."""
        if self.asked is not None:
            return list(self.asked)
        draws = itertools.count(self.first_line) if self.is_counted else itertools.repeat(None)
        return [Request(line.text, draw=draw) for line, draw in zip(self.lines, draws, strict=False)]


def windows_from_nothing(count: int, size: int) -> Iterator[Window]:
    """Ask for so many lines from nothing, in windows."""
    for first in range(1, count + 1, size):
        yield Window(first, [Text("", [])] * min(size, count + 1 - first), is_counted=True)


def text_windows(read: Callable[[int], bytes | None], *, full: int, first: int) -> Iterator[Window]:
    """Read lines in windows, and decode them."""
    number, wrong = 1, ""
    for window in read_windows(read, max_lines=full, first_lines=first):
        if number == 1:
            wrong = no_text(window)
        lines = [decode(line, number + i, is_text=not wrong) for i, line in enumerate(window)]
        if wrong and number == 1:
            lines[0].warnings.insert(0, wrong)
        yield Window(number, lines)
        number += len(window)


def check_count(arguments: argparse.Namespace) -> None:
    """Refuse a number of lines that is none, or options that say it otherwise: ConfigError."""
    if arguments.count < 1:
        raise ConfigError(f"--count {arguments.count} is not possible: it must be 1 or more")
    if arguments.n_best > 1:
        raise ConfigError("--count says how many lines are made: leave --n-best out")
    for option in ("prefixes", "input_format"):
        if getattr(arguments, option) not in (None, "text"):
            raise ConfigError(f"--count reads nothing: leave --{option.replace('_', '-')} out")


def require_samples(arguments: argparse.Namespace, loaded: Loaded) -> None:
    """Refuse to make lines from nothing where that is impossible, or where all would be the same: ConfigError."""
    if loaded.bundle.task is not TaskName.generation:
        raise ConfigError(
            f"--count is for models of task=generation, and {arguments.model} is of task={loaded.bundle.task}: "
            "leave it out"
        )
    if not loaded.translator.search.sample:
        raise ConfigError("--count needs sampling, since a search finds the same line each time: add --sample")
